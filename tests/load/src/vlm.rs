//! A VLM that reads the number off the picture and answers with it, and keeps account of whom it
//! has worked for.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderValue, StatusCode, header},
    middleware::map_response,
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
    routing::{get, post},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
    time::sleep,
};

use crate::{Failure, manner::Manner, timecode};

/// The model's name.
pub(crate) const MODEL: &str = "load-vlm";
/// How an answer begins; the number follows.
pub(crate) const ANSWER: &str = "number ";
/// How a prompt begins that says who asks; the name follows.
pub(crate) const USER: &str = "user=";
/// An answer of at most so many tokens takes the VLM's latency; a longer one longer in proportion.
const ORDINARY_TOKENS: f64 = 512.0;
/// The steps in which an answer is written.
const STEPS: usize = 10;
/// Turns kept in the account: hours of any plan.
const MOST_TURNS: usize = 1_000_000;

/// Takes no more questions once it is dropped.
pub(crate) struct Vlm {
    pub(crate) base: String,
    /// What the server is told of its slots: their number, or `auto`.
    pub(crate) told_slots: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    slots: Arc<Semaphore>,
    room: usize,
    latency: Duration,
    manner: Manner,
    questions: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    unreadable: AtomicUsize,
    account: Mutex<Account>,
    asked: Mutex<Vec<Asked>>,
}

/// A question that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// When, by the clock that [`timecode::now_ms`] reads.
    pub(crate) at_ms: u64,
    /// What its picture says, if that can be read.
    pub(crate) number: Option<u64>,
    pub(crate) prompt: String,
}

/// Whom the VLM has worked for, and when.
#[derive(Debug, Default)]
struct Account {
    turns: Vec<Turn>,
}

#[derive(Debug)]
struct Turn {
    user: String,
    began: Instant,
    /// `None` while it lasts.
    ended: Option<Instant>,
}

impl Account {
    /// Slot-seconds per user within a span of time, turns that reach beyond it in part.
    fn between(&self, from: Instant, to: Instant) -> BTreeMap<String, f64> {
        let mut users = BTreeMap::new();
        for turn in &self.turns {
            let ended = turn.ended.unwrap_or(to).min(to);
            let within = ended.saturating_duration_since(turn.began.max(from));
            *users.entry(turn.user.clone()).or_default() += within.as_secs_f64();
        }
        users
    }
}

/// What the VLM has seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) questions: usize,
    /// The most questions that were here at once, waiting ones among them.
    pub(crate) most_at_once: usize,
    /// Pictures whose number could not be read.
    pub(crate) unreadable: usize,
}

impl Vlm {
    /// On any free port.
    pub(crate) async fn start(slots: usize, latency: Duration) -> Result<Self, Failure> {
        Self::start_at(0, slots, latency).await
    }

    /// One that answers in this manner, of which the server is told so many slots.
    pub(crate) async fn start_with(
        slots: usize,
        latency: Duration,
        manner: Manner,
        told_slots: Option<&str>,
    ) -> Result<Self, Failure> {
        let mut vlm = Self::serve(listen(0)?, slots, latency, manner, |router| router)?;
        if let Some(told) = told_slots {
            told.clone_into(&mut vlm.told_slots);
        }
        Ok(vlm)
    }

    /// On a port that can be told beforehand.
    pub(crate) async fn start_at(
        port: u16,
        slots: usize,
        latency: Duration,
    ) -> Result<Self, Failure> {
        Self::serve(listen(port)?, slots, latency, Manner::PLAIN, |router| router)
    }

    /// Where somebody else listens already.
    pub(crate) fn start_on(
        listener: std::net::TcpListener,
        slots: usize,
        latency: Duration,
    ) -> Result<Self, Failure> {
        Self::serve(listener, slots, latency, Manner::PLAIN, |router| router)
    }

    /// Closes each connection after one answer: those that a server keeps for later would be
    /// taken for something that it left behind.
    pub(crate) async fn start_closing(slots: usize, latency: Duration) -> Result<Self, Failure> {
        let close = async |mut response: Response| {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        };
        let manner = Manner::PLAIN;
        Self::serve(listen(0)?, slots, latency, manner, |router| router.layer(map_response(close)))
    }

