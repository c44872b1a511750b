//! Limits: what is refused, with which words, and that it ends when there is room again.

use live_vlm_tests::{
    client::{Client, Refused, new_id},
    process::Process,
    server::Server,
    socket::Socket,
    until,
    vlm::Vlm,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::PROGRAM;

const METRICS: &str = "a-token-of-this-test-alone";

/// A limit's refusal says which, how much, and when to try again: in the body and in the header.
fn is_refusal(refused: &Refused, limit: &str, value: u64) {
    assert_eq!(refused.status, 429, "{refused:?}");
    assert_eq!(refused.body["code"], "limit_reached", "{refused:?}");
    assert_eq!((&refused.body["limit"], &refused.body["value"]), (&json!(limit), &json!(value)));
    assert!(refused.body["message"].as_str().unwrap().contains(&value.to_string()));
    let seconds = refused.body["retry_after_s"].as_f64().unwrap();
    let header: f64 = refused.retry_after.as_deref().unwrap().parse().unwrap();
    assert!(seconds > 0.0 && header >= seconds, "{refused:?}");
}

fn offer() -> Value {
    json!({"sdp": "v=0", "type": "offer"})
}

#[tokio::test]
async fn a_user_has_as_many_sessions_as_they_may_and_nobody_else_notices() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&["--api-base", vlm.base(), "--sessions-per-user", "2"]).await;
    let (page, other) = (server.browser().await, server.browser().await);
    let first_id = new_id();
    let (mut first, _) = page.open(&first_id).await;
    let (second, _) = page.open(&new_id()).await;
    is_refusal(&page.try_open(None).await.unwrap_err(), "sessions_per_user", 2);
    is_refusal(&page.offer(&offer()).await.unwrap_err(), "sessions_per_user", 2);
    // Those that there are can be reached, and others have theirs.
    assert_eq!(first.so_far().await, [] as [Value; 0]);
    page.open(&first_id).await;
    other.open(&new_id()).await;
    server.script().open(&new_id()).await;
    second.close().await;
    until("the session's end", || server.sessions().count() < 4).await;
    page.open(&new_id()).await;
    server.stop().await;
}

#[tokio::test]
async fn an_address_has_as_many_sockets_as_it_may_whoever_they_are() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let arguments = ["--api-base", vlm.base(), "--connections-per-address", "3"];
    let server = Server::start(&arguments).await;
    let mut sockets = Vec::new();
    for _ in 0..3 {
        sockets.push(server.browser().await.open(&new_id()).await.0);
    }
    let page = server.browser().await;
    is_refusal(&page.try_open(None).await.unwrap_err(), "connections_per_address", 3);
    // The refused one opened no session, and what is no WebSocket is served.
    assert_eq!(server.sessions().count(), 3);
    assert!(page.get("/models").await.status().is_success());
    sockets.pop().unwrap().close().await;
    until("room for one more", || server.sessions().count() < 3).await;
    let (mut socket, _) = loop_until_open(&page).await;
    assert_eq!(socket.so_far().await, [] as [Value; 0]);
    server.stop().await;
}

/// A connection is free for another shortly after its session.
async fn loop_until_open(page: &Client) -> (Socket, Value) {
    let id = new_id();
    live_vlm_tests::within("a socket", async {
        loop {
            match page.try_open(Some(&id)).await {
                Ok(mut socket) => {
                    let config = socket.greeting().await;
                    return (socket, config);
                }
                Err(refused) => assert_eq!(refused.status, 429),
            }
        }
    })
    .await
}

#[tokio::test]
async fn inventing_cookies_gives_no_more_sessions_than_an_address_may_have() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let arguments = ["--api-base", vlm.base(), "--connections-per-address", "3"];
    let server = Server::start(&arguments).await;
    let mut senders = Vec::new();
    for n in 0..3_u8 {
        let browser = server.script().with_cookie(&format!("live_vlm={:032x}", n));
        senders.push(browser.send_video(&new_id()).await.unwrap());
    }
    let another = server.script().with_cookie("live_vlm=0123456789abcdef0123456789abcdef");
    let refused = another.offer(&offer()).await.unwrap_err();
    is_refusal(&refused, "connections_per_address", 3);
    for sender in senders {
        sender.hang_up().await;
    }
    until("the sessions' end", || server.sessions().count() == 0).await;
    assert_eq!(another.offer(&offer()).await.unwrap_err().about(), ("no_video", "sdp"));
    server.stop().await;
}

