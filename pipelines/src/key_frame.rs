//! Asking a peer for a key frame (RTCP PLI or FIR).

use gst::prelude::*;
use gst_video::UpstreamForceKeyUnitEvent;

/// The event that goes upstream to webrtcbin.
pub(crate) fn request() -> gst::Event {
    UpstreamForceKeyUnitEvent::builder().all_headers(true).build()
}

/// Asks from this sink pad upwards.
pub(crate) fn ask(sink: &gst::Pad) {
    if !sink.push_event(request()) {
        tracing::debug!("the peer could not be asked for a key frame");
    }
}
