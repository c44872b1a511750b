//! What is read at the moment that somebody looks, instead of being counted as it happens.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock},
};

use live_vlm_dispatch::{BackendSnapshot, BackendState};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};
use vlm_client::Trouble;

use super::labels::{Names, readable};
use crate::{lock::lock, process::Process};

/// More servers than anybody asks; the rest is not shown.
const BACKENDS: usize = 64;

/// One VLM server of the operator's, as metrics and readiness see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendFigures {
    /// What it is called: its base address.
    pub name: String,
    /// The models that it has.
    pub models: Vec<String>,
    /// Whether it is asked.
    pub state: BackendHealth,
    /// Questions that it takes at once.
    pub slots: usize,
    /// Questions being asked of it.
    pub asking: usize,
    /// Sessions that wait for a turn at it.
    pub waiting: usize,
    /// What its operator can mend, if that is what is wrong.
    pub trouble: Option<Trouble>,
}

/// Whether a backend is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendHealth {
    /// It is.
    Up,
    /// It failed too often and is left alone for now.
    Open,
    /// One question tries whether it is back.
    HalfOpen,
}

impl From<BackendSnapshot> for BackendFigures {
    fn from(backend: BackendSnapshot) -> Self {
        Self {
            name: backend.base,
            models: backend.models,
            state: match backend.state {
                BackendState::Up => BackendHealth::Up,
                BackendState::Open { .. } => BackendHealth::Open,
                BackendState::HalfOpen => BackendHealth::HalfOpen,
            },
            slots: backend.slots,
            asking: backend.asking,
            waiting: backend.waiting,
            trouble: backend.trouble,
        }
    }
}

impl BackendHealth {
    const ALL: [Self; 3] = [Self::Up, Self::Open, Self::HalfOpen];

    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

type ReadPool = Box<dyn Fn() -> Vec<BackendFigures> + Send + Sync>;

/// The pool of backends, once somebody has said how to read it.
#[derive(Default)]
pub(super) struct Pool {
    read: OnceLock<ReadPool>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("known", &self.read.get().is_some()).finish()
    }
}

impl Pool {
    /// Says how to read it; only the first time counts.
    pub(super) fn watch(&self, read: ReadPool) {
        let _ = self.read.set(read);
    }

    pub(super) fn read(&self) -> Option<Vec<BackendFigures>> {
        let mut backends = self.read.get()?();
        backends.truncate(BACKENDS);
        Some(backends)
    }
}

#[derive(Debug)]
pub(super) struct PoolCollector {
    pub(super) pool: Arc<Pool>,
    pub(super) models: Arc<Names>,
}

impl Collector for PoolCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut backends = self.pool.read().unwrap_or_default();
        backends.sort_by(|a, b| a.name.cmp(&b.name));
        backends.dedup_by(|a, b| a.name == b.name);
        if backends.is_empty() {
            return Ok(());
        }
        for backend in &mut backends {
            self.models.reserve(&backend.models);
            backend.name = readable(&backend.name);
        }
        let help = "Whether a VLM server is asked (up), left alone (open, also when each of its \
                    models is) or tried (half_open).";
        let mut to = encoder.encode_descriptor("backend_state", help, None, MetricType::Gauge)?;
        for backend in &backends {
            for state in BackendHealth::ALL {
                let labels = [("backend", backend.name.as_str()), ("state", state.name())];
                to.encode_family(&labels)?.encode_gauge(&i64::from(backend.state == state))?;
            }
        }
        let slots = "Questions that a VLM server takes at once.";
        each(&mut encoder, &backends, "backend_slots", slots, |backend| backend.slots)?;
        let asking = "Questions being asked of a VLM server.";
        each(&mut encoder, &backends, "backend_asking", asking, |backend| backend.asking)?;
        let waiting = "Sessions that wait for a turn at a VLM server.";
        each(&mut encoder, &backends, "backend_waiting", waiting, |backend| backend.waiting)
    }
}

fn each(
    encoder: &mut DescriptorEncoder,
    backends: &[BackendFigures],
    name: &str,
    help: &str,
    value: impl Fn(&BackendFigures) -> usize,
) -> fmt::Result {
    let mut to = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for backend in backends {
        let value = i64::try_from(value(backend)).unwrap_or(i64::MAX);
        to.encode_family(&[("backend", backend.name.as_str())])?.encode_gauge(&value)?;
    }
    Ok(())
}

