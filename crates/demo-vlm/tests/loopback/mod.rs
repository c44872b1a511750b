//! What only shows on a real connection.

use std::io;
use std::net::SocketAddr;

use demo_vlm::serve;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;

const HOUR: Duration = Duration::from_secs(60 * 60);

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    done: JoinHandle<io::Result<()>>,
}

impl Server {
    async fn start(options: Options) -> Self {
        let options = Options { port: 0, ..options };
        let listener = options.bind().await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let done = tokio::spawn(serve(listener, options, async {
            let _ = stopped.await;
        }));
        Self { address, stop, done }
    }

    async fn send(&self, more: &Value) -> BufReader<TcpStream> {
        let body = question(more).to_string();
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).await.unwrap();
        BufReader::new(stream)
    }
}

async fn line_with(stream: &mut BufReader<TcpStream>, wanted: &str) -> String {
    let mut line = String::new();
    while !line.contains(wanted) {
        line.clear();
        assert_ne!(stream.read_line(&mut line).await.unwrap(), 0, "ended without {wanted}");
    }
    line
}

/// The second answer could not begin within the hour if the first kept the only slot.
#[tokio::test]
async fn a_client_that_disconnects_while_its_answer_streams_frees_the_slot() {
    let options = Options { latency: HOUR, first_token: Some(Duration::ZERO), ..one_slot() };
    let server = Server::start(options).await;
    let mut first = server.send(&json!({"stream": true})).await;
    line_with(&mut first, "data: ").await;
    drop(first);
    let mut second = server.send(&json!({"stream": true})).await;
    line_with(&mut second, "data: ").await;
}

#[tokio::test]
async fn a_client_that_disconnects_before_its_answer_begins_frees_the_slot() {
    let options = Options { first_token: Some(HOUR), ..one_slot() };
    let server = Server::start(options).await;
    // The stream's head comes once it has the slot, its first token only in an hour.
    let mut first = server.send(&json!({"stream": true})).await;
    line_with(&mut first, "200 OK").await;
    drop(first);
    let mut second = server.send(&json!({"stream": true})).await;
    line_with(&mut second, "200 OK").await;
}

#[tokio::test]
async fn a_client_that_disconnects_while_it_waits_for_a_whole_answer_frees_the_slot() {
    let options = Options { latency: HOUR, ..one_slot() };
    let server = Server::start(options).await;
    let first = server.send(&json!({})).await;
    let mut second = server.send(&json!({"stream": true})).await;
    drop(first);
    line_with(&mut second, "200 OK").await;
}

fn one_slot() -> Options {
    Options { slots: 1, queue: 1, ..Options::default() }
}

#[tokio::test]
async fn a_shutdown_lets_answers_under_way_finish() {
    let options = Options { latency: Duration::from_millis(300), ..one_slot() };
    let server = Server::start(options).await;
    let mut stream = server.send(&json!({"stream": true})).await;
    line_with(&mut stream, "200 OK").await;
    server.stop.send(()).unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(rest.contains("[DONE]"));
    server.done.await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_shutdown_refuses_requests_that_wait() {
    let server = Server::start(Options { latency: HOUR, ..one_slot() }).await;
    let mut answered = server.send(&json!({"stream": true})).await;
    line_with(&mut answered, "200 OK").await;
    // Of these two there is room for one, so once one is refused the other waits.
    let mut one = server.send(&json!({})).await;
    let mut other = server.send(&json!({})).await;
    let (refused, mut waiting) = tokio::select! {
        line = line_with(&mut one, "HTTP/1.1") => (line, other),
        line = line_with(&mut other, "HTTP/1.1") => (line, one),
    };
    assert!(refused.contains("429"), "{refused}");
    server.stop.send(()).unwrap();
    let line = line_with(&mut waiting, "HTTP/1.1").await;
    assert!(line.contains("503"), "{line}");
    drop(answered);
    server.done.await.unwrap().unwrap();
}
