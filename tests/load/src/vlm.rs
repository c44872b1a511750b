//! A VLM that reads the time of capture off the picture and answers with it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    response::sse::{Event, Sse},
    routing::{get, post},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore, time::sleep};

use crate::{Failure, timecode};

/// Ends with the benchmark.
pub(crate) struct Vlm {
    pub(crate) base: String,
    state: Arc<Shared>,
}

struct Shared {
    slots: Semaphore,
    latency: Duration,
    questions: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    unreadable: AtomicUsize,
}

/// What the VLM has seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) questions: usize,
    /// The most questions that were here at once, waiting ones among them.
    pub(crate) most_at_once: usize,
    /// Pictures whose time could not be read.
    pub(crate) unreadable: usize,
}

impl Vlm {
    pub(crate) async fn start(slots: usize, latency: Duration) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}/v1", listener.local_addr()?);
        let state = Arc::new(Shared {
            slots: Semaphore::new(slots),
            latency,
            questions: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            unreadable: AtomicUsize::new(0),
        });
        let router = Router::new()
            .route("/v1/models", get(|| async { Json(json!({"data": [{"id": "bench-vlm"}]})) }))
            .route("/v1/chat/completions", post(answer))
            .layer(DefaultBodyLimit::max(16 << 20))
            .with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { base, state })
    }

    pub(crate) fn seen(&self) -> Seen {
        let read = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        Seen {
            questions: read(&self.state.questions),
            most_at_once: read(&self.state.most_at_once),
            unreadable: read(&self.state.unreadable),
        }
    }
}

/// Counts a question for as long as it is here, however it ends.
struct Here(Arc<Shared>);

impl Here {
    fn new(shared: Arc<Shared>) -> Self {
        let at_once = shared.at_once.fetch_add(1, Ordering::Relaxed) + 1;
        shared.most_at_once.fetch_max(at_once, Ordering::Relaxed);
        shared.questions.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.0.at_once.fetch_sub(1, Ordering::Relaxed);
    }
}

type Chunks = std::pin::Pin<Box<dyn Stream<Item = Result<Event, axum::Error>> + Send>>;

async fn answer(State(shared): State<Arc<Shared>>, Json(question): Json<Value>) -> Sse<Chunks> {
    let here = Here::new(Arc::clone(&shared));
    let captured = tokio::task::spawn_blocking(move || capture_time(&question)).await;
    let text = match captured {
        Ok(Some(ms)) => format!("captured at {ms}"),
        _ => {
            shared.unreadable.fetch_add(1, Ordering::Relaxed);
            "no time in the picture".to_owned()
        }
    };
    let slotted = stream::once(async move {
        let slot = shared.slots.acquire().await.ok();
        sleep(shared.latency).await;
        drop(slot);
        drop(here);
        text
    });
    let chunks = slotted.flat_map(|text| {
        let chunk = json!({"choices": [{"delta": {"content": text}, "finish_reason": "stop"}]});
        stream::iter([
            Ok(Event::default().data(chunk.to_string())),
            Ok(Event::default().data("[DONE]")),
        ])
    });
    Sse::new(Box::pin(chunks))
}

fn capture_time(question: &Value) -> Option<u64> {
    let content = question["messages"].as_array()?.last()?["content"].as_array()?;
    let url = content.iter().find_map(|part| part["image_url"]["url"].as_str())?;
    let jpeg = BASE64_STANDARD.decode(url.split_once("base64,")?.1).ok()?;
    let picture = image::load_from_memory(&jpeg).ok()?.to_luma8();
    if (picture.width() as usize, picture.height() as usize) != (timecode::WIDTH, timecode::HEIGHT)
    {
        return None;
    }
    timecode::read(|x, y| picture.get_pixel(x as u32, y as u32).0[0])
}
