use std::time::Duration;

use live_vlm_media_link::{Answered, FromMedia, Reader, SandboxParts, ToMedia, VERSION, Writer};
use live_vlm_media_processes::{
    Codec, Config, FrameCounts, MediaProcesses, NoQuestion, OfferError, OfferFailure, Outcome,
    PeerEvent, SamplingSettings,
    launcher::{Executable, Forking, InProcess, Program},
    placement::Bounds,
};
use tokio::{io, net::UnixStream};

use super::support::{ask, config, fake, fakes, gone, offer, soon};

#[tokio::test]
async fn an_offer_is_answered_and_events_frames_and_questions_come() {
    let processes = fakes(config());
    let mut ada = offer(&processes, "ada", "urgent").await.unwrap();
    assert_eq!(ada.sdp, "answer to urgent");
    assert_eq!(ada.peer.codec(), Codec::Vp8);
    assert!(ada.peer.found_all_candidates());
    assert_eq!(soon(ada.events.next()).await, Some(PeerEvent::Connected));
    assert_eq!(soon(ada.events.next()).await, Some(PeerEvent::FirstFrame));
    let mut want = soon(ada.turns.want()).await.unwrap();
    assert!(want.is_urgent());
    want.near().tell();
    let before = std::time::Instant::now();
    let question = soon(want.turn()).await.unwrap();
    let age = before - question.pictures[0].captured;
    assert!(age < Duration::from_secs(1), "{age:?}");
    want.end(Outcome::Done);
    let frames = ada.peer.frames();
    assert_eq!(frames.read(), FrameCounts { received: 3, decoded: 2, asked: 1, unchanged: 4 });
    ask(&mut ada.turns).await;
    soon(ada.peer.stop()).await;
    assert!(soon(ada.turns.want()).await.is_none());
    assert_eq!(soon(ada.events.next()).await, None);
    assert_eq!(frames.received(), 3);
}

#[tokio::test]
async fn a_refused_offer_says_why_and_leaves_nothing() {
    let processes = fakes(config());
    let refused = offer(&processes, "ada", "refuse").await.unwrap_err();
    assert_eq!(refused, OfferFailure::Offer(OfferError::NoVideo));
    assert_eq!(processes.figures().connections, 0);
}

#[tokio::test]
async fn an_offer_that_is_too_long_costs_no_process() {
    let processes = fakes(config());
    let refused = offer(&processes, "ada", &"x".repeat(100_000)).await.unwrap_err();
    assert_eq!(refused, OfferFailure::Offer(OfferError::TooLarge { bytes: 100_000 }));
    assert_eq!(processes.figures().started, 0);
}

#[tokio::test]
async fn a_user_has_a_process_and_an_empty_one_ends() {
    let processes = fakes(config());
    let first = offer(&processes, "ada", "one").await.unwrap();
    let second = offer(&processes, "ada", "two").await.unwrap();
    let other = offer(&processes, "bob", "three").await.unwrap();
    assert_eq!(first.peer.process(), second.peer.process());
    assert_ne!(first.peer.process(), other.peer.process());
    assert_eq!(processes.figures().processes, 2);
    for answered in [first, second] {
        soon(answered.peer.stop()).await;
    }
    soon(processes.wait_for(|figures| figures.processes == 1)).await;
    assert_eq!(processes.figures().ended.get("not_needed"), Some(&1));
    soon(other.peer.stop()).await;
}

#[tokio::test]
async fn when_there_is_no_room_an_offer_is_refused() {
    let bounds = Bounds { wanted: 1, most: 1, connections: 2 };
    let processes = fakes(Config { bounds, ..config() });
    let _kept =
        [offer(&processes, "a", "1").await.unwrap(), offer(&processes, "b", "2").await.unwrap()];
    assert_eq!(offer(&processes, "c", "3").await.unwrap_err(), OfferFailure::Full);
}

#[tokio::test]
async fn whoever_comes_and_goes_takes_no_room_from_others() {
    let bounds = Bounds { wanted: 2, most: 8, connections: 1 };
    let keep_empty = Duration::from_secs(3600);
    let processes = fakes(Config { bounds, keep_empty, ..config() });
    for number in 0..30 {
        let eve = offer(&processes, &format!("eve {number}"), "one").await.unwrap();
        soon(eve.peer.stop()).await;
    }
    offer(&processes, "ada", "one").await.unwrap();
}

