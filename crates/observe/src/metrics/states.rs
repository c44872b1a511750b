//! The states of sessions and the reasons of their ends, as labels name them.

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
