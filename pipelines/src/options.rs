use live_vlm_media_link::{NetworkOptions, PeerTimeouts, SamplingSettings};

use crate::{PipelineError, analyze};

/// What a peer connection is made of.
#[derive(Debug, Clone)]
pub struct PeerOptions {
    /// How the peer reaches us.
    pub network: NetworkOptions,
    /// When to ask.
    pub settings: SamplingSettings,
    /// When the peer is taken for lost.
    pub timeouts: PeerTimeouts,
    /// What looks at the decoded frames. It gets those of `settings` that it has properties for.
    pub analyzer: gst::Element,
    /// Given to the pipeline before it starts, to tell its elements who asks.
    pub context: Option<gst::Context>,
}

impl PeerOptions {
    /// Options with `vlmanalyze` and the defaults.
    ///
    /// # Errors
    /// When the element is missing.
    pub fn new(settings: SamplingSettings) -> Result<Self, PipelineError> {
        Ok(Self::with_analyzer(settings, analyze::element()?))
    }

    /// Options with another element in the place of `vlmanalyze`: one sink pad, one source pad.
    /// It must belong to no bin, and to no other connection.
    pub fn with_analyzer(settings: SamplingSettings, analyzer: gst::Element) -> Self {
        Self {
            network: NetworkOptions::default(),
            settings,
            timeouts: PeerTimeouts::default(),
            analyzer,
            context: None,
        }
    }
}
