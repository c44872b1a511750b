//! VLM servers that do harm: each is cut off after a bounded number of bytes and a bounded time,
//! with an error that says why. What is counted is what the server could send, not what we keep.

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};
use vlm_client::{AnswerEvent, Client, Endpoint, Error};

use super::support::ask;

const LONG: Duration = Duration::from_secs(60);
/// What sockets of both sides hold at the most.
const IN_FLIGHT: usize = 12 << 20;
const GIGABYTE: usize = 1 << 30;

/// A server that sends `head` and then `piece` over and over until it is cut off or has sent a
/// gigabyte.
struct Flood {
    endpoint: Endpoint,
    sent: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Flood {
    async fn of(head: &str, piece: impl Into<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let (head, piece) = (head.as_bytes().to_vec(), piece.into());
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let task = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(&head).await.unwrap();
            // Fewer and larger writes make it no less of a flood.
            let block = piece.repeat((64 << 10) / piece.len().max(1) + 1);
            while count.load(Ordering::Relaxed) < GIGABYTE {
                let at = count.load(Ordering::Relaxed) % block.len();
                match stream.write(&block[at..]).await {
                    Ok(written) if written > 0 => count.fetch_add(written, Ordering::Relaxed),
                    _ => break,
                };
            }
        });
        Self { endpoint: Endpoint::new(&base, None).unwrap(), sent, task }
    }

    /// The error with which a question ends, and that the server was cut off after `most` bytes.
    async fn cut_off_after(self, most: usize) -> Error {
        let error = ask(&self.endpoint, LONG).await.unwrap_err();
        tokio::time::timeout(LONG, self.task).await.expect("an end of the flood").unwrap();
        let sent = self.sent.load(Ordering::Relaxed);
        assert!(sent <= most + IN_FLIGHT, "{sent} bytes went through: {error}");
        error
    }
}

const WHOLE: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

#[tokio::test]
async fn a_gigabyte_is_not_read() {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {GIGABYTE}\r\n\r\n");
    for head in [WHOLE, &head] {
        let error = Flood::of(head, [b'x'; 1024]).await.cut_off_after(2 << 20).await;
        assert_eq!(error.kind.name(), "protocol", "{error}");
        assert!(error.to_string().contains("larger than 2097152 bytes"), "{error}");
    }
}

#[tokio::test]
async fn a_gigabyte_of_error_or_of_models_is_not_read() {
    let refusal = "HTTP/1.1 500 Internal Server Error\r\n\r\n";
    let error = Flood::of(refusal, [b'x'; 1024]).await.cut_off_after(16 << 10).await;
    assert_eq!(error.kind.name(), "server");

    let flood = Flood::of(WHOLE, [b'['; 1024]).await;
    let error = Client::new().unwrap().models(&flood.endpoint, LONG).await.unwrap_err();
    assert_eq!(error.kind.name(), "protocol", "{error}");
    tokio::time::timeout(LONG, flood.task).await.unwrap().unwrap();
    assert!(flood.sent.load(Ordering::Relaxed) <= (2 << 20) + IN_FLIGHT);
}

#[tokio::test]
async fn a_line_without_an_end_is_not_read_on() {
    for (piece, most) in [("data: x", 1 << 20), (":", 1 << 20), ("x", 2 << 20)] {
        let error = Flood::of(STREAM, piece).await.cut_off_after(most).await;
        assert_eq!(error.kind.name(), "protocol", "{error}");
        assert!(error.to_string().contains(&format!("larger than {most} bytes")), "{error}");
    }
}

#[tokio::test]
async fn an_event_without_an_end_is_not_read_on() {
    // Lines that are no JSON are events of their own.
    for (piece, most) in
        [("data: {123456789abcdef\n", 2 << 20), ("data: 0123456789abcdef\n", 16 << 20)]
    {
        let error = Flood::of(STREAM, piece).await.cut_off_after(most).await;
        assert_eq!(error.kind.name(), "protocol", "{error}");
    }
}

#[tokio::test]
async fn a_stream_that_says_nothing_for_ever_is_ended() {
    for piece in [": ping\n\n", "\r\n", "data: {}\n\n", "data: {\"choices\":[{}]}\n\n"] {
        let error = Flood::of(STREAM, piece).await.cut_off_after(16 << 20).await;
        assert_eq!(error.kind.name(), "protocol", "{piece:?}: {error}");
    }
}

