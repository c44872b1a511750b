//! What counts as long as it lives: a session, a connection. Whatever ends, even by a panic, is
//! taken out of the figures.

use live_vlm_pipelines::{FrameCounter, LostReason};
use prometheus_client::metrics::gauge::Gauge;

use super::{
    Metrics,
    collect::Video,
    families::{ByReason, ByState, lost_name, state_name},
};
use crate::protocol::Status;

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
    state: Status,
    video: Option<Video>,
    /// Until somebody says otherwise, whoever drops this has panicked.
    reason: EndReason,
}

impl SessionFigures {
    pub(super) fn new(metrics: Metrics) -> Self {
        let figures =
            Self { metrics, state: Status::Ready, video: None, reason: EndReason::Crashed };
        figures.metrics.shared.families.sessions_started.inc();
        figures.add(1);
        figures
    }

    /// Its video is in this state.
    pub fn set_state(&mut self, state: Status) {
        self.add(-1);
        self.state = state;
        self.add(1);
    }

    /// A new video begins, in place of one that may run.
    pub fn video_began(&mut self, frames: FrameCounter) {
        self.video_ends();
        self.video = Some(self.metrics.shared.frames.begin(frames));
    }

    /// The video is about to be stopped, if there is one.
    pub fn video_ends(&mut self) {
        if let Some(video) = self.video.take() {
            self.metrics.shared.frames.end(video);
        }
    }

    /// The video ended by itself.
    pub fn video_lost(&self, reason: &LostReason) {
        let labels = ByReason { reason: lost_name(reason) };
        self.metrics.shared.families.videos_lost.get_or_create(&labels).inc();
    }

    /// The session ends, for this reason.
    pub fn end(mut self, reason: EndReason) {
        self.reason = reason;
    }

    fn add(&self, count: i64) {
        let labels = ByState { state: state_name(self.state) };
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
