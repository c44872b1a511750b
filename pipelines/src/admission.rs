//! What of a peer's video reaches a decoder, and what ends its connection instead.

use std::{ops::ControlFlow, sync::Arc};

use gst::prelude::*;

use crate::{
    Codec, LostReason,
    gate::{Frame, Verdict},
    key_frame, packet,
    picture_size::{self, Refusal},
    shared::Shared,
    unfinished::{self, Backlog, Unfinished},
};

/// Watches the sink pad and the source pad of a decoder. To be called before there is any video,
/// and after whatever wants to see the frames that are kept back.
pub(crate) fn guard(inlet: &gst::Pad, outlet: Option<&gst::Pad>, shared: &Arc<Shared>) {
    install_gate(inlet, shared.clone());
    for pad in [Some(inlet), outlet].into_iter().flatten() {
        admit_caps(pad, shared);
    }
}

/// Keeps from a depayloader the packets that it cannot take.
pub(crate) fn drop_broken(inlet: &gst::Pad, codec: Codec) {
    let is_whole = move |packet: &gst::BufferRef| {
        packet.map_readable().is_ok_and(|bytes| packet::is_whole(codec, &bytes))
    };
    let packets = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    inlet.add_probe(packets, move |_, info| {
        match &mut info.data {
            Some(gst::PadProbeData::Buffer(packet)) if !is_whole(packet) => {
                return gst::PadProbeReturn::Handled;
            }
            Some(gst::PadProbeData::BufferList(list)) if !list.iter().all(&is_whole) => {
                list.make_mut().foreach_mut(|packet, _| {
                    ControlFlow::Continue(is_whole(&packet).then_some(packet))
                });
            }
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}

/// Ends the connection of a peer whose frames have no end: a depayloader keeps their packets.
pub(crate) fn watch_unfinished(inlet: &gst::Pad, outlet: &gst::Pad, shared: Arc<Shared>) {
    let packets = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    let unfinished = Arc::new(Unfinished::default());
    let finished = unfinished.clone();
    outlet.add_probe(packets, move |_, _| {
        finished.gave();
        gst::PadProbeReturn::Ok
    });
    inlet.add_probe(packets, move |pad, info| {
        let bytes = match &info.data {
            Some(gst::PadProbeData::Buffer(packet)) => packet.size(),
            Some(gst::PadProbeData::BufferList(list)) => list.calculate_size(),
            _ => 0,
        };
        match unfinished.took(bytes) {
            Backlog::Usual => {}
            Backlog::Overdue => key_frame::ask_past(pad),
            Backlog::TooMuch => {
                let most = unfinished::MOST >> 20;
                shared.lose(LostReason::UnsupportedVideo(format!(
                    "{most} MiB came without a complete frame; send smaller ones"
                )));
                return gst::PadProbeReturn::Handled;
            }
        }
        gst::PadProbeReturn::Ok
    });
}

/// Keeps from the decoder what is not to be decoded. Only what passes costs more than a look at
/// its flags.
fn install_gate(decoder: &gst::Pad, shared: Arc<Shared>) {
    decoder.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
        let delta = buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let frame = if delta { Frame::Delta } else { Frame::Key };
        match shared.judge(frame, || admit(buffer, &shared)) {
            Verdict::Pass => return gst::PadProbeReturn::Ok,
            Verdict::Drop => {}
            Verdict::DropAndAsk => key_frame::ask(pad),
        }
        // Not `Drop`: GStreamer 1.22 complains about the buffer that the probe already freed.
        gst::PadProbeReturn::Handled
    });
}

/// Whether a decoder may see this frame, whatever it says of itself. Ends the connection of a peer
/// whose pictures would take the memory of everybody.
fn admit(frame: &mut gst::Buffer, shared: &Shared) -> bool {
    let checked = match frame.map_readable() {
        Ok(bytes) => picture_size::check(shared.offer.codec(), &bytes),
        Err(_) => return false,
    };
    match checked {
        Ok(None) => true,
        Ok(Some(trailer)) => {
            frame.make_mut().append_memory(gst::Memory::from_slice(trailer));
            true
        }
        Err(Refusal::Unreadable) => false,
        Err(Refusal::Unsupported(why)) => {
            shared.lose(LostReason::UnsupportedVideo(why));
            false
        }
    }
}

/// As [`admit`], for what is said before any frame: depayloaders and parsers that know the size
/// tell it, and so does the decoder.
fn admit_caps(pad: &gst::Pad, shared: &Arc<Shared>) {
    let shared = shared.clone();
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        let refused = info.event().and_then(|event| match event.view() {
            gst::EventView::Caps(caps) => refuse_caps(caps.caps(), shared.offer.codec()),
            _ => None,
        });
        match refused {
            None => gst::PadProbeReturn::Ok,
            Some(reason) => {
                shared.lose(reason);
                gst::PadProbeReturn::Handled
            }
        }
    });
}

