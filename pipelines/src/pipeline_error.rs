use std::net::IpAddr;

use gst::glib;
use live_vlm_media_link::OfferError;

/// What failed in a pipeline. The messages are for the log of whoever runs the server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// GStreamer does not start.
    #[error(transparent)]
    GStreamer(#[from] glib::Error),
    /// No plugin has this element.
    #[error("the GStreamer element {0} is not installed")]
    MissingElement(String),
    /// None of the installed decoders for this codec can be opened.
    #[error("no decoder for {0} can be opened")]
    NoDecoder(&'static str),
    /// An element lacks what it has in every GStreamer that we know, or gives it to nobody.
    #[error("{0}")]
    Lacking(&'static str),
    /// Elements cannot be put into a pipeline, linked to each other, or started in it.
    #[error("{0}")]
    Elements(String),
    /// Two pads cannot be linked.
    #[error("the {stream} cannot be linked: {error:?}")]
    Link {
        /// What would go from one to the other.
        stream: &'static str,
        /// Why it does not.
        error: gst::PadLinkError,
    },
    /// The pipeline does not change its state.
    #[error(transparent)]
    State(#[from] gst::StateChangeError),
    /// This address of [`NetworkOptions`](crate::NetworkOptions) is none of this machine.
    #[error("the ICE agent does not take the address {0}")]
    Address(IpAddr),
    /// This process has no DTLS certificate.
    #[error("no DTLS certificate could be made: {0}")]
    Certificate(String),
    /// webrtcbin fails, mostly in its own words.
    #[error("{0}")]
    WebRtc(String),
    /// What webrtcbin answers is no answer for the peer.
    #[error("{0}")]
    SdpAnswer(String),
    /// The connection was closed meanwhile.
    #[error("the connection is being closed")]
    Closed,
    /// A task of ours panicked.
    #[error("{0}")]
    Panicked(String),
}

impl From<glib::BoolError> for PipelineError {
    fn from(error: glib::BoolError) -> Self {
        Self::Elements(error.to_string())
    }
}

impl From<tokio::task::JoinError> for PipelineError {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Panicked(error.to_string())
    }
}

impl From<PipelineError> for OfferError {
    fn from(error: PipelineError) -> Self {
        Self::Pipeline(error.to_string())
    }
}
