//! What is decoded, and when.

use crate::common::{Meeting, Wanted, settings};
use live_vlm_pipelines::Codec;
use live_vlm_sender::{Clip, ClipOptions, SenderDirection, SenderOptions, VideoSource};
use std::time::Duration;

async fn decodes_on_demand(codec: Codec) {
    questions_decode(SenderOptions { codec, ..SenderOptions::default() }).await;
}

fn clip() -> SenderOptions {
    let (width, height) = (160, 120);
    let clip = ClipOptions { width, height, frames: 150, ..ClipOptions::default() };
    let source = VideoSource::Clip(Clip::encode(&clip, |_, _| ()).unwrap());
    SenderOptions { source, ..SenderOptions::default() }
}

async fn questions_decode(options: SenderOptions) {
    let mut meeting = Meeting::start(options, Wanted::slow()).await;
    meeting.first_frame().await;
    // If the sender's first key frame was lost, the connection has asked for another.
    meeting.sent(20).await;
    let (before, decoded) = (meeting.sender.stats(), meeting.decoded_so_far());
    meeting.sent(20).await;
    let idle = meeting.sender.stats();
    assert_eq!(idle.key_frame_requests, before.key_frame_requests);
    assert_eq!(meeting.decoded_so_far(), decoded, "nobody asked");

    meeting.ask_for_key_frame();
    meeting.frames(decoded + 1).await;
    meeting.sent(20).await;
    let after = meeting.sender.stats();
    assert_eq!(after.key_frame_requests, before.key_frame_requests + 1, "the PLI arrived");
    assert_eq!(after.key_frames, before.key_frames + 1);
    assert_eq!(meeting.decoded_so_far(), decoded + 1, "one frame for one request");
    meeting.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vp8_is_decoded_only_when_asked_for() {
    decodes_on_demand(Codec::Vp8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_is_decoded_only_when_asked_for() {
    decodes_on_demand(Codec::H264).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vp9_is_decoded_only_when_asked_for() {
    decodes_on_demand(Codec::Vp9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_is_decoded_only_when_asked_for() {
    questions_decode(clip()).await;
}

/// What is sent to the peer has its own RTCP reports, which must not come in the requests' way;
/// GStreamer 1.26 took five seconds to go silent.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_gets_the_video_back_is_asked_for_key_frames_all_the_time() {
    let options =
        SenderOptions { direction: SenderDirection::SendRecv, ..SenderOptions::default() };
    let mut meeting = Meeting::start(options, Wanted::slow()).await;
    meeting.first_frame().await;
    // Seven seconds' frames.
    for _ in 0..7 {
        meeting.sent(30).await;
        let decoded = meeting.decoded_so_far();
        meeting.ask_for_key_frame();
        meeting.frames(decoded + 1).await;
    }
    meeting.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_questions_decode_every_frame_of_a_clip() {
    let mut meeting = Meeting::start(clip(), Wanted::fast()).await;
    meeting.first_frame().await;
    let decoded = meeting.decoded_so_far();
    meeting.frames(decoded + 30).await;
    let sent = meeting.sender.sent_frames();
    assert!((0..150).filter(|number| sent.at(*number).is_some()).count() >= 30);
    meeting.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_key_frame_that_is_lost_before_the_depayloader_is_asked_for() {
    for codec in [Codec::H264, Codec::Vp8, Codec::Vp9] {
        let options = SenderOptions { codec, lost_packets: 30, ..SenderOptions::default() };
        let mut meeting = Meeting::start(options, Wanted::slow()).await;
        meeting.first_frame().await;
        meeting.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_questions_decode_every_frame() {
    let mut meeting = Meeting::start(SenderOptions::default(), Wanted::fast()).await;
    meeting.first_frame().await;
    let frames = meeting.connection.frames();
    let dropped = || {
        let counts = frames.read();
        counts.received - counts.decoded
    };
    let (decoded, before) = (meeting.decoded_so_far(), dropped());
    meeting.frames(decoded + 30).await;
    assert_eq!(dropped(), before, "{:?}", frames.read());
    meeting.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faster_interval_begins_with_a_new_key_frame() {
    let mut meeting = Meeting::start(SenderOptions::default(), Wanted::slow()).await;
    meeting.first_frame().await;
    meeting.sent(20).await;
    let (before, decoded) = (meeting.sender.stats(), meeting.decoded_so_far());
    meeting.connection.change_settings(&settings(Duration::from_millis(100)));
    meeting.frames(decoded + 20).await;
    assert!(meeting.sender.stats().key_frame_requests > before.key_frame_requests);

    meeting.connection.change_settings(&settings(Duration::from_secs(2)));
    // What was on its way when the mode changed.
    meeting.sent(5).await;
    let decoded = meeting.decoded_so_far();
    meeting.sent(10).await;
    assert_eq!(meeting.decoded_so_far(), decoded);
    meeting.end().await;
}