    fn serve(
        listener: std::net::TcpListener,
        slots: usize,
        latency: Duration,
        manner: Manner,
        change: impl FnOnce(Router) -> Router,
    ) -> Result<Self, Failure> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let base = format!("http://{}/v1", listener.local_addr()?);
        let shared = Arc::new(Shared {
            slots: Arc::new(Semaphore::new(slots)),
            room: slots,
            latency,
            manner,
            questions: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            unreadable: AtomicUsize::new(0),
            account: Mutex::default(),
            asked: Mutex::default(),
        });
        let models = json!({"object": "list", "data": [{"id": MODEL, "object": "model"}]});
        let router = Router::new()
            .route("/v1/models", get(|| async { Json(models) }))
            .route("/v1/chat/completions", post(answer))
            .route("/metrics", get(metrics))
            .layer(DefaultBodyLimit::max(16 << 20))
            .with_state(Arc::clone(&shared));
        let router = change(router);
        // It ends only when it is aborted.
        let task = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { base, told_slots: slots.to_string(), shared, task })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> Result<SocketAddr, Failure> {
        let host = self.base.trim_start_matches("http://").trim_end_matches("/v1");
        Ok(host.parse()?)
    }

    pub(crate) fn seen(&self) -> Seen {
        let read = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        Seen {
            questions: read(&self.shared.questions),
            most_at_once: read(&self.shared.most_at_once),
            unreadable: read(&self.shared.unreadable),
        }
    }

    /// All questions so far, as they arrived.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Slot-seconds per user between then and now.
    pub(crate) fn time_since(&self, from: Instant) -> BTreeMap<String, f64> {
        self.shared.account().between(from, Instant::now())
    }

    /// How many questions it works on at once.
    pub(crate) fn slots(&self) -> usize {
        self.shared.room
    }

    /// How many slots nobody uses at this moment.
    pub(crate) fn idle_slots(&self) -> usize {
        self.shared.slots.available_permits()
    }
}

impl Drop for Vlm {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn listen(port: u16) -> Result<std::net::TcpListener, Failure> {
    std::net::TcpListener::bind(("127.0.0.1", port))
        .map_err(|error| format!("the VLM cannot listen on port {port}: {error}").into())
}

impl Shared {
    fn note(&self, asked: Asked) {
        let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MOST_TURNS {
            all.push(asked);
        }
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many questions it works on.
    fn working(&self) -> usize {
        self.room - self.slots.available_permits()
    }

    /// How many wait for a slot.
    fn waiting(&self) -> usize {
        self.at_once.load(Ordering::Relaxed).saturating_sub(self.working())
    }

    /// One step of an answer.
    async fn step(&self, share: f64) {
        let pace = self.manner.pace(self.working().saturating_sub(1));
        sleep(self.latency.mul_f64(share * pace / STEPS as f64)).await;
    }

    /// Waits for a slot, and writes the beginning of an answer there. A question that is given up
    /// frees it at once.
    async fn begin(self: Arc<Self>, user: String, share: f64) -> Option<Work> {
        let here = Here::new(&self);
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok()?;
        let turn = Working::new(&self, user);
        let work = Work { shared: self, share, _slot: slot, _turn: turn, _here: here };
        if work.is_in_steps() {
            work.shared.step(share).await;
        }
        Some(work)
    }
}

/// An answer that has begun.
struct Work {
    shared: Arc<Shared>,
    share: f64,
    _slot: OwnedSemaphorePermit,
    _turn: Working,
    _here: Here,
}

impl Work {
    fn is_in_steps(&self) -> bool {
        self.shared.manner.streams || self.shared.manner.slower > 0.0
    }

