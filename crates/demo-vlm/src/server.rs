//! The routes, and who is answered when.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::{Stream, StreamExt, stream};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout};

use crate::api::{Choice, Completion, Model, Models, Question, Said, Usage, Words};
use crate::conversations::Conversations;
use crate::describe::{self, Comparison};
use crate::error::ApiError;
use crate::measure::measure;
use crate::timing::Timing;
use crate::{BRIEF_MODEL, MODEL, Options, picture, tokens};

const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a refused client may take to finish sending, so that it reads why.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);

/// What all requests share.
pub(crate) struct App {
    options: Options,
    timing: Timing,
    /// Places for requests that are answered or wait.
    places: Arc<Semaphore>,
    slots: Arc<Semaphore>,
    /// Measuring cannot be cancelled, so it is bounded apart from the slots, which are free as
    /// soon as their client leaves.
    measuring: Arc<Semaphore>,
    conversations: Mutex<Conversations>,
    answers: AtomicU64,
    started: u64,
}

impl App {
    pub(crate) fn new(options: Options) -> Arc<Self> {
        let slots = usize::from(options.slots.max(1));
        Arc::new(Self {
            timing: Timing::new(&options),
            places: Arc::new(Semaphore::new(slots + usize::from(options.queue))),
            slots: Arc::new(Semaphore::new(slots)),
            measuring: Arc::new(Semaphore::new(slots)),
            conversations: Mutex::default(),
            answers: AtomicU64::new(0),
            started: now(),
            options,
        })
    }

    /// Refuses whatever still waits.
    pub(crate) fn close(&self) {
        self.places.close();
        self.slots.close();
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let retry_after = self.timing.retry_after();
        self.places.clone().try_acquire_owned().map_err(|error| match error {
            tokio::sync::TryAcquireError::Closed => ApiError::Closing,
            tokio::sync::TryAcquireError::NoPermits => ApiError::Overloaded { retry_after },
        })
    }

    async fn body(&self, body: Body) -> Result<Vec<u8>, ApiError> {
        let mut chunks = body.into_data_stream();
        let mut bytes = Vec::new();
        let read = async {
            while let Some(chunk) = chunks.next().await {
                let chunk = chunk.map_err(ApiError::Broken)?;
                if bytes.len() + chunk.len() > self.options.max_body {
                    return Err(ApiError::TooLarge(self.options.max_body));
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(())
        };
        let read = timeout(BODY_TIMEOUT, read).await.unwrap_or(Err(ApiError::Slow));
        if let Err(error @ ApiError::TooLarge(_)) = read {
            self.discard(chunks).await;
            return Err(error);
        }
        read.map(|()| bytes)
    }

    /// Reads on for a while without keeping anything: a client that still sends when the
    /// connection closes would see a broken pipe instead of the error.
    async fn discard(&self, mut chunks: impl Stream<Item = Result<Bytes, axum::Error>> + Unpin) {
        let read = async {
            let mut left = self.options.max_body;
            while let Some(Ok(chunk)) = chunks.next().await {
                let Some(less) = left.checked_sub(chunk.len()) else { break };
                left = less;
            }
        };
        // Whether it finished or not, the answer is the same.
        let _ = timeout(DISCARD_TIMEOUT, read).await;
    }

    async fn answer(self: &Arc<Self>, question: Question) -> Result<Answer, ApiError> {
        let permit = self.measuring.clone().acquire_owned().await;
        let permit = permit.map_err(|_| ApiError::Closing)?;
        let app = self.clone();
        let measured = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            app.measured(&question)
        });
        measured.await.map_err(|_| ApiError::Failed)?
    }

    fn measured(&self, question: &Question) -> Result<Answer, ApiError> {
        let mut newest = None;
        let mut before = None;
        let mut changes = Vec::new();
        for url in &question.pictures {
            let (measurements, thumbnail) = measure(&picture::decode(url)?);
            if let Some(before) = before.replace(thumbnail.clone()) {
                changes.push(before.change_to(&thumbnail));
            }
            newest = Some((measurements, thumbnail));
        }
        let (measurements, thumbnail) = newest.ok_or(ApiError::NoPicture)?;
        let last = question.user.as_ref().map(|user| {
            let conversations = self.conversations.lock();
            let mut conversations = conversations.unwrap_or_else(PoisonError::into_inner);
            conversations.replace(user, thumbnail.clone())
        });
        let comparison = match last {
            _ if !changes.is_empty() => Comparison::Within(changes),
            Some(Some(last)) => Comparison::Since(last.change_to(&thumbnail)),
            Some(None) => Comparison::First,
            None => Comparison::NoConversation,
        };
        let say = if question.model == BRIEF_MODEL { describe::brief } else { describe::long };
        let text = say(&question.prompt, &measurements, &comparison);
        Ok(self.worded(question, &text))
    }

