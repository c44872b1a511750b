use live_vlm_media_processes::{OfferFailure, placement::ProcessNumber};

use super::support::{STARTED, ask, config, fakes, forked, gone, is_undisturbed, offer, soon};

/// Of each: what the process does, and what the log says.
const CRASHES: [(&str, &str); 8] = [
    ("crash", "media process 2 ended by SIGSEGV"),
    (
        "abort",
        "media process 2 ended by SIGABRT; the last element that it named is vp8dec0; it said: \
         ERROR:gstvp8dec.c:99:decode: assertion failed: (size > 0)",
    ),
    ("kill", "media process 2 ended by SIGKILL"),
    ("exit", "media process 2 ended with exit code 3"),
    ("cut", "media process 2 ended with exit code 0"),
    ("hang", "media process 2 gave no sign of life within 1s"),
    ("loop", "media process 2 gave no sign of life within 1s"),
    (
        "memory",
        "media process 2 ended by SIGABRT; it said: memory allocation of 4294967296 bytes failed",
    ),
];

#[tokio::test]
async fn each_crash_is_told_with_its_cause_and_disturbs_nobody_else() {
    for (start, (crash, words)) in STARTED.into_iter().flat_map(|start| CRASHES.map(|c| (start, c)))
    {
        let processes = start(config());
        let mut ada = offer(&processes, "ada", "one").await.unwrap();
        let mut eve = offer(&processes, "eve", crash).await.unwrap();
        assert_eq!(gone(&mut eve).await.to_string(), words, "{crash}");
        is_undisturbed(&mut ada, ProcessNumber(1)).await;
        soon(eve.peer.stop()).await;
        assert_eq!(processes.figures().connections, 1);
    }
}

#[tokio::test]
async fn a_process_that_hangs_after_a_while_is_noticed() {
    let processes = fakes(config());
    let mut eve = offer(&processes, "eve", "hangs-when-asked").await.unwrap();
    ask(&mut eve.turns).await;
    ask(&mut eve.turns).await;
    eve.peer.ask_now();
    assert_eq!(gone(&mut eve).await.name(), "silence");
}

#[tokio::test]
async fn all_connections_of_a_process_are_told_and_can_come_back_at_once() {
    let processes = fakes(config());
    let mut others = Vec::new();
    for user in ["bob", "cy", "di"] {
        others.push(offer(&processes, user, "one").await.unwrap());
    }
    let mut ada = Vec::new();
    for _ in 0..4 {
        ada.push(offer(&processes, "ada", "one").await.unwrap());
    }
    let last = offer(&processes, "ada", "kill").await;
    assert!(last.is_ok() || matches!(last, Err(OfferFailure::Gone(_))));
    for mut answered in ada {
        assert_eq!(gone(&mut answered).await.name(), "signal");
        let mut again = offer(&processes, "ada", "one").await.unwrap();
        ask(&mut again.turns).await;
    }
    for (number, mut answered) in (1..).zip(others) {
        is_undisturbed(&mut answered, ProcessNumber(number)).await;
    }
}

#[tokio::test]
async fn when_all_of_it_is_dropped_every_process_ends() {
    for start in STARTED {
        let processes = start(config());
        let mut ada = offer(&processes, "ada", "hang").await.unwrap();
        drop(processes);
        while soon(ada.events.next()).await.is_some() {}
        soon(ada.peer.stop()).await;
    }
}

#[tokio::test]
async fn when_what_forks_them_ends_nobody_is_blamed_and_another_is_started() {
    let processes = forked(config());
    for _ in 0..3 {
        let mut ada = offer(&processes, "ada", "kill-zygote").await.unwrap();
        let cause = gone(&mut ada).await;
        assert_eq!((cause.name(), cause.is_blamed()), ("with_zygote", false), "{cause}");
    }
    let mut ada = offer(&processes, "ada", "one").await.unwrap();
    ask(&mut ada.turns).await;
}
