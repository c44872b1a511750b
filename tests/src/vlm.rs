//! A VLM server whose every answer the test decides, and which remembers every request.

use std::{
    convert::Infallible,
    future,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::JoinHandle,
};

use crate::within;

/// A request that the VLM got.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `/v1/models` or `/v1/chat/completions`.
    pub path: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// All headers that are text.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub bytes: Vec<u8>,
    /// The body; `null` if it is no JSON.
    pub body: Value,
    /// When it came.
    pub at: Instant,
}

/// How the VLM answers a question.
#[derive(Debug, Clone)]
pub enum Reply {
    /// With this text, word by word if it is asked to stream.
    Text(String),
    /// With an error of this HTTP status and message.
    Refuse(u16, String),
    /// With an error of this HTTP status, message and `Retry-After` in seconds.
    Later(u16, String, u32),
    /// With this status, to this address.
    Redirect(u16, String),
    /// With this text, which is said to have cost so many tokens, asked and answered.
    Metered(String, u64, u64),
    /// With this text as it is, whatever was asked.
    Plain(String),
    /// With events that never end, and never say anything.
    Flood,
    /// Not, until [`Vlm::release`] is called; then with this text.
    Held(String),
}

/// The server; it ends when dropped.
#[derive(Debug)]
pub struct Vlm {
    base: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

struct Shared {
    models: Vec<String>,
    script: Box<Script>,
    asked: Mutex<Vec<Asked>>,
    grown: watch::Sender<()>,
    released: Notify,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("models", &self.models).finish_non_exhaustive()
    }
}

impl Vlm {
    /// A VLM with these models; `script` decides each answer. It also decides whether the list of
    /// models is refused; any other reply gives it.
    ///
    /// # Panics
    /// When there is no port to be had.
    pub async fn start(
        models: &[&str],
        script: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared {
            models: models.iter().map(|model| (*model).to_owned()).collect(),
            script: Box::new(script),
            asked: Mutex::default(),
            grown: watch::Sender::new(()),
            released: Notify::new(),
        });
        let bound = match TcpListener::bind(("127.0.0.1", 0)).await {
            Ok(listener) => listener.local_addr().map(|address| (listener, address)),
            Err(error) => Err(error),
        };
        let (listener, address) = bound.unwrap_or_else(|error| panic!("no port: {error}"));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { base: format!("http://{address}/v1"), shared, task }
    }

    /// A VLM that gives the same answer to everything.
    ///
    /// # Panics
    /// When there is no port to be had.
    pub async fn saying(models: &[&str], text: &str) -> Self {
        let text = text.to_owned();
        Self::start(models, move |_| Reply::Text(text.clone())).await
    }

    /// What to give as `--api-base` or `api_base`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every question so far.
    pub fn questions(&self) -> Vec<Asked> {
        self.requests().into_iter().filter(Asked::is_question).collect()
    }

    /// Every different `Authorization` header so far; `None` is a request without one.
    pub fn authorizations(&self) -> Vec<Option<String>> {
        let mut all: Vec<_> =
            self.requests().into_iter().map(|asked| asked.authorization).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Waits for a request, one that came already included.
    ///
    /// # Panics
    /// When none comes.
    pub async fn asked(&self, wanted: impl Fn(&Asked) -> bool) -> Asked {
        let mut grown = self.shared.grown.subscribe();
        within("a request to the VLM", async {
            loop {
                if let Some(found) = self.requests().into_iter().find(&wanted) {
                    return found;
                }
                let _ = grown.changed().await;
            }
        })
        .await
    }

    /// Lets every [held](Reply::Held) answer go that waits now.
    pub fn release(&self) {
        self.shared.released.notify_waiters();
    }
}

impl Drop for Vlm {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Asked {
    /// Whether it is a question, and not a request for the list of models.
    pub fn is_question(&self) -> bool {
        self.path.ends_with("/chat/completions")
    }

    /// The model asked.
    pub fn model(&self) -> &str {
        self.body["model"].as_str().unwrap_or_default()
    }