#[tokio::test]
async fn a_head_without_an_end_is_not_read_on() {
    let head = "HTTP/1.1 200 OK\r\n";
    for piece in ["x-header: 0123456789abcdef\r\n".to_owned(), "x".repeat(1024)] {
        let error = Flood::of(head, piece).await.cut_off_after(1 << 20).await;
        assert_eq!(error.kind.name(), "network", "{error}");
    }
    // The body's pieces have heads, too.
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;";
    let error = Flood::of(chunked, [b'x'; 1024]).await.cut_off_after(1 << 20).await;
    assert_eq!(error.kind.name(), "cut", "{error}");
}

#[tokio::test]
async fn interim_answers_without_an_end_run_out_of_time() {
    let flood = Flood::of("", "HTTP/1.1 102 Processing\r\n\r\n").await;
    let short = Duration::from_millis(300);
    let error = ask(&flood.endpoint, short).await.unwrap_err();
    assert!(matches!(error.kind.name(), "timeout" | "network"), "{error}");
    tokio::time::timeout(LONG, flood.task).await.expect("an end of the flood").unwrap();
}

/// Answers one connection with `reply`, its body a byte at a time if there is a pause, and holds it.
async fn holding(reply: Vec<u8>, pause: Duration) -> (Endpoint, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        let body = reply.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        let at_once = if pause.is_zero() { reply.len() } else { body };
        stream.write_all(&reply[..at_once]).await.unwrap();
        for byte in reply[at_once..].chunks(1) {
            tokio::time::sleep(pause).await;
            if stream.write_all(byte).await.is_err() {
                return;
            }
        }
        // Until we hang up.
        while stream.read(&mut request).await.is_ok_and(|read| read > 0) {}
    });
    (Endpoint::new(&base, None).unwrap(), task)
}

#[tokio::test]
async fn a_byte_now_and_then_does_not_prolong_a_question() {
    let short = Duration::from_millis(500);
    let event = "data: {\"choices\":[{\"delta\":{\"content\":\"A\"}}]}\n\n";
    for reply in [STREAM.to_owned() + &event.repeat(100), WHOLE.to_owned() + &" ".repeat(10_000)] {
        let (endpoint, server) = holding(reply.into_bytes(), Duration::from_millis(20)).await;
        let error = ask(&endpoint, short).await.unwrap_err();
        assert_eq!(error.kind.name(), "timeout", "{error}");
        tokio::time::timeout(LONG, server).await.expect("a hang-up").unwrap();
    }
}

#[tokio::test]
async fn json_that_lies_is_no_answer() {
    let nested = "[".repeat(500_000);
    let objects = "{\"a\":".repeat(150_000);
    let many = format!("{{\"choices\":[{}{{}}]}}", "{},".repeat(100_000));
    let parts = format!("{{\"choices\":[{{\"message\":{{\"content\":{nested}");
    let common = [
        nested.as_str(),
        &objects,
        &parts,
        "{\"choices\":7}",
        "null",
        "\u{0}",
        "{\"choices\":[7]}",
        "{\"choices\":[{\"delta\":{\"content\":{\"a\":1}}}]}",
        "{\"usage\":7}",
    ];
    let whole = [many.as_str(), "{}", "{\"choices\":[{\"message\":{\"content\":{\"a\":1}}}]}"];
    let bodies = common
        .iter()
        .chain(&whole)
        .map(|body| (body, WHOLE.replace("\r\n\r\n", &length(body.len())) + body));
    let events = common
        .iter()
        .map(|body| (body, format!("data: {body}\n\n")))
        .map(|(body, event)| (body, STREAM.replace("\r\n\r\n", &length(event.len())) + &event));
    for (body, reply) in bodies.chain(events) {
        let (endpoint, _) = holding(reply.into_bytes(), Duration::ZERO).await;
        let error = ask(&endpoint, LONG).await.unwrap_err();
        let kinds = ["protocol", "empty", "cut"];
        assert!(kinds.contains(&error.kind.name()), "{body:.60}: {error}");
        assert!(error.to_string().len() < 1000, "{error}");
    }
}

fn length(bytes: usize) -> String {
    format!("\r\ncontent-length: {bytes}\r\n\r\n")
}

