//! What a sender encodes, and how.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use gst::prelude::*;
use gst_webrtc::{WebRTCRTPTransceiver, WebRTCRTPTransceiverDirection as TransceiverDirection};

use live_vlm_pipelines::{
    Codec, TRANSPORT_CC, payloader,
    properties::{get_if_present, make, set_if_present},
};

use super::{
    BoxError, Counters, SenderDirection, SenderOptions, SentFrames, VideoSource, encoder::encoder,
    player,
};

/// As Chromium numbers them.
const TRANSPORT_CC_ID: u32 = 3;
const OPUS_PAYLOAD: i32 = 111;
/// What H.264 is decodable by everything (constrained baseline, level 3.1; RFC 6184).
const H264_FORMAT: &str = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";

pub(super) fn add_video(
    pipeline: &gst::Pipeline,
    webrtc: &gst::Element,
    options: &SenderOptions,
    counters: &Arc<Counters>,
    sent: &SentFrames,
) -> Result<(), BoxError> {
    let mut chain = match &options.source {
        VideoSource::Element(element) => encoded(element.clone(), options)?,
        VideoSource::Description(text) => {
            let source = gst::parse::bin_from_description(text, true)
                .map_err(|error| format!("the video source cannot be made: {error}"))?;
            encoded(source.upcast(), options)?
        }
        VideoSource::Encoded(element) => vec![element.clone()],
        VideoSource::Clip(_) if options.codec != Codec::Vp8 => {
            return Err(format!("a clip is VP8 and not {}", options.codec).into());
        }
        VideoSource::Clip(clip) => vec![player::source(clip, sent, &options.shutter)?],
    };
    let last = chain.last().ok_or("there is no source")?.clone();
    let payloader = payloader(options.codec, payload(options.codec))?;
    let packets = make("capsfilter")?;
    packets.set_property("caps", packet_caps(options.codec));
    chain.extend([payloader, packets.clone()]);
    pipeline.add_many(&chain)?;
    gst::Element::link_many(&chain)?;
    let direction = match options.direction {
        SenderDirection::SendOnly => TransceiverDirection::Sendonly,
        SenderDirection::SendRecv => TransceiverDirection::Sendrecv,
    };
    lose_first(&packets, options.lost_packets)?;
    set_clock_by(&packets, counters)?;
    if let Some(tamper) = &options.tamper {
        tamper.install(&packets)?;
    }
    link(webrtc, &packets, &preferences(options.codec), direction)?;
    count(&last, counters)
}

/// Raw video and what encodes it for this sender alone.
fn encoded(source: gst::Element, options: &SenderOptions) -> Result<Vec<gst::Element>, BoxError> {
    let queue = make("queue")?;
    // A camera drops frames too when its encoder is late.
    queue.set_property_from_str("leaky", "downstream");
    queue.set_property("max-size-buffers", 2u32);
    let inlet = queue.static_pad("sink").ok_or("a queue has no sink pad")?;
    let shutter = options.shutter.clone();
    inlet.add_probe(gst::PadProbeType::BUFFER, move |_, _| match shutter.passes() {
        true => gst::PadProbeReturn::Ok,
        // Not `Drop`: GStreamer 1.22 complains about the buffer that the probe already freed.
        false => gst::PadProbeReturn::Handled,
    });
    let encoder = encoder(options.codec, options.bitrate)?;
    let mut chain = vec![source, make("videoconvert")?, queue, encoder];
    if options.codec == Codec::H264 {
        let profile = make("capsfilter")?;
        let caps = gst::Caps::builder("video/x-h264").field("profile", "constrained-baseline");
        profile.set_property("caps", caps.build());
        chain.push(profile);
    }
    Ok(chain)
}

/// Offers audio. Nothing streams: an audio thread that starts while webrtcbin makes the offer can
/// keep it from ever being made, on a machine that is busy enough.
pub(super) fn offer_audio(webrtc: &gst::Element) {
    let caps = gst::Caps::builder("application/x-rtp")
        .field("media", "audio")
        .field("encoding-name", "OPUS")
        .field("payload", OPUS_PAYLOAD)
        .field("clock-rate", 48_000i32)
        .build();
    let direction = TransceiverDirection::Sendonly;
    webrtc.emit_by_name::<WebRTCRTPTransceiver>("add-transceiver", &[&direction, &caps]);
}

