//! What counts as long as it lives: a session, a connection. Whatever ends, even by a panic, is
//! taken out of the figures.

use prometheus_client::metrics::gauge::Gauge;

use super::{
    Metrics,
    collect::{FrameCounts, Video},
    families::{ByReason, ByState},
};

/// The state of a session's video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// Waits for an offer.
    Ready,
    /// Negotiated; no video yet.
    Connecting,
    /// Video runs.
    Live,
    /// Connected, but no picture has come for a while.
    Waiting,
    /// The peer hung up.
    Stopped,
    /// The video was lost.
    Failed,
}

impl SessionState {
    pub(super) const ALL: [Self; 6] =
        [Self::Ready, Self::Connecting, Self::Live, Self::Waiting, Self::Stopped, Self::Failed];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Waiting => "waiting",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Its page left, and did not come back in time.
    Left,
    /// Its user is not signed in any more.
    SignedOut,
    /// The server stops.
    Closed,
    /// It failed; the log says how.
    Crashed,
}

impl EndReason {
    pub(super) const ALL: [Self; 4] = [Self::Left, Self::SignedOut, Self::Closed, Self::Crashed];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::SignedOut => "signed_out",
            Self::Closed => "closed",
            Self::Crashed => "crashed",
        }
    }
}

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
