//! A VLM server that does what the test tells it, question by question.

use std::{
    io,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::Response,
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::AbortHandle,
};
use vlm_client::Endpoint;

use crate::soon;

pub(crate) struct Vlm {
    pub(crate) endpoint: Endpoint,
    asked: mpsc::UnboundedReceiver<Asked>,
    script: Script,
    server: AbortHandle,
}

#[derive(Clone)]
struct Script {
    asked: mpsc::UnboundedSender<Asked>,
    /// The models that it lists, and how often it did.
    list: Arc<Mutex<(Vec<&'static str>, usize)>>,
}

/// A question that waits for what the test says to it.
pub(crate) struct Asked {
    pub(crate) body: Value,
    begin: Option<oneshot::Sender<Response<Body>>>,
    pieces: Option<mpsc::UnboundedSender<io::Result<Bytes>>>,
}

impl Drop for Vlm {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Vlm {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let (sender, asked) = mpsc::unbounded_channel();
        let script = Script { asked: sender, list: Arc::default() };
        let routes = Router::new()
            .route("/v1/chat/completions", post(completions))
            .route("/v1/models", get(models))
            .with_state(script.clone());
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let endpoint = Endpoint::new(&base, None).unwrap();
        Self { endpoint, asked, script, server: server.abort_handle() }
    }

    /// The next question.
    pub(crate) async fn asked(&mut self) -> Asked {
        soon(self.asked.recv()).await.unwrap()
    }

    /// Whether no question waits.
    pub(crate) fn is_idle(&mut self) -> bool {
        self.asked.try_recv().is_err()
    }

    pub(crate) fn list_models(&self, models: &[&'static str]) {
        self.script.list.lock().unwrap().0 = models.to_vec();
    }

    /// How often it was asked for its models.
    pub(crate) fn listed(&self) -> usize {
        self.script.list.lock().unwrap().1
    }
}

impl Asked {
    /// Streams a piece of the answer.
    pub(crate) fn say(&mut self, text: &str) {
        self.chunk(&json!({ "choices": [{ "delta": { "content": text } }] }));
    }

    /// Streams the whole answer.
    pub(crate) fn answer(mut self, text: &str) {
        self.say(text);
        self.chunk(&json!({
            "choices": [{ "delta": {}, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": 70, "completion_tokens": 3 },
        }));
        self.send(Ok("data: [DONE]\n\n".into()));
    }

    /// Breaks the connection.
    pub(crate) fn cut(mut self) {
        self.send(Err(io::Error::other("cut")));
    }

    /// Answers with a status and a body, and nothing else.
    pub(crate) fn reply(mut self, status: u16, body: &str) {
        let response = Response::builder().status(status).body(Body::from(body.to_owned()));
        let _ = self.begin.take().unwrap().send(response.unwrap());
    }

    /// Waits until the client has given the question up.
    pub(crate) async fn hung_up(mut self) {
        match self.pieces {
            Some(pieces) => soon(pieces.closed()).await,
            None => soon(self.begin.as_mut().unwrap().closed()).await,
        }
    }

    fn chunk(&mut self, chunk: &Value) {
        self.send(Ok(format!("data: {chunk}\n\n").into()));
    }

    fn send(&mut self, piece: io::Result<Bytes>) {
        if let Some(begin) = self.begin.take() {
            let (sender, receiver) = mpsc::unbounded_channel();
            let body = futures_util::stream::unfold(receiver, async |mut receiver| {
                receiver.recv().await.map(|piece| (piece, receiver))
            });
            let response = Response::builder()
                .header("content-type", "text/event-stream")
                .body(Body::from_stream(body));
            let _ = begin.send(response.unwrap());
            self.pieces = Some(sender);
        }
        let _ = self.pieces.as_ref().unwrap().send(piece);
    }
}

async fn models(State(script): State<Script>) -> Json<Value> {
    let mut list = script.list.lock().unwrap();
    list.1 += 1;
    let models: Vec<Value> = list.0.iter().map(|id| json!({ "id": id })).collect();
    Json(json!({ "data": models }))
}

async fn completions(State(script): State<Script>, Json(body): Json<Value>) -> Response<Body> {
    let (begin, begun) = oneshot::channel();
    let _ = script.asked.send(Asked { body, begin: Some(begin), pieces: None });
    begun.await.unwrap_or_else(|_| Response::builder().status(500).body(Body::empty()).unwrap())
}