/// Links to a new sink pad of webrtcbin and says what it is for.
fn link(
    webrtc: &gst::Element,
    last: &gst::Element,
    preferences: &gst::Caps,
    direction: TransceiverDirection,
) -> Result<(), BoxError> {
    let sink = webrtc.request_pad_simple("sink_%u").ok_or("webrtcbin gives no sink pad")?;
    let source = last.static_pad("src").ok_or("the last element has no source pad")?;
    source.link(&sink).map_err(|error| format!("webrtcbin cannot be linked: {error:?}"))?;
    let transceiver = get_if_present::<WebRTCRTPTransceiver>(&sink, "transceiver")
        .ok_or("the sink pad has no transceiver")?;
    transceiver.set_direction(direction);
    transceiver.set_codec_preferences(Some(preferences));
    // Offers to send lost packets again, and does so.
    set_if_present(&transceiver, "do-nack", true);
    Ok(())
}

fn lose_first(packets: &gst::Element, lost: u32) -> Result<(), BoxError> {
    let pad = packets.static_pad("src").ok_or("the packets have no pad")?;
    let left = AtomicU32::new(lost);
    pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, _| {
        let lose = |left: u32| left.checked_sub(1);
        match left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, lose) {
            Ok(_) => gst::PadProbeReturn::Handled,
            Err(_) => gst::PadProbeReturn::Remove,
        }
    });
    Ok(())
}

/// Has the timestamps of the packets be ahead by `Counters::clock`.
fn set_clock_by(packets: &gst::Element, counters: &Arc<Counters>) -> Result<(), BoxError> {
    let pad = packets.static_pad("src").ok_or("the packets have no pad")?;
    let counters = Arc::clone(counters);
    pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, info| {
        let ahead = counters.clock.load(Ordering::Relaxed);
        match &mut info.data {
            _ if ahead == 0 => {}
            Some(gst::PadProbeData::Buffer(packet)) => set_ahead(packet.make_mut(), ahead),
            Some(gst::PadProbeData::BufferList(packets)) => {
                packets.make_mut().foreach_mut(|mut packet, _| {
                    set_ahead(packet.make_mut(), ahead);
                    ControlFlow::Continue(Some(packet))
                });
            }
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

fn set_ahead(packet: &mut gst::BufferRef, ahead: u32) {
    let Ok(mut bytes) = packet.map_writable() else { return };
    // RFC 3550, section 5.1.
    if let Some(time) = bytes.get_mut(4..8).and_then(|time| <&mut [u8; 4]>::try_from(time).ok()) {
        *time = u32::from_be_bytes(*time).wrapping_add(ahead).to_be_bytes();
    }
}

/// Counts what goes out of the element that gives encoded frames, and is asked of it.
fn count(encoded: &gst::Element, counters: &Arc<Counters>) -> Result<(), BoxError> {
    let pad = encoded.static_pad("src").ok_or("encoded video has no source pad")?;
    let frames = counters.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let Some(buffer) = info.buffer() else { return gst::PadProbeReturn::Ok };
        frames.frames.fetch_add(1, Ordering::Relaxed);
        if !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT) {
            frames.key_frames.fetch_add(1, Ordering::Relaxed);
        }
        gst::PadProbeReturn::Ok
    });
    let requests = counters.clone();
    pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
        if info.event().is_some_and(|event| gst_video::ForceKeyUnitEvent::is(event)) {
            requests.key_frame_requests.fetch_add(1, Ordering::Relaxed);
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

/// As Chromium numbers them.
fn payload(codec: Codec) -> u8 {
    match codec {
        Codec::Vp8 => 96,
        Codec::Vp9 => 98,
        Codec::H264 => 102,
    }
}

fn packet_caps(codec: Codec) -> gst::Caps {
    gst::Caps::builder("application/x-rtp")
        .field("media", "video")
        .field("encoding-name", codec.encoding_name())
        .field("payload", i32::from(payload(codec)))
        .field("clock-rate", 90_000i32)
        .field(format!("extmap-{TRANSPORT_CC_ID}"), TRANSPORT_CC)
        .build()
}

fn preferences(codec: Codec) -> gst::Caps {
    let mut caps = packet_caps(codec);
    for name in ["nack", "nack-pli", "ccm-fir", "transport-cc"] {
        caps.make_mut().set(format!("rtcp-fb-{name}"), true);
    }
    caps
}

/// The offer as a browser writes it: H.264 with its format, which webrtcbin only knows once there
/// is video.
pub(super) fn as_browsers_write(offer: &str, codec: Codec) -> String {
    let map = format!("a=rtpmap:{} ", payload(codec));
    let format = format!("a=fmtp:{} ", payload(codec));
    if codec != Codec::H264 || offer.contains(&format) {
        return offer.to_owned();
    }
    offer
        .lines()
        .flat_map(|line| {
            let own = line.starts_with(&map).then(|| format!("{format}{H264_FORMAT}"));
            std::iter::once(line.to_owned()).chain(own)
        })
        .map(|line| line + "\r\n")
        .collect()
}
