//! What a peer is told of its packets, and how long missing ones are waited for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use gst::{glib, prelude::*};

use crate::{properties::set_if_present, shared::Shared, webrtc};

/// How long a missing packet is waited for that the peer sends again, at least and at most.
const SENT_AGAIN: [Duration; 2] = [Duration::from_millis(500), Duration::from_millis(1500)];
/// It is only changed by so much, as the way to a peer is never quite the same.
const STEP: Duration = Duration::from_millis(250);
/// How long one is waited for that can only have been overtaken by others.
const OVERTAKEN: Duration = Duration::from_millis(100);
/// Bits per second, of which RTCP takes a twentieth. Left to itself GStreamer begins with 64,000, and
/// keeps what it has to say for up to a second in the first five.
const BANDWIDTH: f64 = 1_000_000.0;

/// Makes GStreamer wait for missing packets, and ask for them if the peer sends them again. Packets
/// in order are passed on at once. Call it before there are any.
pub(crate) fn configure(webrtc: &gst::Element, shared: &Arc<Shared>) {
    let is_sent_again = shared.offer.video.format.sends_lost_packets_again();
    let wait = if is_sent_again { wait_for_sent_again(None) } else { OVERTAKEN };
    set_if_present(webrtc, "latency", millis(wait));
    let Some(rtp) = webrtc::rtpbin(webrtc) else { return };
    rtp.connect("element-added", false, |values| {
        if let Some(part) = element(values.get(1))
            && part.factory().is_some_and(|factory| factory.name() == "rtpsession")
        {
            set_if_present(&part, "bandwidth", BANDWIDTH);
        }
        None
    });
    let shared = shared.clone();
    rtp.connect("new-jitterbuffer", false, move |values| {
        if let Some(buffer) = element(values.get(1)) {
            // webrtcbin 1.22 does so only for streams whose SSRC is in the offer.
            set_if_present(&buffer, "do-retransmission", is_sent_again);
            // Packets that come less regularly than it expects are not missing.
            set_if_present(&buffer, "rtx-next-seqnum", false);
            // Nor need the first one wait for any before it.
            set_if_present(&buffer, "faststart-min-packets", 1u32);
            // After a gap that is longer than that, it begins anew.
            set_if_present(&buffer, "max-dropout-time", millis(SENT_AGAIN[0]));
            if is_sent_again {
                adapt_wait(&buffer, wait, shared.clone());
            }
        }
        None
    });
}

/// Makes a jitter buffer wait as long as this peer needs to send a packet again.
fn adapt_wait(buffer: &gst::Element, wait: Duration, shared: Arc<Shared>) {
    let Some(outlet) = buffer.static_pad("src") else { return };
    let waits = AtomicU32::new(millis(wait));
    let buffer = buffer.downgrade();
    let packets = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    outlet.add_probe(packets, move |_, _| {
        let wanted = millis(wait_for_sent_again(shared.key_frames_take()));
        if waits.swap(wanted, Ordering::Relaxed) != wanted
            && let Some(buffer) = buffer.upgrade()
        {
            let span = &shared.span;
            tracing::debug!(parent: span, wait_ms = wanted, "waiting longer or shorter for packets");
            set_if_present(&buffer, "latency", wanted);
        }
        gst::PadProbeReturn::Ok
    });
}

/// How long to wait for a lost packet, which may be lost once more when it is sent again. A request
/// for a key frame and the frame go there and back, as do a request for a packet and the packet.
fn wait_for_sent_again(key_frames_take: Option<Duration>) -> Duration {
    let [least, most] = SENT_AGAIN;
    let wait = (key_frames_take.unwrap_or_default() * 3).clamp(least, most);
    let steps = wait.as_millis().div_ceil(STEP.as_millis());
    STEP * u32::try_from(steps).unwrap_or(1)
}

fn element(value: Option<&glib::Value>) -> Option<gst::Element> {
    value.and_then(|value| value.get().ok())
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_packets_are_waited_for_as_long_as_the_way_takes_within_bounds() {
        let wait = |ms| wait_for_sent_again(Some(Duration::from_millis(ms))).as_millis();
        assert_eq!(wait_for_sent_again(None).as_millis(), 500);
        assert_eq!(
            [30, 160, 240, 260, 400, 650, 60_000].map(wait),
            [500, 500, 750, 1000, 1250, 1500, 1500]
        );
    }
}
