//! Frames that a peer sends one by one, when they are wanted.

use std::time::Duration;

use live_vlm_pipelines::Codec;
use live_vlm_sender::{SenderOptions, Shutter};
use tokio::time::timeout;

use crate::common::{
    Meeting, Wanted,
    network::{Line, Network},
};

/// After so long without a frame another is wanted.
const PATIENCE: Duration = Duration::from_millis(200);

fn one_by_one(codec: Codec) -> (SenderOptions, Shutter) {
    let shutter = Shutter::default();
    shutter.set_on_demand(true);
    (SenderOptions { codec, shutter: shutter.clone(), ..SenderOptions::default() }, shutter)
}

/// Wants a frame until one is decoded, and says how often.
async fn frame(meeting: &Meeting, shutter: &Shutter) -> u32 {
    let mut decoded = meeting.decoded.clone();
    let next = meeting.decoded_so_far() + 1;
    for tries in 1..40 {
        shutter.release();
        let came = decoded.wait_for(|count| *count >= next);
        if timeout(PATIENCE, came).await.is_ok() {
            return tries;
        }
    }
    panic!("no frame comes");
}

async fn each_is_decoded(codec: Codec) {
    let (sender, shutter) = one_by_one(codec);
    let mut meeting = Meeting::start(sender, Wanted::on_demand()).await;
    assert_eq!(format!("{:?}", meeting.event().await), "Connected");
    frame(&meeting, &shutter).await;
    let before = meeting.sender.stats();
    for _ in 0..10 {
        frame(&meeting, &shutter).await;
    }
    let after = meeting.sender.stats();
    assert_eq!(after.key_frame_requests, before.key_frame_requests);
    assert_eq!(after.key_frames, before.key_frames, "deltas do");
    assert!(after.frames - before.frames <= 15, "{} frames", after.frames - before.frames);
    meeting.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_decoded_and_no_key_frame_is_asked_for() {
    each_is_decoded(Codec::Vp8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_decoded_in_h264() {
    each_is_decoded(Codec::H264).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_comes_soon_though_one_packet_of_ten_is_lost() {
    let network = Network::start().await;
    let (sender, shutter) = one_by_one(Codec::Vp8);
    let mut meeting = Meeting::start_over(&network, sender, Wanted::on_demand()).await;
    assert_eq!(format!("{:?}", meeting.event().await), "Connected");
    frame(&meeting, &shutter).await;
    network.set(Line { lost: 10, ..Line::default() });
    let mut tries = Vec::new();
    for _ in 0..12 {
        tries.push(frame(&meeting, &shutter).await);
    }
    let sum: u32 = tries.iter().sum();
    assert!(sum <= 30, "{tries:?}");
    meeting.end().await;
}
