//! When a session ends, and what it remembers until then.

use std::time::Duration;

use live_vlm::times::Times;
use live_vlm_tests::{client::new_id, server::Server, until, vlm::Vlm};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::asking;

#[tokio::test]
async fn a_page_that_comes_back_in_time_finds_its_settings_and_its_video() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&asking(&vlm)).await;
    let (page, id) = (server.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    socket.ask(&json!({"type": "update_prompt", "prompt": "Mine?", "max_tokens": 7})).await;
    socket.ask(&json!({"type": "update_max_latency", "max_latency": 3})).await;
    let sender = page.send_video(&id).await.unwrap();
    socket.next_of(&["vlm_response"]).await;
    socket.close().await;

    let mut socket = page.try_open(Some(&id)).await.unwrap();
    let status = socket.next().await;
    assert_eq!((&status["type"], &status["status"]), (&json!("status"), &json!("Live")));
    let config = socket.next().await;
    assert_eq!((&config["prompt"], &config["max_tokens"]), (&json!("Mine?"), &json!(7)));
    assert_eq!(config["max_latency"], 3.0);
    let history = socket.next().await;
    assert_eq!(
        (&history["type"], &history["answers"][0]["text"]),
        (&json!("history"), &json!("Yes."))
    );
    assert_eq!(socket.next_of(&["vlm_response"]).await["prompt"], "Mine?");
    assert_eq!(server.sessions().count(), 1);
    sender.vanish().await;
    server.stop().await;
}

#[tokio::test]
async fn a_page_that_does_not_come_back_ends_its_session_after_the_grace_time() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let grace = Duration::from_millis(700);
    let times = Times { grace, ..Times::default() };
    let server = Server::start_with_times(&asking(&vlm), times).await;
    let (page, id) = (server.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let sender = page.send_video(&id).await.unwrap();
    socket.next_of(&["vlm_response"]).await;
    let closed = tokio::time::Instant::now();
    socket.close().await;
    assert_eq!(server.sessions().count(), 1);
    until("the session's end", || server.sessions().count() == 0).await;
    assert!(closed.elapsed() >= grace, "{:?}", closed.elapsed());
    sender.vanish().await;
    server.stop().await;
}

#[tokio::test]
async fn a_session_without_video_ends_with_its_socket() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&asking(&vlm)).await;
    let (socket, _) = server.browser().await.open(&new_id()).await;
    assert_eq!(server.sessions().count(), 1);
    socket.close().await;
    until("the session's end", || server.sessions().count() == 0).await;
    // As does one whose connection is cut.
    let (socket, _) = server.browser().await.open(&new_id()).await;
    drop(socket);
    until("the session's end", || server.sessions().count() == 0).await;
    server.stop().await;
}

#[tokio::test]
async fn a_video_without_a_socket_ends_its_session_when_it_ends() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&asking(&vlm)).await;
    let script = server.script();
    let sender = script.send_video(&new_id()).await.unwrap();
    vlm.asked(live_vlm_tests::vlm::Asked::is_question).await;
    assert_eq!(server.sessions().count(), 1);
    sender.hang_up().await;
    until("the session's end", || server.sessions().count() == 0).await;
    server.stop().await;
}

#[tokio::test]
async fn the_newest_socket_takes_the_place_of_the_older() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&asking(&vlm)).await;
    let (page, id) = (server.browser().await, new_id());
    let (mut older, _) = page.open(&id).await;
    let sender = page.send_video(&id).await.unwrap();
    older.next_of(&["vlm_response"]).await;
    let (mut newer, _) = page.open(&id).await;
    let close = older.closed().await.expect("a close frame");
    assert_eq!(close.code, CloseCode::Away);
    assert!(close.reason.contains("elsewhere"), "{close:?}");
    drop(older);
    // That the older one is gone is not taken for the page's leaving.
    assert_eq!(newer.next_of(&["vlm_response"]).await["text"], "Yes.");
    assert_eq!(server.sessions().count(), 1);
    sender.vanish().await;
    server.stop().await;
}

#[tokio::test]
async fn more_sessions_than_may_be_are_refused_until_one_ends() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&["--max-sessions", "2", "--api-base", vlm.base()]).await;
    let page = server.browser().await;
    let first_id = new_id();
    let (mut first, _) = page.open(&first_id).await;
    let (second, _) = page.open(&new_id()).await;
    let refused = page.try_open(None).await.unwrap_err();
    assert_eq!((refused.status, refused.about().0), (429, "limit_reached"));
    assert_eq!(
        (&refused.body["limit"], &refused.body["value"]),
        (&json!("max_sessions"), &json!(2))
    );
    assert!(refused.body["retry_after_s"].as_f64().unwrap() > 0.0, "{refused:?}");
    assert!(refused.retry_after.unwrap().parse::<u32>().unwrap() > 0);
    let refused = page.offer(&json!({"sdp": "v=0", "type": "offer"})).await.unwrap_err();
    assert_eq!((refused.status, refused.about().0), (429, "limit_reached"));
    // Those that there are go on, and can be reached.
    assert_eq!(first.so_far().await, [] as [Value; 0]);
    page.open(&first_id).await;
    second.close().await;
    until("the session's end", || server.sessions().count() < 2).await;
    page.open(&new_id()).await;
    server.stop().await;
}

#[tokio::test]
async fn a_question_can_be_asked_now_however_long_the_interval_is() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&["--api-base", vlm.base()]).await;
    let (page, id) = (server.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let hourly = json!({"type": "update_processing", "interval": 3600});
    assert_eq!(socket.ask(&hourly).await["type"], "processing_updated");
    let sender = page.send_video(&id).await.unwrap();
    socket.next_of(&["vlm_response"]).await;
    socket.send(&json!({"type": "ask_now"})).await;
    socket.next_of(&["vlm_response"]).await;
    assert_eq!(vlm.questions().len(), 2);
    sender.vanish().await;
    server.stop().await;
}
