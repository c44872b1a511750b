//! The elements between webrtcbin and the analysing one.

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

use gst::{glib, prelude::*};
use gst_app::AppSrc;
use gst_video::ForceKeyUnitEvent;

use crate::{
    DecodeMode, LostReason, PeerEvent, PipelineError, admission, codec, colours, key_frame,
    lock::lock, properties::set_if_present, shared::Shared, webrtc,
};

/// At most half a second of packets' frames waits to be sent back; the oldest are dropped.
const ECHO_FRAMES: u64 = 15;
/// Nor more bytes than an ordinary peer's frames of that time have.
const ECHO_BYTES: u64 = 4 << 20;

/// What a peer connection keeps of its elements, for changing settings while it runs.
pub(crate) struct Chain {
    shared: Arc<Shared>,
    pipeline: glib::WeakRef<gst::Pipeline>,
    analyzer: glib::WeakRef<gst::Element>,
    /// Where the echo begins, when the peer wants its video back.
    echo: glib::WeakRef<AppSrc>,
    /// Whether a pad was chosen to be decoded.
    taken: AtomicBool,
    inlet: Mutex<Option<Inlet>>,
}

/// The elements that a video pad got.
#[derive(Clone)]
struct Inlet {
    depayloader: glib::WeakRef<gst::Element>,
    decoder: glib::WeakRef<gst::Pad>,
}

impl Chain {
    pub(crate) fn new(
        shared: Arc<Shared>,
        pipeline: &gst::Pipeline,
        analyzer: &gst::Element,
    ) -> Self {
        watch_first_frame(analyzer, &shared);
        Self {
            shared,
            pipeline: pipeline.downgrade(),
            analyzer: analyzer.downgrade(),
            echo: glib::WeakRef::new(),
            taken: AtomicBool::new(false),
            inlet: Mutex::new(None),
        }
    }

    /// Has the video sent back through `echo`. To be called before there is any.
    pub(crate) fn send_back_through(&self, echo: &AppSrc) {
        self.echo.set(Some(echo));
    }

    /// Takes a pad on which webrtcbin received something. Called from a streaming thread.
    pub(crate) fn attach(&self, webrtc: &gst::Element, pad: &gst::Pad) {
        if pad.direction() != gst::PadDirection::Src {
            return;
        }
        if !confirm(webrtc, &self.shared) {
            discard(pad);
            return;
        }
        let shared = self.shared.clone();
        let packets = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
        pad.add_probe(packets, move |pad, _| {
            if shared.mark_media() {
                pad.send_event(key_frame::request());
            }
            gst::PadProbeReturn::Ok
        });
        if !is_video(pad) || self.taken.swap(true, Ordering::AcqRel) {
            // A second stream, as when a browser changes its SSRC: nothing decodes it, and an
            // unlinked pad would be an error.
            discard(pad);
            return;
        }
        if let Err(error) = self.build(pad) {
            discard(pad);
            self.shared.lose(LostReason::Pipeline(error.to_string()));
        }
    }

    fn build(&self, pad: &gst::Pad) -> Result<(), PipelineError> {
        let (Some(pipeline), Some(analyzer)) = (self.pipeline.upgrade(), self.analyzer.upgrade())
        else {
            return Err(PipelineError::Closed);
        };
        let codec = self.shared.offer.codec();
        let mut elements = codec::depayloaders(codec)?;
        let depayloader = elements[0].clone();
        // After a loss, nothing that builds on it is decoded.
        set_if_present(&depayloader, "wait-for-keyframe", true);
        let decoder = codec::decoder(codec)?;
        elements.push(decoder.clone());

        pipeline.add_many(&elements)?;
        gst::Element::link_many(&elements)?;
        decoder.link(&analyzer)?;
        let inlet = decoder
            .static_pad("sink")
            .ok_or(PipelineError::Lacking("the decoder has no sink pad"))?;
        if let Some(echo) = self.echo.upgrade() {
            // Before the gate, which keeps most of it back.
            copy_to(&inlet, &echo);
        }
        colours::say(&inlet);
        admission::guard(&inlet, decoder.static_pad("src").as_ref(), &self.shared);
        *self.lock() =
            Some(Inlet { depayloader: depayloader.downgrade(), decoder: inlet.downgrade() });
        self.follow_mode(self.shared.mode());

        for element in elements.iter().rev() {
            element.sync_state_with_parent()?;
        }
        let sink = depayloader
            .static_pad("sink")
            .ok_or(PipelineError::Lacking("the depayloader has no sink pad"))?;
        let outlet = depayloader
            .static_pad("src")
            .ok_or(PipelineError::Lacking("the depayloader has no source pad"))?;
        key_frame::hold_back(&sink, &outlet, &self.shared);
        admission::drop_broken(&sink, codec);
        admission::watch_unfinished(&sink, &outlet, self.shared.clone());
        pad.link(&sink).map_err(|error| PipelineError::Link { stream: "video", error })?;
        Ok(())
    }

    /// Changes what is decoded while the video runs.
    pub(crate) fn set_mode(&self, mode: DecodeMode) {
        let needs_key_frame = self.shared.set_mode(mode);
        self.follow_mode(mode);
        if needs_key_frame {
            self.ask_for_key_frame();
        }
    }

