//! A frame may say of itself what it likes: it costs no more than it is worth.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::common::{Meeting, Wanted, lost, poll};
use gst::prelude::*;
use gst_app::{AppSink, AppSrc};
use live_vlm_pipelines::{Codec, LostReason, PeerEvent};
use live_vlm_sender::{SenderOptions, Tamper, VideoSource};

/// What connections with small pictures may take more than those before them, in KiB: what threads
/// leave behind. A picture of 16384x16384 takes thirty times as much.
const NOISE: u64 = 24 * 1024;

/// Frames of an encoder, without what a test does to them.
fn encoded(encoder: &str, width: u32, height: u32, frames: usize) -> Vec<Vec<u8>> {
    gst::init().unwrap();
    let line = format!(
        "videotestsrc num-buffers={frames} ! video/x-raw,format=I420,width={width},height={height} \
         ! {encoder} ! appsink name=end sync=false"
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("end").and_downcast::<AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let frames: Vec<_> = std::iter::from_fn(|| sink.pull_sample().ok())
        .map(|sample| sample.buffer().unwrap().map_readable().unwrap().to_vec())
        .collect();
    pipeline.set_state(gst::State::Null).unwrap();
    frames
}

const VP9: &str = "vp9enc deadline=1 cpu-used=9";

/// A sender that sends these frames over and over, so many a second.
fn sender(codec: Codec, caps: &str, frames: Vec<Vec<u8>>, a_second: u32) -> SenderOptions {
    gst::init().unwrap();
    let caps: gst::Caps = caps.parse().unwrap();
    let source = AppSrc::builder().caps(&caps).format(gst::Format::Time).is_live(true);
    let source = source.do_timestamp(true).build();
    let mut next =
        frames.into_iter().map(gst::Buffer::from_slice).collect::<Vec<_>>().into_iter().cycle();
    let mut due = std::time::Instant::now();
    let feed = move |source: &AppSrc, _: u32| {
        // The source's own thread has nothing else to do.
        std::thread::sleep(due.saturating_duration_since(std::time::Instant::now()));
        due = std::time::Instant::now() + Duration::from_secs(1) / a_second;
        // It fails when the pipeline is being stopped.
        let _ = source.push_buffer(next.next().unwrap());
    };
    source.set_callbacks(gst_app::AppSrcCallbacks::builder().need_data(feed).build());
    SenderOptions {
        codec,
        source: VideoSource::Encoded(source.upcast()),
        ..SenderOptions::default()
    }
}

/// The most memory that this process has had so far, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Has a connection decode these frames, and gives the memory that the process peaks at.
async fn decode(sender: SenderOptions, frames: u64) -> u64 {
    let mut meeting = Meeting::start(sender, Wanted::fast()).await;
    meeting.first_frame().await;
    meeting.frames(frames).await;
    meeting.end().await;
    peak()
}

/// Why a connection that is sent these frames is lost.
async fn refused(sender: SenderOptions) -> LostReason {
    let mut meeting = Meeting::start(sender, Wanted::fast()).await;
    let reason = lost(&mut meeting.events).await;
    assert_eq!(meeting.decoded_so_far(), 0);
    meeting.end().await;
    reason
}

fn is_unsupported(reason: &LostReason, words: &str) -> bool {
    matches!(reason, LostReason::UnsupportedVideo(why) if why.contains(words))
}

/// A VP9 key frame that says it is 16384x16384.
fn huge() -> Vec<u8> {
    let mut frame = encoded(VP9, 64, 64, 1).remove(0);
    // The two sizes less one begin after 36 bits and have 16 each.
    frame[4] = frame[4] & 0xF0 | 0x03;
    frame[5..8].copy_from_slice(&[0xFF, 0xF3, 0xFF]);
    frame[8] |= 0xF0;
    frame
}

#[tokio::test(flavor = "multi_thread")]
async fn four_connections_that_claim_huge_pictures_are_lost_and_cost_what_ordinary_ones_do() {
    // Encoders take memory too.
    let (ordinary, huge) = (encoded(VP9, 64, 64, 1), huge());
    let vp9 = |frames| sender(Codec::Vp9, "video/x-vp9", frames, 30);
    let mut before = 0;
    for _ in 0..5 {
        before = decode(vp9(ordinary.clone()), 10).await;
    }
    for _ in 0..4 {
        let reason = refused(vp9(vec![huge.clone()])).await;
        assert!(is_unsupported(&reason, "16384x16384 is larger than 4096x2304"), "{reason}");
    }
    // Behind a frame that is in order, where libvpx would find it.
    let hidden = [ordinary[0].clone(), huge].concat();
    let after = decode(vp9(vec![ordinary[0].clone(), hidden]), 10).await;
    assert!(after < before + NOISE, "{before} KiB with ordinary pictures, {after} with huge ones");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_picture_is_refused_in_every_codec() {
    let vp8 = "vp8enc deadline=1";
    let mut frame = encoded(vp8, 64, 64, 1).remove(0);
    frame[6..10].copy_from_slice(&[0xFF, 0x3F, 0xFF, 0x3F]);
    let reason = refused(sender(Codec::Vp8, "video/x-vp8", vec![frame], 30)).await;
    assert!(is_unsupported(&reason, "16383x16383"), "{reason}");

    let x264 = "x264enc tune=zerolatency ! h264parse ! \
                video/x-h264,stream-format=byte-stream,alignment=au";
    let caps = "video/x-h264,stream-format=byte-stream,alignment=au";
    let frame = encoded(x264, 64, 64, 1).remove(0);
    // A sequence parameter set of the Baseline profile and 8192x8192.
    let set = [0, 0, 0, 1, 0x67, 66, 0xC0, 40, 0xDA, 0x00, 0x20, 0x00, 0x04, 0x01, 0x90];
    // Behind the delimiter, with which an access unit begins.
    let frame = [&frame[..6], &set, &frame[6..]].concat();
    let reason = refused(sender(Codec::H264, caps, vec![frame], 30)).await;
    assert!(is_unsupported(&reason, "8192x8192"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_size_that_changes_with_every_frame_takes_no_more_memory_than_the_largest() {
    let sizes = [(1280, 720), (64, 64), (720, 1280), (640, 480), (1024, 64), (64, 1024)];
    let frames: Vec<_> = sizes.iter().map(|(w, h)| encoded(VP9, *w, *h, 1).remove(0)).collect();
    let before = decode(sender(Codec::Vp9, "video/x-vp9", vec![frames[0].clone()], 100), 100).await;
    let after = decode(sender(Codec::Vp9, "video/x-vp9", frames, 100), 300).await;
    assert!(after < before + NOISE, "{before} KiB with one size, {after} with six");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_cannot_be_read_is_passed_over() {
    let good = encoded(VP9, 64, 64, 1).remove(0);
    // It ends as a superframe does, and has no index.
    let broken = [&good[..], &[0xC9]].concat();
    let frames = vec![broken.clone(), good, broken];
    let mut meeting =
        Meeting::start(sender(Codec::Vp9, "video/x-vp9", frames, 30), Wanted::fast()).await;
    meeting.first_frame().await;
    meeting.sent(30).await;
    let (sent, decoded) = (meeting.sender.stats().frames, meeting.decoded_so_far());
    assert!(decoded > 5 && decoded <= sent / 3 + 1, "{decoded} of {sent}");
    assert!(meeting.events.try_recv().is_err());
    meeting.end().await;
}

/// The fragments of a NAL unit, but for its first (RFC 6184, section 5.8).
fn is_later_fragment(packet: &[u8], payload: usize) -> bool {
    packet.len() > payload + 1 && packet[payload] & 0x1F == 28 && packet[payload + 1] & 0x80 == 0
}

#[tokio::test]
async fn fragments_that_end_before_their_content_are_left_out() {
    let cut = Arc::new(AtomicU64::new(0));
    let (counted, seen) = (Arc::clone(&cut), AtomicU64::new(0));
    let tamper = Tamper::new(move |packet| {
        // The sender's own header extension has one word.
        let payload = if packet[0] & 0x10 == 0 { 12 } else { 20 };
        if is_later_fragment(packet, payload) && seen.fetch_add(1, Ordering::Relaxed) % 3 == 2 {
            packet.truncate(payload + 1);
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let noise = "videotestsrc is-live=true pattern=snow ! \
                 capsfilter caps=video/x-raw,format=I420,width=320,height=240,framerate=30/1";
    let sender = SenderOptions {
        codec: Codec::H264,
        source: VideoSource::Description(noise.to_owned()),
        tamper: Some(tamper),
        ..SenderOptions::default()
    };
    let mut meeting = Meeting::start(sender, Wanted::fast()).await;
    assert!(matches!(meeting.event().await, PeerEvent::Connected));
    poll(|| cut.load(Ordering::Relaxed) > 20).await;
    assert!(meeting.events.try_recv().is_err(), "the connection goes on");
    meeting.connection.stop().await;
}
