use serde::{Deserialize, Serialize};

use crate::{
    ConnectionId, LinkError, MAX_SDP, Message, NetworkOptions, PeerTimeouts, SamplingSettings,
    message::sealed::Sealed, text::shorten,
};

/// The longest ICE candidate, and the longest mid, in bytes: 1 KiB. Browsers' are about 150.
pub const MAX_CANDIDATE: usize = 1024;
/// The longest text of an answer that is shown in the pipeline, in bytes: 32 KiB.
pub const MAX_ANSWER: usize = 32 * 1024;
/// The longest of the texts that come from the configuration, in bytes.
const MAX_CONFIGURED: usize = 1024;

/// What live-vlm tells a media process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ToMedia {
    /// First of all.
    Hello {
        /// [`VERSION`](crate::VERSION).
        version: u32,
        /// What is logged, as `RUST_LOG` has it; at most 1 KiB.
        log: String,
    },
    /// Log by this from now on.
    Log {
        /// As `RUST_LOG` has it; at most 1 KiB.
        log: String,
    },
    /// A sign of life is wanted: [`FromMedia::Pong`](crate::FromMedia::Pong) with this number.
    Ping {
        /// Any number.
        number: u64,
    },
    /// Answer this offer: [`FromMedia::Answered`](crate::FromMedia::Answered).
    Offer {
        /// A new one.
        connection: ConnectionId,
        /// As the peer sent it, at most [`MAX_SDP`].
        sdp: String,
        /// How the peer reaches us.
        network: NetworkOptions,
        /// When the peer is taken for lost.
        timeouts: PeerTimeouts,
        /// When to ask.
        settings: SamplingSettings,
    },
    /// The peer has another ICE candidate.
    Candidate {
        /// Whose.
        connection: ConnectionId,
        /// `sdpMid`, at most [`MAX_CANDIDATE`].
        mid: Option<String>,
        /// `sdpMLineIndex`.
        line: Option<u32>,
        /// As the peer sent it, at most [`MAX_CANDIDATE`].
        candidate: String,
    },
    /// Other settings from now on.
    Settings {
        /// Whose.
        connection: ConnectionId,
        /// All of them.
        settings: SamplingSettings,
    },
    /// Ask about a new frame at once, before the next question would be due.
    AskNow {
        /// Whose.
        connection: ConnectionId,
    },
    /// The turn comes soon: have a fresh frame.
    TurnNear {
        /// Whose.
        connection: ConnectionId,
    },
    /// Ask now, about the newest frame.
    Turn {
        /// Whose.
        connection: ConnectionId,
    },
    /// That was all for this want. The next one may come.
    Ended {
        /// Whose.
        connection: ConnectionId,
        /// When it may come.
        outcome: Outcome,
    },
    /// What the VLM writes, where the pipeline shows it.
    Text {
        /// Whose.
        connection: ConnectionId,
        /// All of the answer so far, shortened to [`MAX_ANSWER`].
        text: String,
        /// Whether that is all of it.
        done: bool,
    },
    /// Hang up: [`FromMedia::Stopped`](crate::FromMedia::Stopped) follows.
    Stop {
        /// Whose. It gets no message any more.
        connection: ConnectionId,
    },
}

/// How a want ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The next question is due after the interval.
    Done,
    /// The next question is due at once: the one before was worth nothing.
    Again,
}

impl ToMedia {
    /// The connection that it is about.
    pub fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Hello { .. } | Self::Log { .. } | Self::Ping { .. } => None,
            Self::Offer { connection, .. }
            | Self::Candidate { connection, .. }
            | Self::Settings { connection, .. }
            | Self::AskNow { connection }
            | Self::TurnNear { connection }
            | Self::Turn { connection }
            | Self::Ended { connection, .. }
            | Self::Text { connection, .. }
            | Self::Stop { connection } => Some(*connection),
        }
    }
}

impl Sealed for ToMedia {}

impl Message for ToMedia {
    fn version(&self) -> Option<u32> {
        match self {
            Self::Hello { version, .. } => Some(*version),
            _ => None,
        }
    }

    fn shorten(&mut self) {
        if let Self::Text { text, .. } = self {
            shorten(text, MAX_ANSWER);
        }
    }

    fn check(&self, attachment: usize) -> Result<(), LinkError> {
        LinkError::bound("attachment", attachment, 0)?;
        match self {
            Self::Hello { log, .. } | Self::Log { log } => {
                LinkError::bound("log", log.len(), MAX_CONFIGURED)
            }
            Self::Offer { sdp, network, settings, .. } => {
                LinkError::bound("sdp", sdp.len(), MAX_SDP)?;
                let stun = network.stun_server.as_deref().unwrap_or_default();
                LinkError::bound("stun_server", stun.len(), MAX_CONFIGURED)?;
                settings.check()
            }
            Self::Candidate { mid, candidate, .. } => {
                let mid = mid.as_deref().unwrap_or_default();
                LinkError::bound("mid", mid.len(), MAX_CANDIDATE)?;
                LinkError::bound("candidate", candidate.len(), MAX_CANDIDATE)
            }
            Self::Settings { settings, .. } => settings.check(),
            Self::Text { text, .. } => LinkError::bound("text", text.len(), MAX_ANSWER),
            _ => Ok(()),
        }
    }
}
