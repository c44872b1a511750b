//! Every metric with its name, its labels and its meaning. `docs/observability.md` has the same
//! table, and a test that both agree.

use std::sync::{Arc, atomic::AtomicU64};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::Histogram,
        info::Info,
    },
    registry::{Registry, Unit},
};

use super::states::{EndReason, SessionState};

/// Seconds, for what should take no time when the VLM has room.
const WAIT: [f64; 13] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Seconds, for what a VLM takes.
const ANSWER: [f64; 15] =
    [0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 20.0, 60.0];

pub(super) type Seconds = Counter<f64, AtomicU64>;

macro_rules! labels {
    ($($name:ident { $($label:ident: $type:ty),+ })+) => {$(
        #[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
        pub(super) struct $name { $(pub(super) $label: $type),+ }
    )+};
}

labels! {
    ByState { state: &'static str }
    ByReason { reason: &'static str }
    ByLimit { limit: &'static str }
    ByKind { kind: &'static str }
    ByModel { model: Arc<str> }
    ByOutcome { outcome: &'static str, model: Arc<str> }
    ByDirection { direction: &'static str, model: Arc<str> }
    ByUser { user: Arc<str> }
    ByUserOutcome { user: Arc<str>, outcome: &'static str }
    ByUserDirection { user: Arc<str>, direction: &'static str }
    Build { version: &'static str }
}

/// Makes histograms with these buckets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

#[derive(Debug)]
pub(super) struct Families {
    pub(super) sessions: Family<ByState, Gauge>,
    pub(super) sessions_started: Counter,
    pub(super) sessions_ended: Family<ByReason, Counter>,
    pub(super) videos_lost: Family<ByReason, Counter>,
    pub(super) websocket_connections: Gauge,
    pub(super) questions: Family<ByOutcome, Counter>,
    pub(super) failures: Family<ByKind, Counter>,
    pub(super) queue_wait: Histogram,
    pub(super) answer_age: Family<ByModel, Histogram, Buckets>,
    pub(super) first_token: Family<ByModel, Histogram, Buckets>,
    pub(super) question_duration: Family<ByModel, Histogram, Buckets>,
    pub(super) tokens: Family<ByDirection, Counter>,
    pub(super) slot_seconds: Seconds,
    pub(super) limits_reached: Family<ByLimit, Counter>,
    pub(super) overloaded: Gauge,
    pub(super) by_user: Option<UserFamilies>,
}

/// What is told of each user, if the operator wants it.
#[derive(Debug, Default)]
pub(super) struct UserFamilies {
    pub(super) questions: Family<ByUserOutcome, Counter>,
    pub(super) tokens: Family<ByUserDirection, Counter>,
    pub(super) slot_seconds: Family<ByUser, Seconds>,
}

impl Families {
    /// Makes and registers all of them. Those whose labels are known begin with zeros, so that
    /// the first event counts as an increase.
    pub(super) fn register(registry: &mut Registry, by_user: bool) -> Self {
        let by_model = |buckets| Family::new_with_constructor(Buckets(buckets));
        let families = Self {
            sessions: Family::default(),
            sessions_started: Counter::default(),
            sessions_ended: Family::default(),
            videos_lost: Family::default(),
            websocket_connections: Gauge::default(),
            questions: Family::default(),
            failures: Family::default(),
            queue_wait: Buckets(&WAIT).new_metric(),
            answer_age: by_model(&ANSWER),
            first_token: by_model(&ANSWER),
            question_duration: by_model(&ANSWER),
            tokens: Family::default(),
            slot_seconds: Seconds::default(),
            limits_reached: Family::default(),
            overloaded: Gauge::default(),
            by_user: by_user.then(UserFamilies::default),
        };
        families.register_sessions(registry);
        families.register_questions(registry);
        families.register_limits(registry);
        if let Some(by_user) = &families.by_user {
            by_user.register(registry);
        }
        families
    }

    fn register_sessions(&self, to: &mut Registry) {
        for state in SessionState::ALL {
            drop(self.sessions.get_or_create(&ByState { state: state.name() }));
        }
        for reason in EndReason::ALL {
            drop(self.sessions_ended.get_or_create(&ByReason { reason: reason.name() }));
        }
        let build = Build { version: env!("CARGO_PKG_VERSION") };
        to.register("build", "The version of the server", Info::new(build));
        to.register("sessions", "Sessions, by the state of their video", self.sessions.clone());
        to.register("sessions_started", "Sessions begun", self.sessions_started.clone());
        to.register("sessions_ended", "Sessions ended, by reason", self.sessions_ended.clone());
        to.register("videos_lost", "Videos that ended by themselves", self.videos_lost.clone());
        to.register(
            "websocket_connections",
            "Pages connected by WebSocket",
            self.websocket_connections.clone(),
        );
    }

    fn register_questions(&self, to: &mut Registry) {
        to.register("questions", "Questions that had a turn, by outcome", self.questions.clone());
        to.register("question_failures", "Questions that failed, by kind", self.failures.clone());
        let mut seconds = |name, help, metric| {
            to.register_with_unit(name, help, Unit::Seconds, metric);
        };
        let answer_age = "From a picture's capture to the end of the answer about it";
        let first_token = "From sending a question to the first token of its answer";
        let duration = "From sending a question to its end";
        seconds("answer_age", answer_age, self.answer_age.clone());
        seconds("first_token", first_token, self.first_token.clone());
        seconds("question_duration", duration, self.question_duration.clone());
        let wait = "From wanting to ask to being allowed to";
        to.register_with_unit("queue_wait", wait, Unit::Seconds, self.queue_wait.clone());
        to.register("tokens", "Tokens read and written by VLMs", self.tokens.clone());
        let slots = "Time that questions held a slot of a VLM";
        to.register_with_unit("slot", slots, Unit::Seconds, self.slot_seconds.clone());
    }

    fn register_limits(&self, to: &mut Registry) {
        to.register("limits_reached", "Refusals, by limit", self.limits_reached.clone());
        let overloaded = "Whether new sessions are refused for want of CPU time or memory";
        to.register("overloaded", overloaded, self.overloaded.clone());
    }
}

impl UserFamilies {
    fn register(&self, to: &mut Registry) {
        to.register("user_questions", "Questions of a user, by outcome", self.questions.clone());
        to.register("user_tokens", "Tokens of a user's questions", self.tokens.clone());
        let slots = "Time that a user's questions held a slot of a VLM";
        to.register_with_unit("user_slot", slots, Unit::Seconds, self.slot_seconds.clone());
    }
}
