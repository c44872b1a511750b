use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::micros;

/// How long a connection waits before it takes its peer for lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerTimeouts {
    /// From the answer to the connection. Default: 15 s.
    #[serde(rename = "connect_us", with = "micros")]
    pub connect: Duration,
    /// Without any media. Default: 10 s.
    #[serde(rename = "media_us", with = "micros")]
    pub media: Duration,
    /// Without any media after the peer said goodbye to one of its streams (RTCP BYE), which may be
    /// followed by another. Default: 1 s.
    #[serde(rename = "goodbye_us", with = "micros")]
    pub goodbye: Duration,
    /// Without a key frame, whatever it is asked, from a peer that sent them before when it was
    /// asked to. Default: 15 s.
    #[serde(rename = "key_frame_us", with = "micros")]
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
