//! Servers that fail, and when they are asked again.

use std::time::Duration;

use live_vlm_ask::{Failure, Outcome, Signals};

use crate::{
    both,
    camera::{Camera, add, asker, dispatcher},
    soon,
    vlm::Vlm,
};

#[tokio::test]
async fn when_the_first_server_fails_the_next_is_asked_about_the_same_frame() {
    let (mut first, mut second) = (Vlm::start().await, Vlm::start().await);
    let dispatcher = dispatcher();
    add(&dispatcher, &first.endpoint);
    add(&dispatcher, &second.endpoint);
    let (mut asker, mut camera) = (asker(&dispatcher), Camera::new(&first.endpoint));
    let mut changes = Signals::default().changes();
    let servers = async {
        // Either may be the first.
        tokio::select! {
            asked = first.asked() => {
                asked.reply(503, "later");
                second.asked().await.answer("a cat");
            }
            asked = second.asked() => {
                asked.reply(503, "later");
                first.asked().await.answer("a cat");
            }
        }
    };
    let (outcome, ()) = both(asker.ask(&mut camera, &mut changes), servers).await;
    assert!(matches!(outcome, Outcome::Answered { .. }), "{outcome:?}");
    let mut log = camera.log();
    log.retain(|line| !line.contains("so far"));
    assert_eq!(log, ["choose", "1 asked", "1 missed", "2 asked", "2 complete a cat (stop)"]);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_begun_anew_elsewhere() {
    let (mut first, mut second) = (Vlm::start().await, Vlm::start().await);
    let dispatcher = dispatcher();
    add(&dispatcher, &first.endpoint);
    add(&dispatcher, &second.endpoint);
    let (mut asker, mut camera) = (asker(&dispatcher), Camera::new(&first.endpoint));
    let mut changes = Signals::default().changes();
    let seen = camera.clone();
    let servers = async {
        let mut asked = tokio::select! {
            asked = first.asked() => asked,
            asked = second.asked() => asked,
        };
        asked.say("It");
        soon(async {
            while !seen.log().iter().any(|line| line.contains("so far")) {
                tokio::task::yield_now().await;
            }
        })
        .await;
        asked.cut();
    };
    let (outcome, ()) = both(asker.ask(&mut camera, &mut changes), servers).await;
    let Outcome::Failed(failure, Some(_)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(failure.kind, "cut");
    assert_eq!(camera.log(), ["1 missed"]);
    assert!(first.is_idle() && second.is_idle());
}

#[tokio::test]
async fn the_model_of_the_list_is_kept_until_the_server_does_not_have_it() {
    let mut vlm = Vlm::start().await;
    vlm.list_models(&["llava-7b"]);
    let dispatcher = dispatcher();
    let (mut asker, mut camera) = (asker(&dispatcher), Camera::new(&vlm.endpoint));
    camera.settings.model.clear();
    let mut changes = Signals::default().changes();
    for _ in 0..2 {
        let server = async {
            let asked = vlm.asked().await;
            assert_eq!(asked.body["model"], "llava-7b");
            asked.answer("yes");
        };
        both(asker.ask(&mut camera, &mut changes), server).await;
    }
    let listed = vlm.listed();
    let server = async {
        let body = r#"{"error": {"code": "model_not_found", "message": "no such model"}}"#;
        vlm.asked().await.reply(404, body);
    };
    let (outcome, ()) = both(asker.ask(&mut camera, &mut changes), server).await;
    let Outcome::Failed(failure, _) = outcome else { panic!("{outcome:?}") };
    assert!(failure.is_model_unknown, "{failure:?}");
    asker.failed(&failure, 0);
    vlm.list_models(&["llava-13b"]);
    let server = async {
        let asked = vlm.asked().await;
        assert_eq!(asked.body["model"], "llava-13b");
        asked.answer("yes");
    };
    both(asker.ask(&mut camera, &mut changes), server).await;
    assert!(vlm.listed() > listed);
}

#[tokio::test]
async fn whoever_cannot_ask_waits_for_no_turn() {
    let mut vlm = Vlm::start().await;
    let dispatcher = dispatcher();
    let (mut asker, mut camera) = (asker(&dispatcher), Camera::new(&vlm.endpoint));
    let mut changes = Signals::default().changes();
    let server = async { vlm.asked().await.answer("yes") };
    both(asker.ask(&mut camera, &mut changes), server).await;
    assert_eq!(dispatcher.members(), 1);
    camera.settings.prompt.clear();
    let outcome = asker.ask(&mut camera, &mut changes).await;
    assert!(matches!(outcome, Outcome::Failed(Failure { kind: "settings", .. }, None)));
    assert_eq!(dispatcher.members(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_vlm_that_fails_is_left_alone_until_then_or_until_something_changes() {
    let dispatcher = dispatcher();
    let mut asker = asker(&dispatcher);
    let signals = Signals::default();
    let mut changes = signals.changes();
    let failure = || Failure::new("timeout", "too slow".into(), true);
    let first = asker.failed(&failure(), 2);
    let second = asker.failed(&failure(), 2);
    assert_eq!((first.after, second.after), (Duration::from_secs(1), Duration::from_secs(2)));
    let began = tokio::time::Instant::now();
    assert!(!asker.wait_after(second, &mut changes).await);
    assert_eq!(began.elapsed(), second.after);
    signals.question_changed();
    assert!(asker.wait_after(second, &mut changes).await);
    assert_eq!(began.elapsed(), second.after);
    assert_eq!(asker.failed(&failure(), 2).after, first.after, "it starts over");
}
