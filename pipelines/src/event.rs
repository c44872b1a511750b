use live_vlm_media_link::LostReason;

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
