use std::time::Duration;

use live_vlm_media_processes::{Codec, Config};
use rustix::process::Signal;

use super::support::{Started, config, gone, is_there, picture, send_signal, soon};

#[tokio::test]
async fn a_media_process_that_crashes_takes_no_other_along() {
    let started = Started::new(config());
    let (of_ada, mut ada) = started.meet("ada", Codec::Vp8).await;
    let (of_eve, mut eve) = started.meet("eve", Codec::Vp8).await;
    let crashing = started.pid(&eve);
    send_signal(crashing, Signal::ABORT);
    assert_eq!(gone(&mut eve).await.to_string(), "media process 2 ended by SIGABRT");
    assert!(!is_there(crashing), "a zombie is left");
    // Twice: the second was captured afterwards.
    for _ in 0..2 {
        picture(&mut ada.turns).await;
    }
    let (again, mut eve) = started.meet("eve", Codec::Vp8).await;
    picture(&mut eve.turns).await;
    for sender in [of_ada, of_eve, again] {
        sender.vanish().await;
    }
}

#[tokio::test]
async fn media_processes_end_with_their_zygote_though_they_are_another_user() {
    let started = Started::new(config());
    let mut answered = started.answer("ada").await;
    let pid = started.pid(&answered);
    send_signal(started.zygote(), Signal::KILL);
    let cause = gone(&mut answered).await;
    assert_eq!((cause.name(), cause.is_blamed()), ("with_zygote", false));
    let gone = async {
        let mut tick = tokio::time::interval(Duration::from_millis(2));
        while is_there(pid) {
            tick.tick().await;
        }
    };
    soon(gone).await;
}

#[tokio::test]
async fn a_media_process_that_is_not_needed_ends_by_itself() {
    let started = Started::new(Config { keep_empty: Duration::ZERO, ..config() });
    let answered = started.answer("ada").await;
    let pid = started.pid(&answered);
    soon(answered.peer.stop()).await;
    soon(started.processes.wait_for(|figures| figures.processes == 0)).await;
    assert_eq!(started.processes.figures().ended, [("not_needed", 1)].into());
    assert!(!is_there(pid));
}