/// Offers that are refused for no other reason than the offer, until there have been too many.
async fn offers_before_the_limit(client: &Client) -> (u32, Refused) {
    for offers in 0..100 {
        let refused = client.offer(&json!({"type": "offer", "sdp": "v=0"})).await.unwrap_err();
        if refused.status != 400 {
            return (offers, refused);
        }
    }
    panic!("there is no limit")
}

#[tokio::test]
async fn a_user_may_offer_so_often_on_whatever_device_and_nobody_else_notices() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let keys = super::sign_in::Keys::new();
    let (ada, eve) = (keys.add("ada", &[]).await, keys.add("eve", &[]).await);
    let file = keys.file();
    // One a minute: no time passes here.
    let limits = ["--sessions-per-user", "2", "--offers-per-minute", "1"];
    let arguments = ["--api-base", vlm.base(), "--keys-file", &file, "--metrics-token", METRICS];
    let server = Server::start(&[&arguments[..], &limits].concat()).await;
    let script = server.script().with_bearer(&eve.key);
    let browser = server.browser().await.sign_in(&eve.key).await.unwrap();
    let (offers, refused) = offers_before_the_limit(&script).await;
    assert_eq!(offers, 10);
    is_refusal(&refused, "offers_per_minute", 1);
    let (offers, refused) = offers_before_the_limit(&browser).await;
    assert_eq!(offers, 0);
    is_refusal(&refused, "offers_per_minute", 1);
    // What is refused was not even looked at, and is counted for whoever operates the server.
    let body = script.post("/offer", "{").await;
    is_refusal(&Refused::of(body).await, "offers_per_minute", 1);
    let metrics = server.script().with_bearer(METRICS).get("/metrics").await.text().await.unwrap();
    let line = "live_vlm_limits_reached_total{limit=\"offers_per_minute\"} 3\n";
    assert!(metrics.contains(line), "{metrics}");

    let ada = server.script().with_bearer(&ada.key);
    let sender = ada.send_video(&new_id()).await.unwrap();
    assert_eq!(script.get("/models").await.status(), 200);
    sender.hang_up().await;
    server.stop().await;
}

#[tokio::test]
async fn inventing_cookies_gives_no_more_offers() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let limits = ["--connections-per-address", "2", "--offers-per-minute", "1"];
    let server = Server::start(&[&["--api-base", vlm.base()][..], &limits].concat()).await;
    assert_eq!(offers_before_the_limit(&server.browser().await).await.0, 10);
    for client in [server.browser().await, server.script()] {
        let (offers, refused) = offers_before_the_limit(&client).await;
        assert_eq!(offers, 0);
        is_refusal(&refused, "offers_per_minute", 1);
    }
    server.stop().await;
}

/// The same words whichever limit it is, over HTTP and to a page.
#[tokio::test]
async fn every_limit_on_sessions_and_sockets_is_told_in_both_ways() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    for (flag, limit) in [
        ("--max-sessions", "max_sessions"),
        ("--sessions-per-user", "sessions_per_user"),
        ("--connections-per-address", "connections_per_address"),
    ] {
        let server = Server::start(&["--api-base", vlm.base(), flag, "1"]).await;
        let page = server.browser().await;
        let (_first, _) = page.open(&new_id()).await;
        is_refusal(&page.try_open(None).await.unwrap_err(), limit, 1);
        let own = format!("http://{}", server.address());
        let told = page.with_header("origin", own.leak()).try_open(None).await;
        let mut told = told.expect("a page's socket is opened to tell it why");
        let error = told.next().await;
        assert_eq!((&error["limit"], &error["value"]), (&json!(limit), &json!(1)), "{error}");
        assert!(error["retry_after_s"].as_f64().unwrap() > 0.0, "{error}");
        assert_eq!(told.closed().await.expect("a close frame").code, CloseCode::Again);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_page_is_told_in_a_message_as_browsers_hide_the_status() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&["--api-base", vlm.base(), "--max-sessions", "1"]).await;
    let own = format!("http://{}", server.address());
    let url = format!("ws://{}/ws", server.address());
    let (_first, _) = server.browser().await.open(&new_id()).await;
    let mut socket = Socket::open(&url, None, Some(&own)).await.unwrap();
    let error = socket.next().await;
    let expected = [
        ("type", json!("error")),
        ("code", json!("limit_reached")),
        ("limit", json!("max_sessions")),
        ("value", json!(1)),
        ("retry_after_s", json!(10.0)),
    ];
    for (field, value) in expected {
        assert_eq!(error[field], value, "{error}");
    }
    assert_eq!(socket.closed().await.expect("a close frame").code, CloseCode::Again);
    assert_eq!(server.sessions().count(), 1);
    server.stop().await;
}

