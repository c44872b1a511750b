use live_vlm_media_processes::{Codec, LostReason, PeerEvent};

use super::support::{Started, config, picture, soon};

async fn becomes_pictures(codec: Codec) {
    let started = Started::new(config());
    let (sender, mut answered) = started.meet("ada", codec).await;
    assert_eq!(answered.peer.codec(), codec);
    let sandbox = started.processes.ready().unwrap().sandbox;
    assert_eq!(sandbox.lacking, <Vec<String>>::default());
    for _ in 0..2 {
        let picture = picture(&mut answered.turns).await;
        assert!(picture.starts_with(&[0xFF, 0xD8]) && picture.ends_with(&[0xFF, 0xD9]));
    }
    sender.hang_up().await;
    assert_eq!(soon(answered.events.next()).await, Some(PeerEvent::Lost(LostReason::HungUp)));
    soon(answered.peer.stop()).await;
    soon(started.processes.shut_down()).await;
    assert_eq!(started.processes.figures().ended, [("not_needed", 1)].into());
}

#[tokio::test]
async fn vp8_becomes_pictures_in_the_sandbox() {
    becomes_pictures(Codec::Vp8).await;
}

#[tokio::test]
async fn vp9_becomes_pictures_in_the_sandbox() {
    becomes_pictures(Codec::Vp9).await;
}

#[tokio::test]
async fn h264_becomes_pictures_in_the_sandbox() {
    becomes_pictures(Codec::H264).await;
}