    /// What was asked: the text beside the pictures.
    pub fn prompt(&self) -> String {
        let messages = self.body["messages"].as_array().map_or(&[][..], Vec::as_slice);
        let user = messages.iter().find(|message| message["role"] == "user");
        let content = user.map_or(&Value::Null, |message| &message["content"]);
        let parts = content.as_array().map_or(&[][..], Vec::as_slice);
        let texts = parts.iter().filter_map(|part| part["text"].as_str());
        content.as_str().into_iter().chain(texts).collect()
    }

    /// The header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The key, without the word before it.
    pub fn key(&self) -> Option<&str> {
        self.authorization.as_deref()?.strip_prefix("Bearer ")
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let asked = read(request).await;
    shared.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
    // Listens before the request is known, so that whoever knows of it can release it.
    let released = shared.released.notified();
    shared.grown.send_replace(());
    let streams = asked.body["stream"] == true;
    match (shared.script)(&asked) {
        Reply::Refuse(status, message) => refused(status, &message).into_response(),
        Reply::Later(status, message, seconds) => {
            let later = [(header::RETRY_AFTER, seconds.to_string())];
            (later, refused(status, &message)).into_response()
        }
        Reply::Redirect(status, to) => {
            (status_of(status), [(header::LOCATION, to)]).into_response()
        }
        Reply::Plain(text) => text.into_response(),
        _ if !asked.is_question() => {
            let models: Vec<Value> = shared.models.iter().map(|id| json!({"id": id})).collect();
            Json(json!({"object": "list", "data": models})).into_response()
        }
        Reply::Text(text) => said(asked.model(), &text, streams),
        Reply::Metered(text, prompt_tokens, completion_tokens) => {
            let usage = json!({
                "prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens
            });
            streamed(asked.model(), &text, Some(usage))
        }
        Reply::Flood => {
            let piece = Ok::<_, Infallible>(": nothing\n".repeat(1000));
            let endless = Body::from_stream(stream::repeat(piece));
            ([(header::CONTENT_TYPE, "text/event-stream")], endless).into_response()
        }
        Reply::Held(text) => {
            released.await;
            said(asked.model(), &text, streams)
        }
    }
}

async fn read(request: Request) -> Asked {
    let (head, body) = request.into_parts();
    let authorization = head.headers.get(header::AUTHORIZATION);
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    Asked {
        path: head.uri.path().to_owned(),
        authorization: authorization.and_then(|value| value.to_str().ok()).map(str::to_owned),
        headers: head.headers.iter().filter_map(text_of).collect(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        bytes: body.into(),
        at: Instant::now(),
    }
}

fn refused(status: u16, message: &str) -> (StatusCode, Json<Value>) {
    (status_of(status), Json(json!({"error": {"message": message}})))
}

fn said(model: &str, text: &str, streams: bool) -> Response {
    if streams { streamed(model, text, None) } else { whole(model, text) }
}

fn text_of((name, value): (&HeaderName, &HeaderValue)) -> Option<(String, String)> {
    Some((name.to_string(), value.to_str().ok()?.to_owned()))
}

fn status_of(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn whole(model: &str, text: &str) -> Response {
    let choice = json!({"message": {"content": text}, "finish_reason": "stop"});
    Json(json!({"model": model, "choices": [choice]})).into_response()
}

fn streamed(model: &str, text: &str, usage: Option<Value>) -> Response {
    let piece = |delta: Value, reason: Value| {
        let choice = json!({"delta": delta, "finish_reason": reason});
        format!("data: {}\n\n", json!({"model": model, "choices": [choice]}))
    };
    let mut events: Vec<String> = text
        .split_inclusive(' ')
        .map(|word| piece(json!({"content": word}), Value::Null))
        .collect();
    events.push(piece(json!({}), json!("stop")));
    if let Some(usage) = usage {
        let event = json!({"model": model, "choices": [], "usage": usage});
        events.push(format!("data: {event}\n\n"));
    }
    events.push("data: [DONE]\n\n".to_owned());
    let events = stream::iter(events).then(|event| future::ready(Ok::<_, Infallible>(event)));
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response()
}