    fn worded(&self, question: &Question, text: &str) -> Answer {
        let mut pieces: Vec<_> = tokens::pieces(text).into_iter().map(str::to_owned).collect();
        let limit = question.max_tokens.unwrap_or(usize::MAX);
        let finish_reason = if pieces.len() > limit { "length" } else { "stop" };
        pieces.truncate(limit);
        let prompt_tokens = question.text_tokens + question.pictures.len() * tokens::PICTURE;
        Answer {
            id: format!("chatcmpl-{}", self.answers.fetch_add(1, Ordering::Relaxed)),
            created: now(),
            model: question.model,
            usage: Usage {
                prompt_tokens,
                completion_tokens: pieces.len(),
                total_tokens: prompt_tokens + pieces.len(),
            },
            pieces,
            finish_reason,
        }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

struct Answer {
    id: String,
    created: u64,
    model: &'static str,
    pieces: Vec<String>,
    finish_reason: &'static str,
    usage: Usage,
}

impl Answer {
    fn completion(
        &self,
        object: &'static str,
        choice: Option<Choice>,
        usage: Option<Usage>,
    ) -> Completion {
        Completion {
            id: self.id.clone(),
            object,
            created: self.created,
            model: self.model,
            choices: choice.into_iter().collect(),
            usage,
        }
    }

    fn whole(&self) -> Completion {
        let words = Words { role: Some("assistant"), content: Some(self.pieces.concat()) };
        let choice = Choice {
            index: 0,
            said: Said::Message(words),
            finish_reason: Some(self.finish_reason),
        };
        self.completion("chat.completion", Some(choice), Some(self.usage))
    }

    /// The chunks of a streamed answer, each with how long after its start it is due.
    fn chunks(&self, timing: Timing, include_usage: bool) -> Vec<(Duration, Completion)> {
        let chunk = |words, finish_reason| {
            let choice = Choice { index: 0, said: Said::Delta(words), finish_reason };
            self.completion("chat.completion.chunk", Some(choice), None)
        };
        let count = self.pieces.len();
        let role = Words { role: Some("assistant"), content: Some(String::new()) };
        let mut chunks = vec![(timing.token(0, count), chunk(role, None))];
        chunks.extend(self.pieces.iter().enumerate().map(|(index, piece)| {
            let words = Words { role: None, content: Some(piece.clone()) };
            (timing.token(index, count), chunk(words, None))
        }));
        let end = timing.token(count.saturating_sub(1), count);
        chunks.push((end, chunk(Words::default(), Some(self.finish_reason))));
        if include_usage {
            chunks.push((end, self.completion("chat.completion.chunk", None, Some(self.usage))));
        }
        chunks
    }
}

/// The routes with a state of their own: slots, queue and conversations.
pub fn router(options: Options) -> Router {
    routes(App::new(options))
}

pub(crate) fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/models", get(models))
        .route("/v1/chat/completions", post(chat))
        .route("/health", get(async || Json(json!({ "status": "ok" }))))
        .fallback(async || ApiError::NoRoute)
        .method_not_allowed_fallback(async || ApiError::WrongMethod)
        .with_state(app)
}

async fn models(State(app): State<Arc<App>>) -> Json<Models> {
    let model =
        |id| Model { id, object: "model", created: app.started, owned_by: env!("CARGO_PKG_NAME") };
    Json(Models { object: "list", data: [MODEL, BRIEF_MODEL].map(model).into() })
}

async fn chat(State(app): State<Arc<App>>, body: Body) -> Result<Response, ApiError> {
    // Before the body is read, so that bodies in memory are as bounded as the queue.
    let place = match app.place() {
        Ok(place) => place,
        Err(error) => {
            app.discard(body.into_data_stream()).await;
            return Err(error);
        }
    };
    let question = Question::parse(&app.body(body).await?)?;
    let (streamed, include_usage) = (question.stream, question.include_usage);
    let slot = app.slots.clone().acquire_owned().await.map_err(|_| ApiError::Closing)?;
    let start = Instant::now();
    let answer = app.answer(question).await?;
    if streamed {
        let chunks = answer.chunks(app.timing, include_usage);
        Ok(Sse::new(events(start, chunks, (slot, place))).into_response())
    } else {
        sleep_until(start + app.timing.whole()).await;
        Ok(Json(answer.whole()).into_response())
    }
}

/// Sends each chunk when it is due. The permits go when the stream does, which is when the answer
/// is complete or the client has left.
fn events(
    start: Instant,
    chunks: Vec<(Duration, Completion)>,
    permits: (OwnedSemaphorePermit, OwnedSemaphorePermit),
) -> impl Stream<Item = Result<Event, Infallible>> {
    let chunks = chunks.into_iter().filter_map(|(due, chunk)| {
        Event::default().json_data(chunk).ok().map(|event| (due, event))
    });
    let done = (Duration::ZERO, Event::default().data("[DONE]"));
    let events = chunks.chain([done]);
    stream::unfold((events, permits), move |(mut events, permits)| async move {
        let (due, event) = events.next()?;
        sleep_until(start + due).await;
        Some((Ok(event), (events, permits)))
    })
}
