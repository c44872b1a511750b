//! What counts as long as it lives: a session, a connection. Whatever ends, even by a panic, is
//! taken out of the figures.

use prometheus_client::metrics::gauge::Gauge;

use super::{
    Metrics,
    collect::{FrameCounts, Video},
    families::{ByReason, ByState},
    states::{EndReason, SessionState},
};

/// A session in the figures.
#[derive(Debug)]
pub struct SessionFigures {
    metrics: Metrics,
    state: SessionState,
    video: Option<Video>,
    /// Until somebody says otherwise, whoever drops this has panicked.
    reason: EndReason,
}

impl SessionFigures {
    pub(super) fn new(metrics: Metrics) -> Self {
        let figures =
            Self { metrics, state: SessionState::Ready, video: None, reason: EndReason::Crashed };
        figures.metrics.shared.families.sessions_started.inc();
        figures.add(1);
        figures
    }

    /// Its video is in this state.
    pub fn set_state(&mut self, state: SessionState) {
        self.add(-1);
        self.state = state;
        self.add(1);
    }

    /// A new video begins, in place of one that may run. `read` gives its frames so far; it is
    /// called whenever somebody looks, and must not wait.
    pub fn video_began(&mut self, read: impl Fn() -> FrameCounts + Send + Sync + 'static) {
        self.video_ends();
        self.video = Some(self.metrics.shared.frames.begin(read));
    }

    /// The video is about to be stopped, if there is one.
    pub fn video_ends(&mut self) {
        if let Some(video) = self.video.take() {
            self.metrics.shared.frames.end(video);
        }
    }

    /// The video ended by itself, for this reason in one word.
    pub fn video_lost(&self, reason: &'static str) {
        let labels = ByReason { reason };
        self.metrics.shared.families.videos_lost.get_or_create(&labels).inc();
    }

    /// The session ends, for this reason.
    pub fn end(mut self, reason: EndReason) {
        self.reason = reason;
    }

    fn add(&self, count: i64) {
        let labels = ByState { state: self.state.name() };
        self.metrics.shared.families.sessions.get_or_create(&labels).inc_by(count);
    }
}

impl Drop for SessionFigures {
    fn drop(&mut self) {
        self.video_ends();
        self.add(-1);
        let labels = ByReason { reason: self.reason.name() };
        self.metrics.shared.families.sessions_ended.get_or_create(&labels).inc();
    }
}

/// A page's connection in the figures.
#[derive(Debug)]
pub struct ConnectionFigure(Gauge);

impl ConnectionFigure {
    pub(super) fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for ConnectionFigure {
    fn drop(&mut self) {
        self.0.dec();
    }
}
