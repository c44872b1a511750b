//! Signs of life between a page's connection and the server.

use std::time::{Duration, Instant};

use live_vlm_tests::{cable::Cable, client::new_id, server::Server, until, vlm::Vlm};
use serde_json::json;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::asking;

const BEAT: Duration = Duration::from_secs(5);
/// Longer than a beat, shorter than two.
const ABOUT_A_BEAT: Duration = Duration::from_secs(8);

#[tokio::test]
async fn a_page_that_waits_hears_from_the_server_every_five_seconds() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&asking(&vlm)).await;
    let (mut socket, _) = server.browser().await.open(&new_id()).await;
    for _ in 0..2 {
        let began = Instant::now();
        assert_eq!(socket.next().await, json!({"type": "alive"}));
        let waited = began.elapsed();
        assert!((BEAT - Duration::from_secs(1)..ABOUT_A_BEAT).contains(&waited), "{waited:?}");
    }
    // And whenever it asks.
    let began = Instant::now();
    for _ in 0..3 {
        socket.send(&json!({"type": "alive"})).await;
        assert_eq!(socket.next().await, json!({"type": "alive"}));
    }
    assert!(began.elapsed() < BEAT - Duration::from_secs(1), "{:?}", began.elapsed());
    server.stop().await;
}

#[tokio::test]
async fn an_unread_connection_is_ended_and_the_page_finds_its_session_on_another() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&asking(&vlm)).await;
    let cable = Cable::to(server.address()).await;
    let (page, id) = (server.browser().await, new_id());
    let by_cable = page.clone().with_base(&format!("http://{}", cable.address()));
    let (mut socket, _) = by_cable.open(&id).await;
    socket.ask(&json!({"type": "update_prompt", "prompt": "Mine?"})).await;
    cable.cut();
    let cut = Instant::now();
    until("the connection's end", || server.connections() == 0).await;
    assert!(cut.elapsed() < Duration::from_secs(14), "{:?}", cut.elapsed());
    assert_eq!(server.sessions().count(), 1);
    let config = page.settings(&id).await;
    assert_eq!(config["prompt"], "Mine?");
    cable.mend();
    // What the dead one is told in the end is of no use to it.
    let close = socket.closed().await;
    assert!(close.is_none_or(|close| close.code == CloseCode::Away));
    server.stop().await;
}
