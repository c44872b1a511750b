//! The program ends as a service should.

use std::time::{Duration, Instant};

use live_vlm_tests::{
    client::new_id,
    process::Process,
    server::UNLIMITED,
    vlm::{Asked, Reply, Vlm},
};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::{PROGRAM, asking};

const SESSIONS: usize = 4;
/// Exiting while libraries were being loaded crashed about one start in seven.
const STARTS: usize = 20;
const MAY_TAKE: Duration = Duration::from_secs(5);

async fn ends_cleanly_on(signal: &str) {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let arguments = [&["--host", "127.0.0.1", "--port", "0"], &asking(&vlm)[..]].concat();
    let process = Process::start(PROGRAM, &arguments);
    let mut live = Vec::new();
    for _ in 0..SESSIONS {
        let (page, id) = (process.browser().await, new_id());
        let (socket, _) = page.open(&id).await;
        let sender = page.send_video(&id).await.unwrap();
        live.push((socket, sender));
    }
    for (socket, _) in &mut live {
        socket.next_of(&["vlm_response"]).await;
    }
    // One that sends no video is told too.
    let (mut waiting, _) = process.browser().await.open(&new_id()).await;

    let at = Instant::now();
    process.signal(signal).await;
    let ended = process.ended().await;
    assert!(at.elapsed() < MAY_TAKE, "{:?}", at.elapsed());
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    for (socket, _) in &mut live {
        let close = socket.closed().await.expect("a close frame");
        assert_eq!(close.code, CloseCode::Away);
    }
    assert_eq!(waiting.closed().await.expect("a close frame").code, CloseCode::Away);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("did not end in time"), "{}", ended.stderr);
    for (_, sender) in live {
        sender.vanish().await;
    }
}

#[tokio::test]
async fn sigterm_ends_live_sessions_and_the_program() {
    ends_cleanly_on("TERM").await;
}

#[tokio::test]
async fn ctrl_c_ends_live_sessions_and_the_program() {
    ends_cleanly_on("INT").await;
}

#[tokio::test]
async fn a_question_in_flight_is_answered_before_the_end_and_none_is_asked_after_it() {
    let vlm = Vlm::start(&["llava:7b"], |_| Reply::Held("Just in time.".into())).await;
    let arguments = [&["--host", "127.0.0.1", "--port", "0"], &asking(&vlm)[..]].concat();
    let process = Process::start(PROGRAM, &arguments);
    let (page, id) = (process.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let sender = page.send_video(&id).await.unwrap();
    vlm.asked(Asked::is_question).await;
    process.signal("TERM").await;
    let closing = socket.next_of(&["closing"]).await;
    assert_eq!(closing["within_s"], 5.0, "{closing}");
    let ready = page.get("/readyz").await;
    assert_eq!(ready.status(), 503);
    assert_eq!(ready.json::<Value>().await.unwrap()["reasons"], json!(["draining"]));
    let refused = page.try_open(Some(&new_id())).await.unwrap_err();
    assert_eq!((refused.status, refused.about().0), (503, "too_many_sessions"));
    vlm.release();
    assert_eq!(socket.next_of(&["vlm_response"]).await["text"], "Just in time.");
    assert_eq!(socket.closed().await.expect("a close frame").code, CloseCode::Away);
    let ended = process.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert_eq!(vlm.questions().len(), 1);
    sender.vanish().await;
}

#[tokio::test]
async fn a_question_that_takes_too_long_does_not_hold_up_the_end() {
    let vlm = Vlm::start(&["llava:7b"], |_| Reply::Held(String::new())).await;
    let listen = ["--host", "127.0.0.1", "--port", "0", "--drain-timeout", "1"];
    let arguments = [&listen, &asking(&vlm)[..]].concat();
    let process = Process::start(PROGRAM, &arguments);
    let (page, id) = (process.browser().await, new_id());
    let sender = page.send_video(&id).await.unwrap();
    vlm.asked(Asked::is_question).await;
    let at = Instant::now();
    process.signal("TERM").await;
    let ended = process.ended().await;
    assert!(at.elapsed() < MAY_TAKE, "{:?}", at.elapsed());
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    sender.vanish().await;
}

#[tokio::test]
async fn pages_without_video_are_told_of_the_end_too() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let arguments = ["--host", "127.0.0.1", "--port", "0", "--api-base", vlm.base()];
    let process = Process::start(PROGRAM, &[&arguments, UNLIMITED].concat());
    let page = process.browser().await;
    let mut sockets = Vec::new();
    for _ in 0..50 {
        sockets.push(page.open(&new_id()).await.0);
    }
    process.signal("TERM").await;
    let ended = process.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{}: {}", ended.status, ended.stderr);
    for mut socket in sockets {
        assert_eq!(socket.closed().await.expect("a close frame").code, CloseCode::Away);
    }
}

#[tokio::test]
async fn a_signal_in_the_middle_of_starting_ends_it_cleanly_too() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    for _ in 0..STARTS {
        let arguments = [&["--host", "127.0.0.1", "--port", "0"], &asking(&vlm)[..]].concat();
        let process = Process::start(PROGRAM, &arguments);
        process.address("http").await;
        process.signal("TERM").await;
        let ended = process.ended().await;
        assert_eq!(ended.status.code(), Some(0), "{}: {}", ended.status, ended.stderr);
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let vlm = Vlm::start(&["llava:7b"], |_| Reply::Held(String::new())).await;
    let listen = ["--host", "127.0.0.1", "--port", "0", "--drain-timeout", "300"];
    let process = Process::start(PROGRAM, &[&listen, &asking(&vlm)[..]].concat());
    let (page, id) = (process.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let sender = page.send_video(&id).await.unwrap();
    vlm.asked(Asked::is_question).await;
    process.signal("TERM").await;
    socket.next_of(&["closing"]).await;
    process.signal("TERM").await;
    assert_eq!(process.ended().await.status.code(), Some(130));
    sender.vanish().await;
}
