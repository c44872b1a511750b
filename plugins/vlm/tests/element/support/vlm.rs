//! A VLM server that does what the test tells it, question by question.

use std::{
    io,
    net::TcpListener,
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver},
    },
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response, StatusCode},
    routing::{get, post},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tokio::sync::{mpsc as channel, oneshot};

use super::LONG;

/// The server. It ends with the test's process.
pub(crate) struct Vlm {
    base: String,
    asked: Receiver<Asked>,
    list: Arc<Mutex<List>>,
}

/// What it answers to `GET /v1/models`.
struct List {
    models: Value,
    refused: Option<u16>,
}

#[derive(Clone)]
struct Script {
    asked: mpsc::Sender<Asked>,
    list: Arc<Mutex<List>>,
}

/// A question that waits for what the test says to it.
pub(crate) struct Asked {
    pub(crate) body: Value,
    pub(crate) authorization: Option<String>,
    begin: Option<oneshot::Sender<Response<Body>>>,
    pieces: Option<channel::UnboundedSender<io::Result<Bytes>>>,
    hung_up: Receiver<()>,
}

/// Says that the client is gone: it is dropped with the request or with the response's body.
struct Line(mpsc::Sender<()>);

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// The address of a server that does not exist.
pub(crate) fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/v1", listener.local_addr().unwrap())
}

impl Vlm {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let list = List { models: json!({ "data": [] }), refused: None };
        let list = Arc::new(Mutex::new(list));
        let (sender, asked) = mpsc::channel();
        let script = Script { asked: sender, list: Arc::clone(&list) };
        let routes = Router::new()
            .route("/v1/chat/completions", post(completions))
            .route("/v1/models", get(models))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(script);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, routes).await.unwrap();
            });
        });
        Self { base, asked, list }
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The next question.
    pub(crate) fn asked(&self) -> Asked {
        self.asked.recv_timeout(LONG).expect("the VLM should be asked")
    }

    /// Sees to it that every question that came meanwhile was hung up.
    pub(crate) fn hang_up_all(&self) {
        self.asked.try_iter().for_each(Asked::hung_up);
    }

    /// The next question; `None` if none has come for long.
    pub(crate) fn try_asked(&self) -> Option<Asked> {
        self.asked.recv_timeout(LONG).ok()
    }

    /// Whether no question waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.asked.try_recv().is_err()
    }

    /// What it answers to `GET /v1/models`.
    pub(crate) fn list_models(&self, models: Value) {
        self.list.lock().unwrap().models = models;
    }

    /// The status with which it refuses to say; `None` = it says.
    pub(crate) fn refuse_list(&self, status: Option<u16>) {
        self.list.lock().unwrap().refused = status;
    }
}

impl Asked {
    /// Streams a piece of the answer.
    pub(crate) fn say(&mut self, text: &str) {
        self.chunk(&json!({ "choices": [{ "delta": { "content": text } }] }));
    }

    /// Streams a piece of what the model thinks before it answers.
    pub(crate) fn think(&mut self, text: &str) {
        self.chunk(&json!({ "choices": [{ "delta": { "reasoning_content": text } }] }));
    }

    /// Streams two pieces that arrive as one.
    pub(crate) fn say_both(&mut self, one: &str, other: &str) {
        let event = |text| {
            let chunk = json!({ "choices": [{ "delta": { "content": text } }] });
            format!("data: {chunk}\n\n")
        };
        self.send(Ok((event(one) + &event(other)).into()));
    }

    /// Ends the streamed answer.
    pub(crate) fn finish(mut self) {
        self.chunk(&json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] }));
        self.chunk(&json!({
            "choices": [],
            "usage": { "prompt_tokens": 70, "completion_tokens": 3 },
        }));
        self.send(Ok("data: [DONE]\n\n".into()));
    }

    /// Streams the whole answer.
    pub(crate) fn answer(mut self, text: &str) {
        self.say(text);
        self.finish();
    }

    /// Breaks the connection.
    pub(crate) fn cut(mut self) {
        self.send(Err(io::Error::other("cut")));
    }

    /// Answers with a status, headers and a body, and nothing else.
    pub(crate) fn reply(mut self, status: u16, headers: &[(&str, &str)], body: &str) {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let response = response.body(Body::from(body.to_owned())).unwrap();
        self.begin.take().unwrap().send(response).unwrap();
    }

    /// Waits until the client has given the question up.
    pub(crate) fn hung_up(self) {
        self.hung_up.recv_timeout(LONG).expect("the client should hang up");
    }

    /// Whether the client still waits for the answer.
    pub(crate) fn is_open(&self) -> bool {
        self.hung_up.try_recv().is_err()
    }

    pub(crate) fn prompt(&self) -> &str {
        let user = self.body["messages"].as_array().unwrap().last().unwrap();
        user["content"][0]["text"].as_str().unwrap()
    }

    /// The pictures that were sent.
    pub(crate) fn jpegs(&self) -> Vec<Vec<u8>> {
        let user = self.body["messages"].as_array().unwrap().last().unwrap();
        let parts = user["content"].as_array().unwrap().iter();
        parts
            .filter_map(|part| part["image_url"]["url"].as_str())
            .map(|url| {
                let data = url.strip_prefix("data:image/jpeg;base64,").unwrap();
                BASE64_STANDARD.decode(data).unwrap()
            })
            .collect()
    }

    /// Streams an event.
    pub(crate) fn chunk(&mut self, chunk: &Value) {
        self.send(Ok(format!("data: {chunk}\n\n").into()));
    }

    fn send(&mut self, piece: io::Result<Bytes>) {
        if let Some(begin) = self.begin.take() {
            let (sender, receiver) = channel::unbounded_channel();
            let (line, hung_up) = mpsc::channel();
            let body = futures_util::stream::unfold(
                (receiver, Line(line)),
                |(mut receiver, line)| async move {
                    receiver.recv().await.map(|piece| (piece, (receiver, line)))
                },
            );
            let response = Response::builder()
                .header("content-type", "text/event-stream")
                .body(Body::from_stream(body))
                .unwrap();
            let _ = begin.send(response);
            self.pieces = Some(sender);
            self.hung_up = hung_up;
        }
        let _ = self.pieces.as_ref().unwrap().send(piece);
    }
}

async fn models(State(script): State<Script>) -> Response<Body> {
    let list = script.list.lock().unwrap();
    let response = Response::builder().status(list.refused.unwrap_or(200));
    response.body(Body::from(list.models.to_string())).unwrap()
}

async fn completions(
    State(script): State<Script>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response<Body> {
    let (line, hung_up) = mpsc::channel();
    let _line = Line(line);
    let (begin, begun) = oneshot::channel();
    let authorization = headers.get("authorization").map(|it| it.to_str().unwrap().to_owned());
    let asked = Asked { body, authorization, begin: Some(begin), pieces: None, hung_up };
    let _ = script.asked.send(asked);
    begun.await.unwrap_or_else(|_| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Response::builder().status(status).body("the test has left".into()).unwrap()
    })
}
