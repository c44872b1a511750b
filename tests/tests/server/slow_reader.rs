//! A client that does not read costs the server nothing for long, and others nothing at all.

use live_vlm_tests::{client::new_id, server::Server, until, vlm::Vlm};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::asking;

#[tokio::test]
async fn a_client_that_never_reads_is_cut_off_and_harms_nobody() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&asking(&vlm)).await;
    let (other, other_id) = (server.browser().await, new_id());
    let (mut bystander, _) = other.open(&other_id).await;
    let sender = other.send_video(&other_id).await.unwrap();
    let (mut deaf, _) = server.browser().await.open(&new_id()).await;
    deaf.stop_reading();
    assert_eq!(server.sessions().count(), 2);

    // Each of these is answered with as much, until nothing more fits between the two.
    let message = json!({"type": "update_prompt", "prompt": "x".repeat(8000)}).to_string();
    let flood = tokio::spawn(async move {
        while deaf.try_send(Message::text(message.clone())).await.is_ok() {}
        deaf
    });
    let mut answers = 0;
    until("the end of the deaf session", || server.sessions().count() == 1 || flood.is_finished())
        .await;
    while answers < 5 {
        let next = bystander.next().await;
        assert_ne!(next["type"], "error");
        answers += usize::from(next["type"] == "vlm_response");
    }
    until("the end of the deaf session", || server.sessions().count() == 1).await;
    let mut deaf = live_vlm_tests::within("the deaf client's end", flood).await.unwrap();
    deaf.closed().await;
    let updated = bystander.ask(&json!({"type": "update_prompt", "prompt": "Fine?"})).await;
    assert_eq!(updated["prompt"], "Fine?");
    sender.vanish().await;
    server.stop().await;
}
