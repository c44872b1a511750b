//! Figures for Prometheus. Others tell a [`Metrics`] what happens; who may read them is decided
//! where they are served. No key, prompt, picture or session id gets in here.
//!
//! Locking: every lock in here is a leaf, and nothing is called while one is held.

mod collect;
mod families;
mod figures;
mod labels;
mod media;
mod options;
mod states;

#[cfg(test)]
mod checked;
#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;

use std::sync::Arc;

use live_vlm_dispatch::{QuestionOutcome, QuestionReport};
use prometheus_client::{
    encoding::{prometheus_text, text},
    registry::Registry,
};

pub use self::{
    collect::{BackendFigures, BackendHealth, FrameCounts},
    figures::{ConnectionFigure, SessionFigures},
    media::MediaFigures,
    options::{BadToken, Config, MetricsToken},
    states::{EndReason, SessionState},
};
use self::{
    collect::{Frames, FramesCollector, Pool, PoolCollector, ProcessCollector},
    families::{
        ByDirection, ByKind, ByLimit, ByModel, ByOutcome, ByUser, ByUserDirection, ByUserOutcome,
        Families,
    },
    labels::Names,
    media::{Media, MediaCollector},
};

/// Users that are told apart; the rest is `other`.
const USERS: usize = 200;
/// Models that are told apart besides as many of the operator's servers; the rest is `other`.
const MODELS: usize = 32;

/// All figures of the server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    registry: Registry,
    families: Families,
    pool: Arc<Pool>,
    frames: Arc<Frames>,
    media: Arc<Media>,
    models: Arc<Names>,
    users: Names,
}

/// The text formats that Prometheus reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus' own, 0.0.4.
    Prometheus,
}

impl Format {
    /// The `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
        }
    }
}

impl Metrics {
    /// Figures that are all zero. Users are told apart only when `by_user` says so.
    pub fn new(by_user: bool) -> Self {
        let (pool, frames) = (Arc::<Pool>::default(), Arc::<Frames>::default());
        let models = Arc::new(Names::new(MODELS));
        let mut registry = Registry::default();
        let own = registry.sub_registry_with_prefix("live_vlm");
        let families = Families::register(own, by_user);
        let collector = PoolCollector { pool: Arc::clone(&pool), models: Arc::clone(&models) };
        own.register_collector(Box::new(collector));
        own.register_collector(Box::new(FramesCollector(Arc::clone(&frames))));
        let media = Arc::<Media>::default();
        own.register_collector(Box::new(MediaCollector(Arc::clone(&media))));
        registry.sub_registry_with_prefix("process").register_collector(Box::new(ProcessCollector));
        let users = Names::new(USERS);
        Self { shared: Arc::new(Shared { registry, families, pool, frames, media, models, users }) }
    }

    /// Says how to read the operator's VLM servers; only the first time counts. `read` is called
    /// whenever somebody looks, and must not wait.
    pub fn watch_pool(&self, read: impl Fn() -> Vec<BackendFigures> + Send + Sync + 'static) {
        // Their models keep their names, even if somebody asks for many others at once.
        for backend in read() {
            self.shared.models.reserve(&backend.models);
        }
        self.shared.pool.watch(Box::new(read));
    }

    /// The operator's VLM servers; `None` until [`watch_pool`](Self::watch_pool) was called.
    pub fn backends(&self) -> Option<Vec<BackendFigures>> {
        self.shared.pool.read()
    }

    /// Says how to read the figures of media processes; only the first time counts. `read` is called
    /// whenever somebody looks, and once a second; it must not wait.
    pub fn watch_media(&self, read: impl Fn() -> MediaFigures + Send + Sync + 'static) {
        self.shared.media.watch(Box::new(read));
    }

    /// The media processes; `None` until [`watch_media`](Self::watch_media) was called.
    pub fn media(&self) -> Option<MediaFigures> {
        self.shared.media.read()
    }

    /// A session begins. It ends with what is returned.
    pub fn session_started(&self) -> SessionFigures {
        SessionFigures::new(self.clone())
    }

    /// A page is connected, as long as what is returned lives.
    pub fn connection(&self) -> ConnectionFigure {
        ConnectionFigure::new(self.shared.families.websocket_connections.clone())
    }

    /// A question of this user had its turn and is over.
    pub fn question_ended(&self, user: &str, report: &QuestionReport) {
        let families = &self.shared.families;
        let model = self.shared.models.label(&report.model);
        let outcome = report.outcome.name();
        families.queue_wait.observe(report.waited().as_secs_f64());
        families.slot_seconds.inc_by(report.held().as_secs_f64());
        families.questions.get_or_create(&ByOutcome { outcome, model: model.clone() }).inc();
        if let QuestionOutcome::Failed { kind } = report.outcome {
            families.failures.get_or_create(&ByKind { kind }).inc();
        }
        let labels = ByModel { model: model.clone() };
        for (family, time) in [
            (&families.answer_age, report.age()),
            (&families.first_token, report.to_first_token()),
            (&families.question_duration, report.took()),
        ] {
            if let Some(time) = time {
                family.get_or_create(&labels).observe(time.as_secs_f64());
            }
        }
        let tokens = [("in", report.tokens_in), ("out", report.tokens_out)];
        for (direction, count) in tokens {
            let labels = ByDirection { direction, model: model.clone() };
            families.tokens.get_or_create(&labels).inc_by(count);
        }
        let Some(by_user) = &families.by_user else { return };
        let user = self.shared.users.label(user);
        by_user.questions.get_or_create(&ByUserOutcome { user: user.clone(), outcome }).inc();
        for (direction, count) in tokens {
            let labels = ByUserDirection { user: user.clone(), direction };
            by_user.tokens.get_or_create(&labels).inc_by(count);
        }
        by_user.slot_seconds.get_or_create(&ByUser { user }).inc_by(report.held().as_secs_f64());
    }

    /// Somebody was refused because of this limit.
    pub fn limit_reached(&self, limit: &'static str) {
        self.shared.families.limits_reached.get_or_create(&ByLimit { limit }).inc();
    }

    /// Whether new sessions are refused for want of CPU time or memory.
    pub fn set_overloaded(&self, overloaded: bool) {
        self.shared.families.overloaded.set(i64::from(overloaded));
    }

    /// All figures as text.
    pub fn exposition(&self, format: Format) -> String {
        let mut written = String::new();
        let encoded = match format {
            Format::OpenMetrics => text::encode(&mut written, &self.shared.registry),
            Format::Prometheus => prometheus_text::encode(&mut written, &self.shared.registry),
        };
        if encoded.is_err() {
            // Half a text would be read as if the rest were gone.
            tracing::error!("the metrics could not be written");
            written.clear();
        }
        written
    }
}
