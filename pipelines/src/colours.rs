//! The colours of a browser's video, where it does not say them.

use gst::prelude::*;

/// What browsers send when they say nothing: limited range by the matrix of BT.601, whatever the
/// size. VP8 has no other (RFC 6386, section 9.2). GStreamer takes a picture of more than 576 lines
/// for BT.709.
const UNSAID: &str = "bt601";

/// Says to a decoder what its input leaves unsaid. To be called before there is any video.
pub(crate) fn say(inlet: &gst::Pad) {
    inlet.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, |_, info| {
        if let Some(event) = info.event_mut()
            && let Some(said) = with_colours(event)
        {
            *event = said;
        }
        gst::PadProbeReturn::Ok
    });
}

/// `None` where there is nothing to add.
fn with_colours(event: &gst::Event) -> Option<gst::Event> {
    let gst::EventView::Caps(caps) = event.view() else { return None };
    let mut caps = caps.caps_owned();
    if caps.structure(0)?.has_field("colorimetry") {
        return None;
    }
    caps.make_mut().set("colorimetry", UNSAID);
    Some(gst::event::Caps::builder(&caps).seqnum(event.seqnum()).build())
}
