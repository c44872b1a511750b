//! Asking a peer for a key frame (RTCP PLI or FIR).

use std::sync::Arc;

use gst::prelude::*;
use gst_video::{ForceKeyUnitEvent, UpstreamForceKeyUnitEvent};

use crate::shared::Shared;

/// The event that goes upstream to webrtcbin.
pub(crate) fn request() -> gst::Event {
    UpstreamForceKeyUnitEvent::builder().all_headers(true).build()
}

/// Lets a depayloader with these pads ask the peer by itself only where frames are needed: those of
/// GStreamer 1.22 ask for every frame that they drop. Elements behind it may always ask, but not so
/// often that key frames fill a thin line.
pub(crate) fn hold_back(sink: &gst::Pad, source: &gst::Pad, shared: &Arc<Shared>) {
    let inlet = sink.downgrade();
    let asked = shared.clone();
    source.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
        let before = inlet.upgrade().and_then(|inlet| inlet.peer());
        match info.event().filter(|event| ForceKeyUnitEvent::is(event)).zip(before) {
            Some((event, before)) => {
                if asked.request_key_frame() {
                    // Past the other probe.
                    before.send_event(event.clone());
                }
                gst::PadProbeReturn::Handled
            }
            None => gst::PadProbeReturn::Ok,
        }
    });
    let shared = shared.clone();
    sink.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
        let asks = info.event().is_some_and(|event| ForceKeyUnitEvent::is(event));
        match asks && !shared.may_ask_for_key_frame() {
            true => gst::PadProbeReturn::Handled,
            false => gst::PadProbeReturn::Ok,
        }
    });
}

/// Asks from a depayloader's sink pad upwards, though its own requests are held back there.
pub(crate) fn ask_past(sink: &gst::Pad) {
    if !sink.peer().is_some_and(|before| before.send_event(request())) {
        tracing::debug!("nobody takes a request for a key frame");
    }
}

/// Asks from this sink pad upwards.
pub(crate) fn ask(sink: &gst::Pad) {
    if !sink.push_event(request()) {
        tracing::debug!("the peer could not be asked for a key frame");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::{
        Codec, DecodeMode,
        gate::{Frame, Verdict},
        offer::Offer,
    };

    #[test]
    fn only_what_a_depayloader_asks_by_itself_is_held_back() {
        gst::init().unwrap();
        let offer = Offer::parse(include_str!("offer/chromium.sdp"), &[Codec::Vp8]).unwrap();
        let shared = Arc::new(Shared::new(offer, DecodeMode::KeyFramesOnly, Box::new(|_| ())));
        let asked = Arc::new(AtomicU32::new(0));
        let counted = asked.clone();
        let before = gst::Pad::builder(gst::PadDirection::Src)
            .event_function(move |_, _, event| {
                let asks = ForceKeyUnitEvent::is(&event);
                counted.fetch_add(u32::from(asks), Ordering::Relaxed);
                asks
            })
            .build();
        let behind = gst::Pad::builder(gst::PadDirection::Sink).build();
        let depayloader = gst::ElementFactory::make("identity").build().unwrap();
        let pads = ["sink", "src"].map(|name| depayloader.static_pad(name).unwrap());
        let [sink, source] = &pads;
        before.link(sink).unwrap();
        source.link(&behind).unwrap();
        depayloader.set_state(gst::State::Paused).unwrap();
        before.set_active(true).unwrap();
        behind.set_active(true).unwrap();
        hold_back(sink, source, &shared);
        let asked = || asked.swap(0, Ordering::Relaxed);

        (0..3).for_each(|_| ask(sink));
        assert_eq!(asked(), 1, "before the first frame, in a moment");
        assert_eq!(shared.judge(Frame::Key, || true), Verdict::Pass);
        ask(sink);
        assert_eq!(asked(), 0, "afterwards");
        (0..3).for_each(|_| ask(&behind));
        assert_eq!(asked(), 1, "of those behind it, in a moment");
        ask_past(sink);
        assert_eq!(asked(), 1, "of what watches it");
        depayloader.set_state(gst::State::Null).unwrap();
    }
}
