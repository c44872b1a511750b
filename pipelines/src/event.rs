use live_vlm_media_link::LostReason;

/// What a peer connection tells its owner.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PeerEvent {
    /// ICE and DTLS are through, and the peer's certificate is the one that it offered.
    Connected,
    /// The first frame was decoded.
    FirstFrame,
    /// The connection is over. Nothing follows; its pipeline is being stopped already.
    Lost(LostReason),
}
