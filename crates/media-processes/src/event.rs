use std::{sync::Arc, time::Duration};

use live_vlm_media_link::LostReason;

use crate::cause::Cause;

/// What a connection tells its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerEvent {
    /// ICE and DTLS are through, and the peer's certificate is the one that it offered.
    Connected,
    /// The first frame was decoded.
    FirstFrame,
    /// Frames are wanted of a peer that sends them on demand: so many, so far apart. It may be told
    /// again if they do not come.
    FrameWanted {
        /// How many.
        frames: u32,
        /// The time between two of them.
        spacing: Duration,
    },
    /// The connection is over, but for [`Peer::stop`](crate::Peer::stop). Only `Gone` may follow.
    Lost(LostReason),
    /// The media process has ended, and the connection with it, through whosever fault. Nothing
    /// follows. The cause is for the log, not for the peer.
    Gone(Arc<Cause>),
}
