use std::time::Duration;

use live_vlm_media_processes::{Config, OfferAnswered, OfferFailure, placement::Bounds};

use super::support::{config, fakes, gone, is_undisturbed, offer};

/// One process for all, as long as nothing happens.
fn shared() -> Config {
    Config { bounds: Bounds { wanted: 1, most: 8, connections: 8 }, ..config() }
}

fn is_refused(result: Result<OfferAnswered, OfferFailure>) {
    match result.unwrap_err() {
        OfferFailure::Refused { retry_after } => {
            assert!(retry_after > Duration::from_secs(590), "{retry_after:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_ends_two_processes_is_refused_and_nobody_else() {
    let processes = fakes(config());
    for _ in 0..2 {
        let mut eve = offer(&processes, "eve", "crash").await.unwrap();
        gone(&mut eve).await;
    }
    is_refused(offer(&processes, "eve", "one").await);
    assert!(offer(&processes, "ada", "one").await.is_ok());
    assert_eq!(processes.figures().refused, 1);
}

#[tokio::test]
async fn in_a_shared_process_the_guilty_one_is_found_and_the_others_go_on() {
    let processes = fakes(shared());
    let mut ada = offer(&processes, "ada", "one").await.unwrap();
    let mut bob = offer(&processes, "bob", "one").await.unwrap();
    let mut eve = offer(&processes, "eve", "crash").await.unwrap();
    for answered in [&mut ada, &mut bob, &mut eve] {
        assert_eq!(gone(answered).await.process.0, 1);
    }
    // They come back, each apart, so that the next crash is nobody else's.
    let mut ada = offer(&processes, "ada", "one").await.unwrap();
    let mut bob = offer(&processes, "bob", "one").await.unwrap();
    for _ in 0..2 {
        let mut eve = offer(&processes, "eve", "crash").await.unwrap();
        gone(&mut eve).await;
    }
    is_refused(offer(&processes, "eve", "crash").await);
    let [first, second] = [ada.peer.process(), bob.peer.process()];
    assert_ne!(first, second);
    is_undisturbed(&mut ada, first).await;
    is_undisturbed(&mut bob, second).await;
}

#[tokio::test]
async fn attackers_who_crash_one_process_after_the_other_disturb_nobody() {
    let processes = fakes(config());
    let mut ada = offer(&processes, "ada", "one").await.unwrap();
    let process = ada.peer.process();
    for attacker in 0..20 {
        let mut eve = offer(&processes, &format!("eve {attacker}"), "kill").await.unwrap();
        gone(&mut eve).await;
        super::support::ask(&mut ada.turns).await;
    }
    is_undisturbed(&mut ada, process).await;
}