#[tokio::test]
async fn a_dropped_peer_hangs_up_and_makes_room() {
    let bounds = Bounds { wanted: 1, most: 1, connections: 1 };
    let processes = fakes(Config { bounds, keep_empty: Duration::from_secs(5), ..config() });
    for _ in 0..3 {
        drop(offer(&processes, "ada", "one").await.unwrap());
        soon(processes.wait_for(|figures| figures.connections == 0)).await;
    }
    assert_eq!(processes.figures().started, 1);
}

#[tokio::test]
async fn who_does_not_wait_for_the_answer_has_no_connection() {
    let processes = fakes(config());
    let waited =
        tokio::time::timeout(Duration::from_millis(100), offer(&processes, "ada", "no-answer"));
    assert!(waited.await.is_err());
    soon(processes.wait_for(|figures| figures.connections == 0)).await;
    // The process is as good as before.
    assert!(!processes.figures().ended.contains_key("silence"));
}

#[tokio::test]
async fn a_want_that_is_given_up_is_noticed_before_and_on_a_turn() {
    let processes = fakes(config());
    let mut ada = offer(&processes, "ada", "gives-up").await.unwrap();
    let mut want = soon(ada.turns.want()).await.unwrap();
    soon(want.given_up()).await;
    assert_eq!(soon(want.turn()).await, Err(NoQuestion::GivenUp));
    drop(want);
    // The next one is as good as any.
    ask(&mut ada.turns).await;
}

#[tokio::test]
async fn a_want_that_nobody_uses_ends_when_it_is_dropped() {
    let processes = fakes(config());
    let mut ada = offer(&processes, "ada", "one").await.unwrap();
    for _ in 0..50 {
        drop(soon(ada.turns.want()).await.unwrap());
        let mut want = soon(ada.turns.want()).await.unwrap();
        // Its question crosses with its end.
        tokio::select! {
            biased;
            result = want.turn() => panic!("{result:?} before it was asked"),
            () = std::future::ready(()) => {}
        }
        drop(want);
        ask(&mut ada.turns).await;
    }
}

#[tokio::test]
async fn however_often_something_is_told_no_more_of_it_waits_than_counts() {
    let processes = fakes(config());
    let mut ada = offer(&processes, "ada", "one").await.unwrap();
    let mut want = soon(ada.turns.want()).await.unwrap();
    for _ in 0..5000 {
        ada.peer.add_ice_candidate(None, Some(0), "candidate:1");
        ada.peer.change_settings(SamplingSettings::default());
        ada.peer.ask_now();
        want.near().tell();
        tokio::select! {
            biased;
            result = want.turn() => panic!("{result:?} before anybody could say it"),
            () = std::future::ready(()) => {}
        }
    }
    assert!(soon(want.turn()).await.is_ok());
    drop(want);
    ask(&mut ada.turns).await;
}

#[tokio::test]
async fn large_pictures_that_were_asked_for_are_no_flood() {
    let processes = fakes(config());
    let mut ada = offer(&processes, "ada", "pictures of 1048576").await.unwrap();
    for _ in 0..20 {
        let mut want = soon(ada.turns.want()).await.unwrap();
        assert_eq!(soon(want.turn()).await.unwrap().pictures[0].jpeg.len(), 1 << 20);
        want.end(Outcome::Done);
    }
}

