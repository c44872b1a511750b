use crate::analyze::{Answer, AnswerError};

/// What a peer connection tells its owner.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PeerEvent {
    /// ICE and DTLS are through, and the peer's certificate is the one that it offered.
    Connected,
    /// The first frame was decoded.
    FirstFrame,
    /// The VLM wrote something, or finished.
    Answer(Answer),
    /// A question failed.
    AnswerError(AnswerError),
    /// The connection is over. Nothing follows; its pipeline is being stopped already.
    Lost(LostReason),
}

impl PeerEvent {
    /// What an element's message tells, if it is one of `vlmanalyze`.
    pub(crate) fn from_message(message: &gst::MessageRef) -> Option<Self> {
        if let Some(answer) = Answer::from_message(message) {
            return Some(Self::Answer(answer));
        }
        AnswerError::from_message(message).map(Self::AnswerError)
    }
}

/// Why a peer connection is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