    /// Only when deltas are decoded does a lost one matter enough to ask for a new start.
    fn follow_mode(&self, mode: DecodeMode) {
        if let Some(depayloader) = self.inlet().and_then(|inlet| inlet.depayloader.upgrade()) {
            set_if_present(&depayloader, "request-keyframe", mode.decodes_deltas());
        }
    }

    fn ask_for_key_frame(&self) {
        if let Some(pad) = self.inlet().and_then(|inlet| inlet.decoder.upgrade()) {
            key_frame::ask(&pad);
        }
    }

    fn inlet(&self) -> Option<Inlet> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Inlet>> {
        lock(&self.inlet)
    }
}

/// The peer is connected: if it is the one that made the offer, the connection's owner is told,
/// once. Compares the peer's certificate with the offer's fingerprints, which webrtcbin 1.22 does
/// not. Ends the connection when they differ, and when there is none to compare.
pub(crate) fn confirm(webrtc: &gst::Element, shared: &Shared) -> bool {
    let certificates = webrtc::peer_certificates(webrtc);
    let matches =
        !certificates.is_empty() && certificates.iter().all(|pem| shared.offer.announces(pem));
    if !matches {
        shared.lose(LostReason::FingerprintMismatch);
    } else {
        shared.mark_connected();
    }
    matches
}

/// The way back to the peer: from the returned element to webrtcbin's sink pad `sink`. It is fed
/// by hand, because a link from webrtcbin around to itself is a loop, which bins do not like.
pub(crate) fn echo(
    pipeline: &gst::Pipeline,
    shared: &Shared,
    sink: &gst::Pad,
) -> Result<AppSrc, PipelineError> {
    // webrtcbin holds what it sends until it is connected; the video itself must not wait.
    let source = AppSrc::builder()
        .format(gst::Format::Time)
        .is_live(true)
        .max_buffers(ECHO_FRAMES)
        .max_bytes(ECHO_BYTES)
        .leaky_type(gst_app::AppLeakyType::Downstream)
        .build();
    let format = &shared.offer.video.format;
    let payloader = codec::payloader(format.codec, format.payload)?;
    pipeline.add_many([source.upcast_ref(), &payloader])?;
    source.link(&payloader)?;
    let outlet = payloader
        .static_pad("src")
        .ok_or(PipelineError::Lacking("the payloader has no source pad"))?;
    outlet.link(sink).map_err(|error| PipelineError::Link { stream: "echo", error })?;
    payloader.sync_state_with_parent()?;
    source.sync_state_with_parent()?;
    Ok(source)
}

/// Gives `echo` what comes to `inlet`, and the peer what its own viewer asks for: key frames.
fn copy_to(inlet: &gst::Pad, echo: &AppSrc) {
    let what = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    let target = echo.downgrade();
    inlet.add_probe(what, move |_, info| {
        let Some(echo) = target.upgrade() else { return gst::PadProbeReturn::Ok };
        match &info.data {
            // It refuses when it is being stopped.
            Some(gst::PadProbeData::Buffer(buffer)) => drop(echo.push_buffer(buffer.clone())),
            Some(gst::PadProbeData::Event(event)) => {
                if let gst::EventView::Caps(caps) = event.view() {
                    echo.set_caps(Some(&caps.caps_owned()));
                }
            }
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
    let Some(outlet) = echo.static_pad("src") else { return };
    let origin = inlet.downgrade();
    outlet.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
        let asked = info.event().is_some_and(|event| ForceKeyUnitEvent::is(event));
        if let Some(origin) = origin.upgrade().filter(|_| asked) {
            key_frame::ask(&origin);
        }
        gst::PadProbeReturn::Ok
    });
}

fn watch_first_frame(analyzer: &gst::Element, shared: &Arc<Shared>) {
    let Some(pad) = analyzer.sink_pads().into_iter().next() else { return };
    let shared = shared.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        shared.tell(PeerEvent::FirstFrame);
        gst::PadProbeReturn::Remove
    });
}

/// Drops what comes on a pad that nothing is linked to.
pub(crate) fn discard(pad: &gst::Pad) {
    let packets = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    pad.add_probe(packets, |_, _| gst::PadProbeReturn::Handled);
}

fn is_video(pad: &gst::Pad) -> bool {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    caps.structure(0).is_some_and(|caps| caps.get::<&str>("media") == Ok("video"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Codec, offer::Offer};

    #[test]
    fn what_waits_to_be_sent_back_is_bounded_in_frames_and_in_bytes() {
        gst::init().unwrap();
        let offer = Offer::parse(include_str!("offer/chromium.sdp"), &[Codec::Vp8]).unwrap();
        let shared = Shared::new(offer, DecodeMode::All, Box::new(|_| ()));
        let pipeline = gst::Pipeline::new();
        let sink = gst::ElementFactory::make("fakesink").build().unwrap();
        pipeline.add(&sink).unwrap();
        let echo = echo(&pipeline, &shared, &sink.static_pad("sink").unwrap()).unwrap();
        // What is live gives nothing before it plays.
        pipeline.set_state(gst::State::Paused).unwrap();
        for (bytes, most) in [(1 << 20, ECHO_BYTES), (1000, ECHO_FRAMES * 1000)] {
            for _ in 0..100 {
                echo.push_buffer(gst::Buffer::from_slice(vec![0; bytes])).unwrap();
            }
            let waiting = echo.current_level_bytes();
            assert!((most / 2..=most).contains(&waiting), "{waiting} of frames of {bytes} bytes");
        }
        pipeline.set_state(gst::State::Null).unwrap();
    }
}
