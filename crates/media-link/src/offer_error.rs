use serde::{Deserialize, Serialize};

use crate::{Codec, LinkError, MAX_SDP, MAX_TEXT, text::shorten};

/// Why an offer got no answer. Every message says what happened and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OfferError {
    /// The offer is longer than [`OfferError::MAX_BYTES`].
    #[error(
        "the offer is {bytes} bytes long and at most {} are read; \
         offer one video track only",
        OfferError::MAX_BYTES
    )]
    TooLarge {
        /// Its length in bytes.
        bytes: usize,
    },
    /// It is no SDP that a browser would send (RFC 8866, RFC 8829).
    #[error(
        "the offer cannot be used: {reason}; send the SDP of RTCPeerConnection.createOffer() unchanged"
    )]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// No media section sends video.
    #[error("the offer sends no video; add a video track to the connection before createOffer()")]
    NoVideo,
    /// Video is offered, but in no codec that can be decoded here.
    #[error(
        "none of the offered video codecs ({}) can be decoded here; offer one of {}{}",
        list(offered),
        names(allowed),
        forms(offered, allowed)
    )]
    UnsupportedCodec {
        /// The codecs offered, as the SDP names them; of those that can be decoded, with the profile
        /// that cannot.
        offered: Vec<String>,
        /// The codecs for which this machine has a decoder.
        allowed: Vec<Codec>,
    },
    /// Something of GStreamer is missing or failed; the text is for the log of whoever runs the
    /// server.
    #[error("the video pipeline could not be started: {0}")]
    Pipeline(String),
    /// Negotiation took longer than it ever should.
    #[error("the connection could not be set up in time; try again")]
    Timeout,
}

/// So many offered codecs are named.
const MAX_OFFERED: usize = 16;
/// The longest name of one, in bytes.
const MAX_NAME: usize = 64;

impl OfferError {
    /// The longest offer that is read: 64 KiB. Chromium's longest are about 10 kB.
    pub const MAX_BYTES: usize = MAX_SDP;

    /// An offer that cannot be read, for this reason.
    pub fn malformed(reason: impl Into<String>) -> Self {
        Self::Malformed { reason: reason.into() }
    }

    pub(crate) fn shorten(&mut self) {
        match self {
            Self::Malformed { reason } | Self::Pipeline(reason) => shorten(reason, MAX_TEXT),
            Self::UnsupportedCodec { offered, allowed } => {
                offered.truncate(MAX_OFFERED);
                offered.iter_mut().for_each(|name| shorten(name, MAX_NAME));
                allowed.truncate(Codec::ALL.len());
            }
            Self::TooLarge { .. } | Self::NoVideo | Self::Timeout => {}
        }
    }

    pub(crate) fn check(&self) -> Result<(), LinkError> {
        match self {
            Self::Malformed { reason } | Self::Pipeline(reason) => {
                LinkError::bound("reason", reason.len(), MAX_TEXT)
            }
            Self::UnsupportedCodec { offered, allowed } => {
                LinkError::bound("offered", offered.len(), MAX_OFFERED)?;
                LinkError::bound("allowed", allowed.len(), Codec::ALL.len())?;
                offered
                    .iter()
                    .try_for_each(|name| LinkError::bound("offered", name.len(), MAX_NAME))
            }
            Self::TooLarge { .. } | Self::NoVideo | Self::Timeout => Ok(()),
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none named".to_owned() } else { names.join(", ") }
}

fn names(codecs: &[Codec]) -> String {
    if codecs.is_empty() {
        return "VP8, H264, VP9 after installing a decoder for it".to_owned();
    }
    codecs.iter().map(|codec| codec.encoding_name()).collect::<Vec<_>>().join(", ")
}

/// What of those codecs is decoded of which another form was offered.
fn forms(offered: &[String], allowed: &[Codec]) -> String {
    let of = |codec: &&Codec| {
        let name = codec.encoding_name();
        offered.iter().any(|offered| offered.split(' ').next() == Some(name))
    };
    let forms: Vec<_> = allowed.iter().filter(of).filter_map(|codec| codec.forms()).collect();
    if forms.is_empty() { String::new() } else { format!(" ({})", forms.join("; ")) }
}
