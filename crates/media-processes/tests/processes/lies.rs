use super::support::soon;
use super::support::{config, fakes, gone, is_undisturbed, offer};
use live_vlm_media_processes::{NoQuestion, OfferFailure, placement::ProcessNumber};

/// Of each: what the process does, the kind of breach, and what the log says.
const LIES: [(&str, &str, &str); 15] = [
    ("other-session", "unknown_connection", "spoke of connection 3, which it does not have"),
    ("huge-picture", "bad_message", "the attachment has 1073741824 bytes"),
    ("huge-json", "bad_message", "the JSON has 1073741824 bytes"),
    ("announces-more", "bad_message", "announces 4000000000 bytes of pictures, and 1 came"),
    ("garbage", "bad_message", "a message cannot be read"),
    ("unknown-message", "bad_message", "a message cannot be read"),
    ("two-first-frames", "out_of_order", "had a first frame a second time"),
    ("two-losses", "out_of_order", "lost a peer a second time"),
    ("unasked-question", "out_of_order", "used a turn that it did not have"),
    ("unasked-end", "out_of_order", "ended a connection that was to go on"),
    ("pong", "out_of_order", "replied to a ping that it did not get"),
    ("flood", "flood", "sent more messages than it may"),
    ("long-flood", "flood", "than it may"),
    ("closes", "hung_up", "closed its link without ending"),
    ("drips", "silence", "gave no sign of life within 1s"),
];

#[tokio::test]
async fn each_lie_ends_its_process_and_nothing_else() {
    for (lie, kind, words) in LIES {
        let mut config = config();
        if kind != "silence" {
            // However long it takes until it is noticed.
            config.patience.pong *= 8;
        }
        let processes = fakes(config);
        let mut ada = offer(&processes, "ada", "one").await.unwrap();
        let mut eve = offer(&processes, "eve", lie).await.unwrap();
        let cause = gone(&mut eve).await;
        assert_eq!((cause.name(), cause.process), (kind, ProcessNumber(2)), "{lie}: {cause}");
        assert!(cause.to_string().contains(words), "{lie}: {cause}");
        is_undisturbed(&mut ada, ProcessNumber(1)).await;
        let figures = processes.figures();
        assert_eq!(figures.ended.into_iter().collect::<Vec<_>>(), [(kind, 1)], "{lie}");
        assert_eq!((figures.processes, figures.connections), (1, 1), "{lie}");
        assert!(soon(eve.turns.want()).await.is_none() || lie == "two-losses", "{lie}");
    }
}

#[tokio::test]
async fn who_does_not_answer_an_offer_is_ended() {
    let processes = fakes(config());
    let mut ada = offer(&processes, "ada", "one").await.unwrap();
    match offer(&processes, "eve", "no-answer").await.unwrap_err() {
        OfferFailure::Gone(cause) => {
            let told = "media process 2 did not answer the offer of 2 within 1s";
            assert_eq!(cause.to_string(), told);
        }
        other => panic!("{other:?}"),
    }
    is_undisturbed(&mut ada, ProcessNumber(1)).await;
}

#[tokio::test]
async fn who_does_not_use_a_turn_is_ended() {
    let processes = fakes(config());
    let mut ada = offer(&processes, "ada", "one").await.unwrap();
    let mut eve = offer(&processes, "eve", "deaf-to-turns").await.unwrap();
    let mut want = soon(eve.turns.want()).await.unwrap();
    assert_eq!(soon(want.turn()).await, Err(NoQuestion::Over));
    drop(want);
    let cause = gone(&mut eve).await;
    assert_eq!(cause.to_string(), "media process 2 did not use the turn of 2 within 1s");
    is_undisturbed(&mut ada, ProcessNumber(1)).await;
}

#[tokio::test]
async fn who_does_not_stop_a_connection_is_ended() {
    let processes = fakes(config());
    let mut ada = offer(&processes, "ada", "one").await.unwrap();
    let eve = offer(&processes, "eve", "never-stops").await.unwrap();
    soon(eve.peer.stop()).await;
    assert_eq!(processes.figures().ended.get("silence"), Some(&1));
    is_undisturbed(&mut ada, ProcessNumber(1)).await;
}
