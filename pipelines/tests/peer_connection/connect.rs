//! A peer connects, and its video is decoded.

use crate::common::{Meeting, Wanted};
use live_vlm_pipelines::Codec;
use live_vlm_sender::SenderOptions;

async fn connects_with(codec: Codec) {
    let options = SenderOptions { codec, ..SenderOptions::default() };
    let mut meeting = Meeting::start(options, Wanted::slow()).await;
    assert_eq!(meeting.connection.codec(), codec);
    meeting.first_frame().await;
    meeting.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vp8_gives_a_first_frame() {
    connects_with(Codec::Vp8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_gives_a_first_frame() {
    connects_with(Codec::H264).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vp9_gives_a_first_frame() {
    connects_with(Codec::Vp9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn audio_beside_the_video_is_left_out() {
    let options = SenderOptions { audio: true, ..SenderOptions::default() };
    let mut meeting = Meeting::start(options, Wanted::slow()).await;
    meeting.first_frame().await;
    let audio = meeting.answer.split("m=audio").nth(1).expect("an audio section");
    assert!(audio.split("m=").next().unwrap().contains("a=inactive"), "{}", meeting.answer);
    meeting.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_lets_the_peer_send_at_full_rate() {
    let meeting = Meeting::start(SenderOptions::default(), Wanted::slow()).await;
    for line in [
        "a=fmtp:96 x-google-start-bitrate=600",
        "a=rtcp-fb:96 nack pli",
        "a=rtcp-fb:96 ccm fir",
        "a=rtcp-fb:96 transport-cc",
        "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        "a=recvonly",
    ] {
        assert!(meeting.answer.lines().any(|own| own == line), "{line}: {}", meeting.answer);
    }
    let candidates: Vec<&str> =
        meeting.answer.lines().filter(|line| line.starts_with("a=candidate:")).collect();
    assert!(!candidates.is_empty());
    assert!(candidates.iter().all(|line| line.contains("UDP") && line.contains("127.0.0.1")));
    meeting.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_comes_back_when_it_is_wanted() {
    for codec in Codec::ALL {
        let options = SenderOptions {
            codec,
            direction: live_vlm_sender::SenderDirection::SendRecv,
            ..SenderOptions::default()
        };
        let mut meeting = Meeting::start(options, Wanted::slow()).await;
        meeting.first_frame().await;
        assert!(meeting.answer.contains("a=sendrecv"), "{}", meeting.answer);
        let sender = &meeting.sender;
        crate::common::poll(|| sender.stats().returned_packets >= 30).await;
        meeting.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thrown_away_peer_warms_up() {
    live_vlm_pipelines::warm_up().await.unwrap();
}
