use serde::{Deserialize, Serialize};

use crate::{MAX_TEXT, text::shorten};

/// Why a peer connection is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LostReason {
    /// No connection came about in time ([`PeerTimeouts::connect`](crate::PeerTimeouts::connect)).
    #[error("no connection came about in time; a firewall may drop UDP between peer and server")]
    ConnectTimeout,
    /// No media arrived for too long ([`PeerTimeouts::media`](crate::PeerTimeouts::media)).
    #[error("the peer sends no video any more")]
    NoMedia,
    /// The peer closed the connection or said goodbye.
    #[error("the peer hung up")]
    HungUp,
    /// Media arrives, but the peer does not do what it is asked to any more
    /// ([`PeerTimeouts::key_frame`](crate::PeerTimeouts::key_frame)).
    #[error("the server does not reach the peer any more; its address may have changed")]
    Unheard,
    /// ICE found no working path, or lost it.
    #[error("the network path to the peer failed")]
    IceFailed,
    /// The peer's DTLS certificate is not the one in its offer (RFC 8827, section 6.5).
    #[error("the peer's certificate does not match the fingerprint in its offer")]
    FingerprintMismatch,
    /// The peer sends what is not decoded here, in words that tell it what to send: pictures that
    /// are too large, or an unusual profile.
    #[error("the video cannot be decoded here: {0}")]
    UnsupportedVideo(String),
    /// An element of the pipeline failed; the text is for the log, not for the peer.
    #[error("the video pipeline failed: {0}")]
    Pipeline(String),
}

impl LostReason {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::UnsupportedVideo(text) | Self::Pipeline(text) => text,
            _ => "",
        }
    }

    pub(crate) fn shorten(&mut self) {
        if let Self::UnsupportedVideo(text) | Self::Pipeline(text) = self {
            shorten(text, MAX_TEXT);
        }
    }
}
