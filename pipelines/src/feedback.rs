//! What a peer is told of its packets, and how long missing ones are waited for.

use std::time::Duration;

use gst::{glib, prelude::*};

use crate::{peer, properties::set_if_present};

/// How long a missing packet is waited for that the peer sends again. With 100 ms each way, one that
/// was lost twice comes in time.
const SENT_AGAIN: Duration = Duration::from_millis(500);
/// How long one is waited for that can only have been overtaken by others.
const OVERTAKEN: Duration = Duration::from_millis(100);
/// Bits per second, of which RTCP takes a twentieth. Left to itself GStreamer begins with 64,000, and
/// keeps what it has to say for up to a second in the first five.
const BANDWIDTH: f64 = 1_000_000.0;

/// Has missing packets waited for, and asked for if the peer sends them again. Those that come in
/// their order are passed on at once. To be called before there are any.
pub(crate) fn configure(webrtc: &gst::Element, is_sent_again: bool) {
    set_if_present(webrtc, "latency", millis(if is_sent_again { SENT_AGAIN } else { OVERTAKEN }));
    let Some(rtp) = peer::rtpbin(webrtc) else { return };
    rtp.connect("element-added", false, |values| {
        if let Some(part) = element(values.get(1))
            && part.factory().is_some_and(|factory| factory.name() == "rtpsession")
        {
            set_if_present(&part, "bandwidth", BANDWIDTH);
        }
        None
    });
    rtp.connect("new-jitterbuffer", false, move |values| {
        if let Some(buffer) = element(values.get(1)) {
            // webrtcbin 1.22 does so only for streams whose SSRC is in the offer.
            set_if_present(&buffer, "do-retransmission", is_sent_again);
            // Packets that come less regularly than it expects are not missing.
            set_if_present(&buffer, "rtx-next-seqnum", false);
            // Nor need the first one wait for any before it.
            set_if_present(&buffer, "faststart-min-packets", 1u32);
            // After a gap that is longer than that, it begins anew.
            set_if_present(&buffer, "max-dropout-time", millis(SENT_AGAIN));
        }
        None
    });
}

fn element(value: Option<&glib::Value>) -> Option<gst::Element> {
    value.and_then(|value| value.get().ok())
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
