use std::{net::IpAddr, time::Duration};

use crate::{PeerSettings, PipelineError, analyze};

/// How a peer reaches us.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkOptions {
    /// The only address to offer and listen on, `127.0.0.1` say. Default: every interface's.
    pub bind: Option<IpAddr>,
    /// One more address beside `bind`, without which it does not count; if it is not to be had,
    /// the connection is made without it. Default: none.
    pub also_bind: Option<IpAddr>,
    /// The lowest UDP port to use. Default: any.
    pub min_port: Option<u16>,
    /// The highest UDP port to use, inclusive. Default: any. A connection takes one or two ports.
    pub max_port: Option<u16>,
    /// A STUN server as `stun://host:port`, for when the server is behind NAT. Default: none.
    pub stun_server: Option<String>,
}

/// How long a connection waits before it takes its peer for lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerTimeouts {
    /// From the answer to the connection. Default: 15 s.
    pub connect: Duration,
    /// Without any media. Default: 10 s.
    pub media: Duration,
    /// Without any media after the peer said goodbye to one of its streams (RTCP BYE), which may be
    /// followed by another. Default: 1 s.
    pub goodbye: Duration,
    /// Without a key frame, whatever it is asked, from a peer that sent them before when it was
    /// asked to. Default: 15 s.
    pub key_frame: Duration,
}

impl Default for PeerTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            media: Duration::from_secs(10),
            goodbye: Duration::from_secs(1),
            key_frame: Duration::from_secs(15),
        }
    }
}

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