fn refuse_caps(caps: &gst::CapsRef, codec: Codec) -> Option<LostReason> {
    let caps = caps.structure(0)?;
    // Other forms have their parameter sets elsewhere, where nobody reads how large a picture is.
    let form = caps.get::<&str>("stream-format").ok().filter(|_| codec == Codec::H264);
    if form.is_some_and(|form| form != "byte-stream") {
        return Some(LostReason::Pipeline("the decoder wants another form of H.264".to_owned()));
    }
    let edge = |name| caps.get::<i32>(name).ok().and_then(|edge| u32::try_from(edge).ok());
    match picture_size::check_size(edge("width")?, edge("height")?) {
        Err(Refusal::Unsupported(why)) => Some(LostReason::UnsupportedVideo(why)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use gst_app::AppSrc;

    use super::*;
    use crate::{DecodeMode, offer::Offer};

    fn refused(caps: &gst::Caps) -> Option<LostReason> {
        refuse_caps(caps, Codec::H264)
    }

    #[test]
    fn only_pictures_beyond_the_limit_are_refused_by_their_caps() {
        gst::init().unwrap();
        let caps = |width: i32, height: i32| {
            gst::Caps::builder("video/x-vp8").field("width", width).field("height", height).build()
        };
        assert_eq!(refused(&caps(3840, 2160)), None);
        assert_eq!(refused(&gst::Caps::new_empty_simple("video/x-vp8")), None);
        for (width, height) in [(640, 4097), (16_383, 16_383), (4096, 4096)] {
            let reason = refused(&caps(width, height)).unwrap().to_string();
            assert!(reason.contains(&format!("{width}x{height} is larger")), "{reason}");
        }
    }

    #[test]
    fn h264_is_given_to_a_decoder_only_in_the_form_that_is_read() {
        gst::init().unwrap();
        let caps = |form: &str| {
            gst::Caps::builder("video/x-h264").field("stream-format", form.to_owned()).build()
        };
        assert_eq!(refused(&caps("byte-stream")), None);
        assert!(matches!(refused(&caps("avc")), Some(LostReason::Pipeline(_))));
    }

    /// Gives a depayloader that is watched the packets of a frame of so many bytes. How many of its
    /// bytes came out again, and what the connection's owner was told.
    fn depayloaded(bytes: usize) -> (usize, Vec<String>) {
        gst::init().unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = told.clone();
        let events = move |event| tell.lock().unwrap().push(format!("{event:?}"));
        let offer = Offer::parse(include_str!("offer/chromium.sdp"), &[Codec::Vp8]).unwrap();
        let shared = Arc::new(Shared::new(offer, DecodeMode::All, Box::new(events)));
        let line = "appsrc name=source format=time caps=video/x-vp8 ! rtpvp8pay ! \
                    rtpvp8depay name=depayloader ! fakesink name=sink sync=false";
        let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let pad =
            |element: &str, pad: &str| pipeline.by_name(element).unwrap().static_pad(pad).unwrap();
        watch_unfinished(&pad("depayloader", "sink"), &pad("depayloader", "src"), shared);
        let came = Arc::new(Mutex::new(0));
        let count = came.clone();
        pad("sink", "sink").add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            *count.lock().unwrap() += info.buffer().map_or(0, |frame| frame.size());
            gst::PadProbeReturn::Ok
        });
        pipeline.set_state(gst::State::Playing).unwrap();
        let source = pipeline.by_name("source").and_downcast::<AppSrc>().unwrap();
        // The head of a key frame of 64x64, and whatever.
        let mut frame = vec![0x10, 0x02, 0x00, 0x9D, 0x01, 0x2A, 64, 0, 64, 0];
        frame.resize(bytes, 0);
        source.push_buffer(gst::Buffer::from_slice(frame)).unwrap();
        source.end_of_stream().unwrap();
        let bus = pipeline.bus().unwrap();
        let ends = [gst::MessageType::Eos, gst::MessageType::Error];
        bus.timed_pop_filtered(gst::ClockTime::from_seconds(20), &ends).unwrap();
        pipeline.set_state(gst::State::Null).unwrap();
        let (came, told) = (*came.lock().unwrap(), told.lock().unwrap().clone());
        (came, told)
    }

    #[test]
    fn a_frame_without_an_end_ends_its_connection_and_is_kept_no_longer() {
        let large = 3 << 20;
        assert_eq!(depayloaded(large), (large, vec![]));
        let (came, told) = depayloaded(64 << 20);
        assert_eq!((came, told.len()), (0, 1), "{told:?}");
        assert!(told[0].contains("16 MiB came without a complete frame"), "{told:?}");
    }
}