#[tokio::test]
async fn what_a_server_says_of_its_answer_is_cut_to_what_can_be_true() {
    let long = "x".repeat(100_000);
    let all = u64::MAX;
    let event = format!(
        "{{\"model\":\"{long}\",\"choices\":[{{\"delta\":{{\"content\":\"a\\u0000b\"}},\
         \"finish_reason\":\"{long}\"}}],\
         \"usage\":{{\"prompt_tokens\":{all},\"completion_tokens\":{all}}}}}"
    );
    let reply = format!("{STREAM}data: {event}\n\ndata: [DONE]\n\n");
    let (endpoint, _) = holding(reply.into_bytes(), Duration::ZERO).await;
    let events = ask(&endpoint, LONG).await.unwrap();
    assert_eq!(events[0], AnswerEvent::Text("a\u{FFFD}b".into()));
    let AnswerEvent::Done(summary) = &events[1] else { panic!("{events:?}") };
    assert_eq!((summary.finish_reason.len(), summary.model.as_ref().unwrap().len()), (256, 256));
    // A session's sums must not overflow.
    assert!(summary.usage.unwrap().completion_tokens < u64::MAX / 1_000_000);
}

#[tokio::test]
async fn text_that_is_not_utf8_is_replaced() {
    let event =
        b"data: {\"choices\":[{\"delta\":{\"content\":\"a\xff\xfe\"}}]}\n\ndata: [DONE]\n\n";
    let (endpoint, _) = holding([STREAM.as_bytes(), event].concat(), Duration::ZERO).await;
    let events = ask(&endpoint, LONG).await.unwrap();
    assert_eq!(events[0], AnswerEvent::Text("a\u{FFFD}\u{FFFD}".into()));
    let whole = WHOLE.replace("\r\n\r\n", &length(2));
    let (endpoint, _) = holding([whole.as_bytes(), b"\xff\xfe"].concat(), Duration::ZERO).await;
    assert_eq!(ask(&endpoint, LONG).await.unwrap_err().kind.name(), "protocol");
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text).unwrap();
    gzip.finish().unwrap()
}

#[tokio::test]
async fn what_is_compressed_is_as_large_as_what_comes_out() {
    // A megabyte of it becomes a gigabyte.
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 128 << 10);
    for head in [WHOLE, STREAM] {
        let reply = [head.as_bytes(), &bomb].concat();
        let (endpoint, _) = holding(reply, Duration::ZERO).await;
        let error = ask(&endpoint, LONG).await.unwrap_err();
        assert_eq!(error.kind.name(), "protocol", "{error}");
        assert!(error.to_string().contains("larger than 2097152 bytes"), "{error}");
        let reply = [head.as_bytes(), &gzip(&b": ping\n\n".repeat(8 << 20))].concat();
        let (endpoint, _) = holding(reply, Duration::ZERO).await;
        let error = ask(&endpoint, LONG).await.unwrap_err();
        assert!(error.to_string().contains("larger than 16777216 bytes"), "{error}");
        let reply = [head.as_bytes(), &bomb].concat();
        let (endpoint, _) = holding(reply, Duration::ZERO).await;
        let error = Client::new().unwrap().models(&endpoint, LONG).await.unwrap_err();
        assert!(error.to_string().contains("larger than 2097152 bytes"), "{error}");
    }
}

#[tokio::test]
async fn what_is_compressed_badly_is_a_protocol_error() {
    let body = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xff\xff\xff\xff";
    let head = WHOLE.replace("\r\n\r\n", &length(body.len()));
    let (endpoint, _) = holding([head.as_bytes(), body].concat(), Duration::ZERO).await;
    let error = ask(&endpoint, LONG).await.unwrap_err();
    assert_eq!(error.kind.name(), "protocol", "{error}");
    assert!(error.to_string().contains("cannot be unpacked"), "{error}");
}

#[tokio::test]
async fn a_length_that_lies_is_an_error() {
    let body = "{\"choices\":[{\"message\":{\"content\":\"A\"}}]}";
    let ask_with = async |claimed| {
        let whole = WHOLE.replace("\r\n\r\n", &length(claimed)) + body;
        let (endpoint, _) = holding(whole.into_bytes(), Duration::ZERO).await;
        ask(&endpoint, Duration::from_millis(500)).await
    };
    assert_eq!(ask_with(body.len() - 10).await.unwrap_err().kind.name(), "protocol");
    // What is complete is an answer, although more was promised.
    let events = ask_with(body.len() + 10).await.unwrap();
    assert_eq!(events[0], AnswerEvent::Text("A".into()));
    let huge = WHOLE.replace("\r\n\r\n", "\r\ncontent-length: 99999999999999999999\r\n\r\n");
    let (endpoint, _) = holding(huge.into_bytes(), Duration::ZERO).await;
    assert_eq!(ask(&endpoint, LONG).await.unwrap_err().kind.name(), "network");
}
