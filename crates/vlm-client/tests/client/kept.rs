//! Connections that are kept, and closed by the server in between.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Instant, timeout},
};
use vlm_client::{AnswerEvent, AskHeaders, ChatRequest, Client, Endpoint, Error};

use super::support::question;

const LONG: Duration = Duration::from_secs(20);
const ANSWER: &str = r#"{"choices":[{"message":{"content":"A ball"},"finish_reason":"stop"}]}"#;

/// What the server does with the request of this number, on its connection (both from 0).
enum Deed {
    /// Answers, and keeps the connection.
    Answer,
    /// Reads it and closes the connection.
    Close,
    /// Says that it was too slow, and closes the connection.
    Late,
}

struct Server {
    endpoint: Endpoint,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    closed: mpsc::UnboundedReceiver<()>,
}

impl Server {
    async fn start(deed: impl Fn(usize, usize) -> Deed + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let requests = Arc::new(AtomicUsize::new(0));
        let (tell, closed) = mpsc::unbounded_channel();
        let (opened, asked, deed) =
            (Arc::clone(&connections), Arc::clone(&requests), Arc::new(deed));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let connection = opened.fetch_add(1, Ordering::SeqCst);
                let (asked, deed, tell) = (Arc::clone(&asked), Arc::clone(&deed), tell.clone());
                tokio::spawn(async move {
                    serve(stream, connection, &asked, &*deed).await;
                    let _ = tell.send(());
                });
            }
        });
        Self { endpoint: Endpoint::new(&base, None).unwrap(), connections, requests, closed }
    }

    fn counts(&self) -> (usize, usize) {
        (self.connections.load(Ordering::SeqCst), self.requests.load(Ordering::SeqCst))
    }
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    asked: &AtomicUsize,
    deed: &(dyn Fn(usize, usize) -> Deed + Send + Sync),
) {
    for request in 0.. {
        if !read_request(&mut stream).await {
            return;
        }
        asked.fetch_add(1, Ordering::SeqCst);
        let deed = deed(connection, request);
        let (status, body) = match deed {
            Deed::Answer => ("200 OK", ANSWER),
            Deed::Close => return,
            Deed::Late => ("408 Request Timeout", ""),
        };
        let reply = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(reply.as_bytes()).await.unwrap();
        if !matches!(deed, Deed::Answer) {
            return;
        }
    }
}

/// False when the client has gone.
async fn read_request(stream: &mut TcpStream) -> bool {
    let mut request = Vec::new();
    loop {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return false;
        }
        let text = String::from_utf8_lossy(&request);
        let length = |head: &str| {
            let mut lines = head.lines();
            lines.find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok())
        };
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= length(head).unwrap_or(0)
        {
            return true;
        }
    }
}

async fn ask(client: &Client, endpoint: &Endpoint) -> Result<String, Error> {
    let question = ChatRequest { stream: false, ..question() };
    let mut answer = client.ask(endpoint, &question, &AskHeaders::default(), LONG).await?;
    let mut text = String::new();
    while let Some(event) = answer.next().await {
        if let AnswerEvent::Text(piece) = event? {
            text += &piece;
        }
    }
    Ok(text)
}

#[tokio::test]
async fn a_question_on_a_connection_that_the_server_has_closed_is_asked_on_another() {
    let server = Server::start(|_, request| match request {
        0 => Deed::Answer,
        _ => Deed::Close,
    })
    .await;
    let client = Client::new().unwrap();
    for _ in 0..5 {
        assert_eq!(ask(&client, &server.endpoint).await.as_deref(), Ok("A ball"));
    }
    // Each but the first went out twice: on the kept connection in vain.
    assert_eq!(server.counts(), (5, 9));
}

#[tokio::test]
async fn a_server_that_calls_a_kept_connection_late_is_asked_on_another() {
    let server = Server::start(|_, request| match request {
        0 => Deed::Answer,
        _ => Deed::Late,
    })
    .await;
    let client = Client::new().unwrap();
    for _ in 0..2 {
        assert_eq!(ask(&client, &server.endpoint).await.as_deref(), Ok("A ball"));
    }
    assert_eq!(server.counts(), (2, 3));
}

#[tokio::test]
async fn every_kept_connection_may_be_closed() {
    let server = Server::start(|connection, request| match (connection, request) {
        (0..=3, 1..) => Deed::Close,
        _ => Deed::Answer,
    })
    .await;
    let client = Client::new().unwrap();
    let four = (0..4).map(|_| ask(&client, &server.endpoint));
    let answers = futures_util::future::join_all(four).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let (kept, _) = server.counts();
    assert!(kept > 1, "several connections are kept");
    assert_eq!(ask(&client, &server.endpoint).await.as_deref(), Ok("A ball"));
}

#[tokio::test]
async fn a_server_that_closes_a_new_connection_is_not_asked_again() {
    let server = Server::start(|_, _| Deed::Close).await;
    let error = ask(&Client::new().unwrap(), &server.endpoint).await.unwrap_err();
    assert_eq!(error.kind.name(), "network", "{error}");
    assert_eq!(server.counts(), (1, 1));
}

#[tokio::test]
async fn an_idle_connection_is_closed_before_servers_do_that_wait_five_seconds() {
    let mut server = Server::start(|_, _| Deed::Answer).await;
    let client = Client::new().unwrap();
    ask(&client, &server.endpoint).await.unwrap();
    tokio::time::pause();
    let began = Instant::now();
    timeout(LONG, server.closed.recv()).await.expect("the connection to be closed");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
