//! Whatever is sent, the server goes on. Seeded, so that a failure comes again.

use live_vlm_tests::{
    client::{Refused, new_id},
    server::Server,
    vlm::Vlm,
};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

const ROUNDS: usize = 500;
/// Fewer than a connection may send at once.
const PER_CONNECTION: usize = 100;
const SEED: u64 = 0x5eed;

const OFFER: &str = r#"{"sdp":"v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB\r\na=setup:actpass\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendonly\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n","type":"offer","session_id":null}"#;

/// The pinned messages of a client, without the address in one of them: nobody is to be asked.
fn messages() -> Vec<String> {
    let pinned: Value =
        serde_json::from_str(include_str!("../../../web/page/protocol.json")).unwrap();
    let messages = pinned["from_client"].as_array().unwrap();
    messages
        .iter()
        .map(|message| message.to_string().replace("http://192.0.2.7:8000/v1", ""))
        .collect()
}

/// `original` with some of its bytes changed, doubled, cut out or exchanged for what hurts.
fn mutated(random: &mut fastrand::Rng, original: &str) -> Vec<u8> {
    const NASTY: [&[u8]; 10] =
        [b"-1", b"1e999", b"null", b"\"", b"{", b"]", b"\\u0000", b"\xff\xfe", b"\r\n", b"[[[["];
    let mut bytes = original.as_bytes().to_vec();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(0..=bytes.len());
        match random.u8(0..5) {
            0 if at < bytes.len() => bytes[at] = random.u8(..),
            1 => {
                let end = (at + random.usize(0..20)).min(bytes.len());
                bytes.drain(at..end);
            }
            2 => {
                let end = (at + random.usize(0..200)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            3 => bytes.truncate(at),
            _ => {
                let nasty = NASTY[random.usize(0..NASTY.len())];
                bytes.splice(at..at, nasty.iter().copied());
            }
        }
    }
    bytes
}

fn noise(random: &mut fastrand::Rng) -> Vec<u8> {
    let length = random.usize(0..300);
    std::iter::repeat_with(|| random.u8(..)).take(length).collect()
}

#[tokio::test]
async fn random_messages_never_end_a_session_or_the_server() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&["--api-base", vlm.base()]).await;
    let page = server.browser().await;
    let id = new_id();
    let (mut socket, _) = page.open(&id).await;
    let mut random = fastrand::Rng::with_seed(SEED);
    let messages = messages();
    for round in 0..ROUNDS {
        if round % PER_CONNECTION == 0 {
            (socket, _) = page.open(&id).await;
        }
        let bytes = match round % 4 {
            0 => noise(&mut random),
            _ => {
                let original = random.usize(0..messages.len());
                mutated(&mut random, &messages[original])
            }
        };
        // As text where it is one: what is not UTF-8 must not be sent as text (RFC 6455).
        let message = match String::from_utf8(bytes) {
            Ok(text) => Message::text(text),
            Err(bytes) => Message::binary(bytes.into_bytes()),
        };
        socket.send_raw(message).await;
        if round % 20 == 0 {
            // Also reads, so that answers do not pile up.
            socket.so_far().await;
        }
    }
    socket.so_far().await;
    assert_eq!(server.sessions().count(), 1);
    server.stop().await;
}

#[tokio::test]
async fn random_offers_never_end_the_server() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&["--api-base", vlm.base()]).await;
    let (mut bystander, _) = server.browser().await.open(&new_id()).await;
    let page = server.browser().await;
    let mut random = fastrand::Rng::with_seed(SEED);
    for round in 0..ROUNDS {
        let bytes = match round % 4 {
            0 => noise(&mut random),
            _ => mutated(&mut random, OFFER),
        };
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let response = page.post("/offer", bytes).await;
        let status = response.status().as_u16();
        if status == 200 {
            // A change that does no harm. The video is not waited for: its session takes the
            // offer's place until it gives the peer up, so it is made to hang up at once.
            let answer: Value = response.json().await.unwrap();
            let id = answer["session_id"].as_str().unwrap();
            let (socket, _) = page.open(id).await;
            let mut socket = socket;
            socket.send(&serde_json::json!({"type": "hang_up"})).await;
            socket.close().await;
            continue;
        }
        let refused = Refused::of(response).await;
        // Never our fault.
        assert!((400..500).contains(&status), "{refused:?}: {shown}");
        assert_eq!(refused.body["type"], "error", "{refused:?}: {shown}");
    }
    assert_eq!(bystander.so_far().await, [] as [Value; 0]);
    let gone = || server.sessions().count() == 1;
    live_vlm_tests::until("the end of every other session", gone).await;
    server.stop().await;
}
