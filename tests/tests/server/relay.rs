//! Relays for browsers that do not reach the server by UDP.

use std::net::UdpSocket;

use gst::glib;
use live_vlm_sender::SenderOptions;
use live_vlm_tests::{
    client::{new_id, small_video},
    process::{Process, home},
    relay::Relay,
    server::Server,
    vlm::Vlm,
};
use serde_json::json;

use super::{PROGRAM, asking};

const SECRET: &str = "a-secret-of-relay-and-server";
/// For a program on this host alone, with the stand-in.
const LOCAL: &[&str] = &["--host", "127.0.0.1", "--port", "0", "--no-ssl", "--usage-db", "off"];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_page_is_given_lets_its_video_through_a_relay() {
    // The sender's libnice warns of a relay that has not heard that it is gone.
    glib::log_set_always_fatal(glib::LogLevels::LEVEL_ERROR | glib::LogLevels::LEVEL_CRITICAL);
    let vlm = Vlm::saying(&["llava:7b"], "Relayed.").await;
    let relay = Relay::start(SECRET).await;
    let url = relay.url();
    let turn = ["--turn-server", &url, "--turn-secret", SECRET];
    let server = Server::start(&[&asking(&vlm)[..], &turn].concat()).await;
    let (page, id) = (server.browser().await, new_id());
    let (mut socket, config) = page.open(&id).await;
    let given = &config["ice_servers"][0];
    assert_eq!(given["urls"], json!([url]));
    let text = |field: &str| given[field].as_str().unwrap().to_owned();
    assert!(!config.to_string().contains(SECRET));

    let through = relay.url_for(&text("username"), &text("credential"));
    let options = SenderOptions { relay: Some(through), ..small_video() };
    let sender = page.send(&id, options).await.unwrap();
    assert_eq!(socket.next_of(&["vlm_response"]).await["text"], "Relayed.");
    assert_eq!(relay.allocations().await, 1);
    sender.vanish().await;

    // Each session has a name of its own, and another password lets nobody in.
    let (other, other_id) = (server.browser().await, new_id());
    let (_socket, config) = other.open(&other_id).await;
    assert_ne!(config["ice_servers"][0]["username"], given["username"]);
    let wrong = relay.url_for(&text("username"), "guessed");
    let options = SenderOptions { relay: Some(wrong), ..small_video() };
    assert!(other.send(&other_id, options).await.is_err());
    server.stop().await;
}

#[tokio::test]
async fn without_relays_a_page_is_given_none() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&asking(&vlm)).await;
    let (_socket, config) = server.browser().await.open(&new_id()).await;
    assert_eq!(config["ice_servers"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn a_relay_that_is_of_no_use_to_a_page_is_logged_once_a_minute_with_what_to_look_at() {
    let relays = ["--turn-server", "turn://turn.example", "--turn-secret", SECRET];
    let process = Process::start(PROGRAM, &[LOCAL, &relays].concat());
    let (mut socket, config) = process.browser().await.open(&new_id()).await;
    assert_eq!(config["ice_servers"][0]["urls"], json!(["turn:turn.example:3478"]));
    for (failure, words) in [
        (json!({"why": "silent"}), "no relay answers a page"),
        (json!({"why": "refused", "code": 401}), "refuses the name and password"),
        (json!({"why": "refused", "code": 508}), "its own log says why"),
        (json!({"why": "no_way", "code": null}), "allowed-peer-ip"),
    ] {
        let mut message = failure.clone();
        message["type"] = json!("relay_failed");
        for _ in 0..3 {
            socket.send(&message).await;
        }
        let line = process.logged(words).await;
        let code = failure["code"].as_u64().map(|code| format!("code={code}"));
        assert!(line.contains(" WARN ") && line.contains("turn:turn.example:3478"), "{line}");
        assert!(code.is_none_or(|code| line.contains(&code)), "{line}");
    }
    // All of them were read by now.
    socket.send(&json!({"type": "set_debug", "debug": true})).await;
    socket.next_of(&["debug_updated"]).await;
    assert_eq!(process.log().matches(" WARN ").count(), 4, "{}", process.log());
    assert!(!process.log().contains(SECRET));
}

#[tokio::test]
async fn without_relays_nothing_is_logged_of_them_whatever_a_page_says() {
    let process = Process::start(PROGRAM, LOCAL);
    let (mut socket, _) = process.browser().await.open(&new_id()).await;
    socket.send(&json!({"type": "relay_failed", "why": "silent"})).await;
    socket.send(&json!({"type": "set_debug", "debug": true})).await;
    socket.next_of(&["debug_updated"]).await;
    assert!(!process.log().contains("relay"), "{}", process.log());
}

#[tokio::test]
async fn video_comes_without_the_word_of_a_stun_server_that_is_silent_and_the_log_says_so() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let stun_server = ["--stun-server", &format!("stun:{address}")];
    let process = Process::start(PROGRAM, &[LOCAL, &stun_server].concat());
    let (page, id) = (process.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let sender = page.send_video(&id).await.unwrap();
    socket.next_of(&["vlm_response"]).await;
    let line = process.logged("the STUN server has not answered").await;
    assert!(line.contains(" WARN ") && line.contains(&format!("stun://{address}")), "{line}");
    sender.hang_up().await;
}

#[tokio::test]
async fn video_comes_without_the_word_of_a_stun_server_whose_name_nobody_knows() {
    let stun_server = ["--stun-server", "stun:no-such-host.invalid"];
    // libnice warns of it too.
    let environment = [("G_DEBUG", "")];
    let arguments = [LOCAL, &stun_server].concat();
    let process = Process::start_at(&home(), PROGRAM, &arguments, &environment);
    let (page, id) = (process.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let sender = page.send_video(&id).await.unwrap();
    socket.next_of(&["vlm_response"]).await;
    process.logged("stun://no-such-host.invalid:3478").await;
    sender.hang_up().await;
}