#[tokio::test]
async fn zero_switches_a_limit_off() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let arguments = ["--api-base", vlm.base(), "--max-sessions", "0"];
    let server = Server::start(&arguments).await;
    let page = server.browser().await;
    let mut sockets = Vec::new();
    for _ in 0..30 {
        sockets.push(page.open(&new_id()).await.0);
    }
    assert_eq!(server.sessions().count(), 30);
    server.stop().await;
}

#[tokio::test]
async fn nothing_is_left_behind_by_those_who_left() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let arguments = ["--connections-per-address", "100", "--sessions-per-user", "100"];
    let server = Server::start(&[&arguments[..], &["--api-base", vlm.base()]].concat()).await;
    let mut sockets = Vec::new();
    for _ in 0..10 {
        sockets.push(server.browser().await.open(&new_id()).await.0);
    }
    assert!(!server.limits().is_unused());
    for socket in sockets {
        socket.close().await;
    }
    until("every place to be free", || server.limits().is_unused()).await;
    server.stop().await;
}

#[tokio::test]
async fn a_thousand_connections_of_one_address_are_cut_down_and_said_once() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let arguments = ["--host", "127.0.0.1", "--port", "0", "--no-ssl", "--api-base", vlm.base()];
    let process = Process::start(PROGRAM, &arguments);
    let at = process.address("http").await.replacen("http://", "", 1);
    let mut connections = Vec::new();
    for _ in 0..1000 {
        connections.push(TcpStream::connect(&at).await.unwrap());
    }
    // Those over the bound are closed at once; the others wait for a request.
    let mut cut = 0;
    for mut connection in connections.split_off(128) {
        let mut byte = [0];
        let read = live_vlm_tests::within("the end of a connection", connection.read(&mut byte));
        cut += usize::from(!matches!(read.await, Ok(1..)));
    }
    assert_eq!(cut, 872);
    process.logged("too many of this address").await;
    // With room again, everything is as before.
    drop(connections);
    live_vlm_tests::within("an answer", async { while !is_answered(&at).await {} }).await;
    // Whoever makes room and takes it again, and again, is not told of each time.
    for _ in 0..3 {
        let mut connections = Vec::new();
        for _ in 0..300 {
            connections.push(TcpStream::connect(&at).await.unwrap());
        }
        let mut byte = [0];
        let refused = connections.last_mut().unwrap().read(&mut byte);
        let read = live_vlm_tests::within("the end of a connection", refused).await;
        assert!(!matches!(read, Ok(1..)));
        drop(connections);
        live_vlm_tests::within("an answer", async { while !is_answered(&at).await {} }).await;
    }
    process.signal("TERM").await;
    let ended = process.ended().await;
    assert!(ended.status.success());
    assert_eq!(ended.stderr.matches("too many of this address").count(), 1, "{}", ended.stderr);
}

async fn is_answered(at: &str) -> bool {
    let mut connection = TcpStream::connect(at).await.unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    // One that is refused ends before or while it is written to.
    let _ = connection.write_all(request).await;
    let _ = connection.read_to_string(&mut answer).await;
    answer.starts_with("HTTP/1.1 200 OK")
}