    async fn finish(self) {
        if self.is_in_steps() {
            for _ in 1..STEPS {
                self.shared.step(self.share).await;
            }
        } else {
            sleep(self.shared.latency.mul_f64(self.share)).await;
        }
    }
}

/// As vLLM's.
async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    if !shared.manner.has_metrics {
        return StatusCode::NOT_FOUND.into_response();
    }
    let (working, waiting) = (shared.working(), shared.waiting());
    format!("vllm:num_requests_running {working}\nvllm:num_requests_waiting {waiting}\n")
        .into_response()
}

/// Counts a question for as long as it is here, however it ends.
struct Here(Arc<Shared>);

impl Here {
    fn new(shared: &Arc<Shared>) -> Self {
        let at_once = shared.at_once.fetch_add(1, Ordering::Relaxed) + 1;
        shared.most_at_once.fetch_max(at_once, Ordering::Relaxed);
        shared.questions.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(shared))
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.0.at_once.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A turn in the account, which ends with this.
struct Working {
    shared: Arc<Shared>,
    turn: Option<usize>,
}

impl Working {
    fn new(shared: &Arc<Shared>, user: String) -> Self {
        let mut account = shared.account();
        let turn = (account.turns.len() < MOST_TURNS).then(|| {
            account.turns.push(Turn { user, began: Instant::now(), ended: None });
            account.turns.len() - 1
        });
        drop(account);
        Self { shared: Arc::clone(shared), turn }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let mut account = self.shared.account();
        if let Some(turn) = self.turn.and_then(|turn| account.turns.get_mut(turn)) {
            turn.ended = Some(Instant::now());
        }
    }
}

async fn answer(State(shared): State<Arc<Shared>>, Json(question): Json<Value>) -> Response {
    let at_ms = timecode::now_ms();
    let prompt = prompt(&question).to_owned();
    let user = user(&question);
    let share = (question["max_tokens"].as_f64().unwrap_or(0.0) / ORDINARY_TOKENS).max(1.0);
    let streams = question["stream"] == true;
    let number = tokio::task::spawn_blocking(move || number(&question)).await.ok().flatten();
    shared.note(Asked { at_ms, number, prompt });
    let text = match number {
        Some(number) => format!("{ANSWER}{number}"),
        None => {
            shared.unreadable.fetch_add(1, Ordering::Relaxed);
            "no number in the picture".to_owned()
        }
    };
    if !streams {
        if let Some(work) = shared.begin(user, share).await {
            work.finish().await;
        }
        let choice = json!({
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
        });
        return Json(json!({
            "id": "1", "object": "chat.completion", "created": 0, "model": MODEL,
            "choices": [choice],
        }))
        .into_response();
    }
    let head = if shared.manner.streams { 1 } else { 0 };
    let chunks = stream::once(shared.begin(user, share)).flat_map(move |work| {
        let (head, tail) = text.split_at(head);
        let (head, tail) = (head.to_owned(), tail.to_owned());
        let rest = async move {
            if let Some(work) = work {
                work.finish().await;
            }
            written(&tail, Some("stop"))
        };
        let head = (!head.is_empty()).then(|| written(&head, None));
        stream::iter(head).chain(stream::once(rest))
    });
    let done = Event::default().data("[DONE]");
    let chunks = chunks.chain(stream::iter([done]));
    Sse::new(chunks.map(Ok::<_, axum::Error>)).into_response()
}

/// A part of an answer.
fn written(text: &str, finish_reason: Option<&str>) -> Event {
    let choice = json!({"delta": {"content": text}, "finish_reason": finish_reason});
    Event::default().data(json!({"choices": [choice]}).to_string())
}

/// Whoever the prompt names, else whoever the request says it is for.
fn user(question: &Value) -> String {
    let named = parts(question).iter().find_map(|part| part["text"].as_str()?.strip_prefix(USER));
    named.or_else(|| question["user"].as_str()).unwrap_or("nobody").to_owned()
}

/// What is asked about the picture.
fn prompt(question: &Value) -> &str {
    parts(question).iter().find_map(|part| part["text"].as_str()).unwrap_or_default()
}

fn parts(question: &Value) -> &[Value] {
    let last = question["messages"].as_array().and_then(|messages| messages.last());
    last.and_then(|message| message["content"].as_array()).map_or(&[], Vec::as_slice)
}

fn number(question: &Value) -> Option<u64> {
    let url = parts(question).iter().find_map(|part| part["image_url"]["url"].as_str())?;
    let jpeg = BASE64_STANDARD.decode(url.split_once("base64,")?.1).ok()?;
    let picture = image::load_from_memory(&jpeg).ok()?.to_luma8();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    timecode::read(width, height, |x, y| picture.get_pixel(x as u32, y as u32).0[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slot_time_is_counted_per_user_and_only_within_the_span() {
        let began = Instant::now();
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        let turn = |user: &str, from: u64, to: Option<u64>| Turn {
            user: user.to_owned(),
            began: at(from),
            ended: to.map(at),
        };
        let account = Account {
            turns: vec![
                turn("early", 0, Some(9)),
                turn("both", 8, Some(12)),
                turn("both", 13, Some(14)),
                turn("still", 18, None),
            ],
        };
        let expected = [("both", 3.0), ("early", 0.0), ("still", 2.0)];
        let expected = expected.map(|(user, seconds)| (user.to_owned(), seconds));
        assert_eq!(account.between(at(10), at(20)), BTreeMap::from(expected));
    }

    #[test]
    fn a_user_is_told_by_the_prompt_or_by_the_field() {
        let asking = |text: &str| json!([{"content": [{"type": "text", "text": text}]}]);
        assert_eq!(user(&json!({"messages": asking("user=ann"), "user": "session-1"})), "ann");
        assert_eq!(user(&json!({"messages": asking("What?"), "user": "bob"})), "bob");
        assert_eq!(user(&json!({"messages": []})), "nobody");
    }
}
