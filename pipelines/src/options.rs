use live_vlm_media_link::{NetworkOptions, PeerTimeouts};

use crate::{PeerSettings, PipelineError, analyze};

/// What a peer connection is made of.
#[derive(Debug, Clone)]
pub struct PeerOptions {
    /// How the peer reaches us.
    pub network: NetworkOptions,
    /// What is asked.
    pub settings: PeerSettings,
    /// When the peer is taken for lost.
    pub timeouts: PeerTimeouts,
    /// What looks at the decoded frames. It gets those of `settings` that it has properties for.
    pub analyzer: gst::Element,
    /// Given to the pipeline before it starts, to share one dispatcher among all connections.
    pub context: Option<gst::Context>,
}

impl PeerOptions {
    /// Options with `vlmanalyze` and the defaults.
    ///
    /// # Errors
    /// When the element is missing.
    pub fn new(settings: PeerSettings) -> Result<Self, PipelineError> {
        Ok(Self::with_analyzer(settings, analyze::element()?))
    }

    /// Options with another element in the place of `vlmanalyze`: one sink pad, one source pad.
    /// It must belong to no bin, and to no other connection.
    pub fn with_analyzer(settings: PeerSettings, analyzer: gst::Element) -> Self {
        Self {
            network: NetworkOptions::default(),
            settings,
            timeouts: PeerTimeouts::default(),
            analyzer,
            context: None,
        }
    }
}
