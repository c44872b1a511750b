//! Nothing of one session reaches another.

use std::time::Duration;

use live_vlm::times::Times;
use live_vlm_tests::{
    client::{new_id, video},
    server::Server,
    until,
    vlm::{Asked, Reply, Vlm},
};
use serde_json::{Value, json};

use super::asking;

/// Answers with what was asked, of whom, so that every answer shows whose it is.
async fn echo() -> Vlm {
    Vlm::start(&["red-vl", "blue-vl"], |asked: &Asked| {
        Reply::Text(format!("{} says {}", asked.model(), asked.prompt()))
    })
    .await
}

fn mentions(messages: &[Value], word: &str) -> bool {
    messages.iter().any(|message| message.to_string().contains(word))
}

#[tokio::test]
async fn each_session_gets_its_own_answers_only() {
    let vlm = echo().await;
    let server = Server::start(&asking(&vlm)).await;
    let mut viewers = Vec::new();
    for colour in ["red", "blue"] {
        let page = server.browser().await;
        let id = new_id();
        let (mut socket, _) = page.open(&id).await;
        let model = json!({"type": "update_model", "model": format!("{colour}-vl")});
        socket.ask(&model).await;
        let prompt = json!({"type": "update_prompt", "prompt": format!("What is {colour}?")});
        socket.ask(&prompt).await;
        let source = format!("videotestsrc is-live=true pattern={colour}");
        let sender = page.send(&id, video(&source)).await.unwrap();
        viewers.push((colour, socket, sender));
    }
    let mut seen = Vec::new();
    for (colour, socket, _) in &mut viewers {
        let mut messages = Vec::new();
        let mut answers = 0;
        while answers < 5 {
            let message = socket.next().await;
            if message["type"] == "vlm_response" {
                assert_eq!(message["text"], format!("{colour}-vl says What is {colour}?"));
                assert_eq!(message["metrics"]["total_inferences"], answers + 1);
                answers += 1;
            }
            messages.push(message);
        }
        seen.push(messages);
    }
    for (messages, other) in seen.iter().zip(["blue", "red"]) {
        assert!(!mentions(messages, other), "{messages:?}");
    }
    for (_, mut socket, sender) in viewers {
        assert!(socket.so_far().await.iter().all(|message| message["type"] != "error"));
        sender.vanish().await;
    }
    server.stop().await;
}

#[tokio::test]
async fn settings_of_one_session_change_nothing_of_another() {
    let vlm = echo().await;
    let server = Server::start(&asking(&vlm)).await;
    let (page, other) = (server.browser().await, server.browser().await);
    let other_id = new_id();
    let (mut bystander, before) = other.open(&other_id).await;
    let id = new_id();
    let (mut socket, _) = page.open(&id).await;
    let elsewhere = Vlm::saying(&["green-vl"], "Green.").await;
    for message in [
        json!({"type": "update_prompt", "prompt": "Secret?", "max_tokens": 5,
               "system_prompt": "Secret."}),
        json!({"type": "update_model", "model": "green-vl", "api_base": elsewhere.base(),
               "api_key": "sk-mine"}),
        json!({"type": "update_processing", "interval": 5.0}),
        json!({"type": "update_max_latency", "max_latency": 3}),
        json!({"type": "set_debug", "debug": true}),
    ] {
        assert_ne!(socket.ask(&message).await["type"], "error", "{message}");
    }
    assert_eq!(bystander.so_far().await, [] as [Value; 0]);
    assert_eq!(other.settings(&other_id).await, before);
    // A session that begins later begins with the server's settings too.
    let mut fresh = server.browser().await.settings(&new_id()).await;
    fresh["session_id"] = before["session_id"].clone();
    assert_eq!(fresh, before);
    server.stop().await;
}

#[tokio::test]
async fn one_that_hangs_up_leaves_the_other_and_can_begin_anew() {
    let vlm = echo().await;
    let server = Server::start(&asking(&vlm)).await;
    let (page, id) = (server.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let sender = page.send_video(&id).await.unwrap();
    let (other, other_id) = (server.browser().await, new_id());
    let (mut bystander, _) = other.open(&other_id).await;
    let others = other.send_video(&other_id).await.unwrap();
    socket.next_of(&["vlm_response"]).await;
    bystander.next_of(&["vlm_response"]).await;

    socket.send(&json!({"type": "hang_up"})).await;
    while socket.next_of(&["status"]).await["status"] != "Stopped" {}
    bystander.so_far().await;
    let next = bystander.next_of(&["vlm_response", "status", "vlm_error"]).await;
    assert_eq!(next["type"], "vlm_response");
    // Nothing more comes of a video that was hung up, and a new one is welcome.
    assert_eq!(socket.so_far().await, [] as [Value; 0]);
    sender.vanish().await;
    let again = page.send_video(&id).await.unwrap();
    socket.next_of(&["vlm_response"]).await;
    again.vanish().await;
    others.vanish().await;
    server.stop().await;
}

#[tokio::test]
async fn a_session_without_socket_and_video_is_freed_and_its_id_can_be_used_again() {
    let vlm = echo().await;
    let times = Times { grace: Duration::from_millis(50), ..Times::default() };
    let server = Server::start_with_times(&asking(&vlm), times).await;
    let (other, other_id) = (server.browser().await, new_id());
    let (mut bystander, _) = other.open(&other_id).await;
    let (page, id) = (server.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let sender = page.send_video(&id).await.unwrap();
    socket.ask(&json!({"type": "update_prompt", "prompt": "Mine?"})).await;
    vlm.asked(|asked| asked.prompt().contains("Mine?")).await;
    assert_eq!(server.sessions().count(), 2);
    sender.hang_up().await;
    socket.close().await;
    until("the session's end", || server.sessions().count() == 1).await;

    // Whoever brings the id now owns a session that knows nothing of the one before.
    let stranger = server.browser().await;
    let config = stranger.settings(&id).await;
    assert_ne!(config["prompt"], "Mine?");
    assert_eq!(page.try_open(Some(&id)).await.unwrap_err().status, 403);
    assert_eq!(bystander.so_far().await, [] as [Value; 0]);
    server.stop().await;
}
