use serde::{Deserialize, Serialize};

/// Frames of one peer connection since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameCounts {
    /// Encoded frames that came from the peer.
    pub received: u64,
    /// Those of them that went to the decoder.
    pub decoded: u64,
    /// Those that a VLM was asked about.
    pub asked: u64,
    /// Questions that were passed over, as nothing had changed since the last one.
    pub unchanged: u64,
}