/// The frames of all sessions, those that have ended among them.
#[derive(Debug, Default)]
pub(super) struct Frames {
    state: Mutex<FramesState>,
}

#[derive(Default)]
struct FramesState {
    next: u64,
    running: HashMap<u64, ReadFrames>,
    ended: FrameCounts,
}

impl fmt::Debug for FramesState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FramesState").field("running", &self.running.len()).finish_non_exhaustive()
    }
}

type ReadFrames = Arc<dyn Fn() -> FrameCounts + Send + Sync>;

/// What became of a video's frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// Encoded frames that came from the peer.
    pub received: u64,
    /// Frames that were decoded.
    pub decoded: u64,
    /// Frames that a VLM was asked about.
    pub asked: u64,
    /// Questions that were passed over, as nothing had changed since the last one.
    pub unchanged: u64,
}

/// A video whose frames are counted.
#[derive(Debug)]
pub(super) struct Video(u64);

impl Frames {
    pub(super) fn begin(&self, read: impl Fn() -> FrameCounts + Send + Sync + 'static) -> Video {
        let mut state = self.lock();
        state.next += 1;
        let number = state.next;
        state.running.insert(number, Arc::new(read));
        Video(number)
    }

    #[expect(clippy::needless_pass_by_value, reason = "a video ends once")]
    pub(super) fn end(&self, video: Video) {
        let Some(read) = self.lock().running.get(&video.0).cloned() else { return };
        // Reading asks the element, which is not done under the lock.
        let last = read();
        let mut state = self.lock();
        if state.running.remove(&video.0).is_some() {
            state.ended = sum(state.ended, last);
        }
    }

    pub(super) fn total(&self) -> FrameCounts {
        let (running, ended) = {
            let state = self.lock();
            (state.running.values().cloned().collect::<Vec<_>>(), state.ended)
        };
        running.iter().map(|read| read()).fold(ended, sum)
    }

    fn lock(&self) -> MutexGuard<'_, FramesState> {
        lock(&self.state)
    }
}

fn sum(a: FrameCounts, b: FrameCounts) -> FrameCounts {
    FrameCounts {
        received: a.received + b.received,
        decoded: a.decoded + b.decoded,
        asked: a.asked + b.asked,
        unchanged: a.unchanged + b.unchanged,
    }
}

#[derive(Debug)]
pub(super) struct FramesCollector(pub(super) Arc<Frames>);

impl Collector for FramesCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let total = self.0.total();
        for (name, help, value) in [
            ("frames_received", "Encoded frames that came from peers.", total.received),
            ("frames_decoded", "Frames that were decoded.", total.decoded),
            ("frames_asked", "Frames that a VLM was asked about.", total.asked),
            (
                "questions_unchanged",
                "Questions that were passed over, as nothing had changed in the picture.",
                total.unchanged,
            ),
        ] {
            counter(&mut encoder, name, help, None, value)?;
        }
        Ok(())
    }
}

/// The server's own process, under the names that every Prometheus client gives it.
#[derive(Debug)]
pub(super) struct ProcessCollector;

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let Some(process) = Process::read() else { return Ok(()) };
        let cpu = "CPU time of the server's own process, in user and system mode.";
        counter(&mut encoder, "cpu", cpu, Some(&Unit::Seconds), process.cpu_seconds)?;
        let resident = "Physical memory of the server's own process.";
        let bytes = Some(&Unit::Bytes);
        gauge(&mut encoder, "resident_memory", resident, bytes, process.resident)?;
        let threads = "Threads of the server's own process.";
        gauge(&mut encoder, "threads", threads, None, process.threads)?;
        let files = "Open file descriptors of the server's own process.";
        gauge(&mut encoder, "open_fds", files, None, process.open_fds)
    }
}

pub(super) fn counter<N>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: N,
) -> fmt::Result
where
    ConstCounter<N>: EncodeMetric,
{
    let to = encoder.encode_descriptor(name, help, unit, MetricType::Counter)?;
    ConstCounter::new(value).encode(to)
}

pub(super) fn gauge(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: u64,
) -> fmt::Result {
    let to = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(to)
}
