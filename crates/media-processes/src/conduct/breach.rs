use std::time::Duration;

use live_vlm_media_link::{ConnectionId, LinkError};

use crate::deadlines::Due;

/// What a media process did that no honest one does, in words for the log: "media process 3 ...".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Breach {
    /// It spoke of a connection that it does not have.
    #[error("spoke of connection {0}, which it does not have")]
    UnknownConnection(ConnectionId),
    /// A message that must not come there.
    #[error("{what} (connection {connection})")]
    OutOfOrder {
        /// Whose message.
        connection: ConnectionId,
        /// What it did.
        what: &'static str,
    },
    /// A reply to a ping that was not sent.
    #[error("replied to a ping that it did not get")]
    WrongPong,
    /// It said twice that it is ready, or something before that.
    #[error("did not begin with being ready")]
    NotReady,
    /// A message that this side does not know.
    #[error("sent a message that has no meaning here")]
    Meaningless,
    /// More messages than anybody has a reason to send.
    #[error("sent more messages than it may")]
    Flood,
    /// More bytes than anybody has a reason to send.
    #[error("sent longer messages than it may")]
    FloodOfBytes,
    /// Something did not come in time.
    #[error("{due} within {within:?}")]
    Silence {
        /// What.
        due: Due,
        /// How long it was waited for.
        within: Duration,
    },
    /// It does not take what it is sent.
    #[error("does not read what it is sent")]
    DoesNotRead,
    /// It closed the link, and goes on.
    #[error("closed its link without ending")]
    HungUp,
    /// It speaks another version of the link.
    #[error("is of another version: {0}")]
    Version(String),
    /// It sent something that breaks a rule of the link.
    #[error("sent something wrong: {0}")]
    Link(String),
}

impl Breach {
    /// Which one, in one word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::UnknownConnection(_) => "unknown_connection",
            Self::OutOfOrder { .. } | Self::WrongPong | Self::NotReady => "out_of_order",
            Self::Flood | Self::FloodOfBytes => "flood",
            Self::Silence { .. } | Self::DoesNotRead => "silence",
            Self::HungUp => "hung_up",
            Self::Version(_) => "version",
            Self::Link(_) | Self::Meaningless => "bad_message",
        }
    }

    /// What this error of the link says about the process at the other end: nothing, if it may have
    /// ended by itself while it wrote.
    pub fn of_link(error: &LinkError) -> Option<Self> {
        match error {
            LinkError::Io(_) | LinkError::Cut => None,
            LinkError::Version { .. } => Some(Self::Version(error.to_string())),
            _ => Some(Self::Link(error.to_string())),
        }
    }
}