#[tokio::test]
async fn who_comes_back_in_time_keeps_the_process() {
    let keep_empty = Duration::from_millis(200);
    let processes = fakes(Config { keep_empty, ..config() });
    let ada = offer(&processes, "ada", "one").await.unwrap();
    soon(ada.peer.stop()).await;
    let mut ada = offer(&processes, "ada", "one").await.unwrap();
    for _ in 0..2 {
        soon(ada.events.next()).await;
    }
    let nothing = tokio::time::timeout(2 * keep_empty, ada.events.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    assert_eq!((ada.peer.process().0, processes.figures().started), (1, 1));
}

#[tokio::test]
async fn a_spare_process_is_taken_and_another_is_started() {
    let processes = fakes(Config { keeps_spare: true, ..config() });
    assert_eq!(processes.figures().started, 1);
    let ada = offer(&processes, "ada", "one").await.unwrap();
    assert_eq!((ada.peer.process().0, processes.figures().started), (1, 2));
    let bob = offer(&processes, "bob", "one").await.unwrap();
    assert_eq!((bob.peer.process().0, processes.figures().started), (2, 3));
    assert_eq!(processes.ready().unwrap().codecs, [Codec::Vp8]);
}

#[tokio::test]
async fn shutting_down_ends_every_process_and_takes_no_more_offers() {
    let processes = fakes(Config { keeps_spare: true, ..config() });
    let mut ada = offer(&processes, "ada", "one").await.unwrap();
    soon(processes.shut_down()).await;
    assert_eq!(gone(&mut ada).await.name(), "not_needed");
    let figures = processes.figures();
    assert_eq!((figures.processes, figures.ended.get("not_needed")), (0, Some(&2)));
    assert_eq!(offer(&processes, "ada", "two").await.unwrap_err(), OfferFailure::Closing);
}

#[tokio::test]
async fn a_process_that_cannot_be_started_is_nobodys_fault() {
    let Executable(program) = fake(&["exits"]);
    let missing = Program { path: "/nowhere/at/all".into(), ..program.clone() };
    for processes in [
        MediaProcesses::new(config(), Executable(missing.clone())),
        MediaProcesses::new(config(), Forking::new(missing)),
        MediaProcesses::new(config(), Forking::new(program)),
        MediaProcesses::new(config(), fake(&["exits"])),
        MediaProcesses::new(config(), fake(&["old"])),
        MediaProcesses::new(config(), fake(&["hurries"])),
    ] {
        for _ in 0..3 {
            match offer(&processes, "ada", "one").await.unwrap_err() {
                OfferFailure::NotStarted(cause) => assert_eq!(cause.name(), "not_started"),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_process_that_never_becomes_ready_is_ended() {
    let mut config = config();
    config.patience.ready = Duration::from_millis(300);
    let processes = MediaProcesses::new(config, fake(&["never-ready"]));
    let failure = offer(&processes, "ada", "one").await.unwrap_err();
    let OfferFailure::NotStarted(cause) = failure else { panic!("{failure:?}") };
    let told = "media process 1 could not be started: did not become ready within 300ms";
    assert_eq!(cause.to_string(), told);
}

/// A media side that answers, and stops.
async fn media_side(link: UnixStream) {
    let (from, to) = io::split(link);
    let (mut from, mut to) = (Reader::<_, ToMedia>::new(from), Writer::new(to));
    let sandbox = SandboxParts::default();
    let ready = FromMedia::Ready { version: VERSION, codecs: Vec::new(), sandbox };
    to.send(ready).await.unwrap();
    while let Ok(Some(received)) = from.next().await {
        let message = match received.message {
            ToMedia::Ping { number } => FromMedia::Pong { number },
            ToMedia::Offer { connection, sdp, .. } if sdp != "panic" => {
                let result =
                    Ok(Answered { sdp, codec: Codec::H264, found_all: false, goes_back: true });
                FromMedia::Answered { connection, result }
            }
            ToMedia::Offer { .. } => panic!("as a test wants it"),
            ToMedia::Stop { connection } => FromMedia::Stopped { connection },
            _ => continue,
        };
        to.send(message).await.unwrap();
    }
}

#[tokio::test]
async fn a_media_side_that_never_ends_is_ended_too() {
    let mut config = config();
    config.patience.ready = Duration::from_millis(50);
    let never = |link| async move {
        let _open: UnixStream = link;
        std::future::pending().await
    };
    let processes = MediaProcesses::new(config, InProcess::new(never));
    let failure = offer(&processes, "ada", "one").await.unwrap_err();
    assert!(matches!(failure, OfferFailure::NotStarted(_)), "{failure:?}");
    soon(processes.shut_down()).await;
}

#[tokio::test]
async fn all_of_it_runs_in_one_process_too() {
    let processes = MediaProcesses::new(config(), InProcess::new(media_side));
    let ada = offer(&processes, "ada", "one").await.unwrap();
    assert_eq!((ada.sdp.as_str(), ada.peer.codec()), ("one", Codec::H264));
    soon(ada.peer.stop()).await;
    match offer(&processes, "ada", "panic").await.unwrap_err() {
        OfferFailure::Gone(cause) => assert!(cause.to_string().contains("panicked"), "{cause}"),
        other => panic!("{other:?}"),
    }
    soon(processes.shut_down()).await;
}
