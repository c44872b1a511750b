//! A peer that is gone, or is not who it said, loses its connection.

use std::time::{Duration, Instant};

use crate::common::{
    LIMIT, Meeting, Wanted, lost,
    network::{Line, Network},
};
use gst::prelude::*;
use live_vlm_pipelines::{CandidateSection, LostReason, PeerEvent, PeerTimeouts};
use live_vlm_sender::SenderOptions;

/// Shorter than any browser needs, for tests that wait for it.
const SHORT: PeerTimeouts = PeerTimeouts {
    connect: Duration::from_millis(300),
    media: Duration::from_millis(500),
    goodbye: Duration::from_millis(200),
    key_frame: LIMIT,
};

/// The offer with another certificate's fingerprint.
fn forged(offer: &str) -> String {
    let change = |line: &str| match line.strip_prefix("a=fingerprint:sha-256 ") {
        Some(hash) if hash.starts_with("00") => line.replacen("sha-256 00", "sha-256 01", 1),
        Some(hash) => format!("a=fingerprint:sha-256 00{}", &hash[2..]),
        None => line.to_owned(),
    };
    offer.lines().map(|line| change(line) + "\r\n").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_certificate_than_the_offered_one_is_cut_off() {
    for data_channel in [true, false] {
        let options = SenderOptions { data_channel, ..SenderOptions::default() };
        let mut meeting =
            Meeting::start_with(options, Wanted::fast(), |offer| forged(&offer)).await;
        let first = meeting.event().await;
        assert!(matches!(first, PeerEvent::Lost(LostReason::FingerprintMismatch)), "{first:?}");
        meeting.sent(30).await;
        assert_eq!(meeting.decoded_so_far(), 0, "media reached the decoder");
        assert!(meeting.events.try_recv().is_err(), "something was told after the end");
        meeting.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_up_is_noticed_at_once_with_a_data_channel() {
    let mut meeting = Meeting::start(SenderOptions::default(), Wanted::slow()).await;
    meeting.first_frame().await;
    meeting.sender.connected().await.unwrap();
    let begin = Instant::now();
    meeting.sender.hang_up().await;
    assert_eq!(lost(&mut meeting.events).await, LostReason::HungUp);
    let took = begin.elapsed();
    assert!(took < PeerTimeouts::default().media / 2, "{took:?}");
    meeting.connection.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_opens_too_many_data_channels_is_lost() {
    let mut meeting = Meeting::start(SenderOptions::default(), Wanted::slow()).await;
    meeting.first_frame().await;
    meeting.sender.connected().await.unwrap();
    meeting.sender.open_channels(4);
    let reason = lost(&mut meeting.events).await;
    assert!(reason.to_string().contains("too many channels"), "{reason:?}");
    meeting.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_sends_nothing_more_is_lost() {
    let options = SenderOptions { data_channel: false, ..SenderOptions::default() };
    let wanted = Wanted::slow().timeouts(PeerTimeouts { connect: LIMIT, ..SHORT });
    let mut meeting = Meeting::start(options, wanted).await;
    meeting.first_frame().await;
    meeting.sender.vanish().await;
    assert_eq!(lost(&mut meeting.events).await, LostReason::NoMedia);
    meeting.connection.stop().await;
}

/// GStreamer tells of silence after 5 to 12 s.
#[tokio::test(flavor = "multi_thread")]
async fn silence_is_no_goodbye() {
    let network = Network::start().await;
    let wanted = Wanted::slow().timeouts(PeerTimeouts { connect: LIMIT, ..SHORT });
    let mut meeting = Meeting::start_over(&network, SenderOptions::default(), wanted).await;
    meeting.first_frame().await;
    network.set(Line { lost: 100, ..Line::default() });
    // What was on its way when it was cut.
    meeting.sent(5).await;
    let pipeline = meeting.analyzer.parent().and_downcast::<gst::Bin>().unwrap();
    let rtpbin = pipeline.iterate_all_by_element_factory_name("rtpbin").find(|_| true).unwrap();
    rtpbin.emit_by_name::<()>("on-timeout", &[&0u32, &1u32]);
    assert_eq!(lost(&mut meeting.events).await, LostReason::NoMedia);
    meeting.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_never_connects_is_lost() {
    let wanted = Wanted::slow().timeouts(SHORT);
    let unreachable = |offer: String| {
        let line = |line: &str| match line.starts_with("a=ice-pwd:") {
            true => "a=ice-pwd:notthepasswordthatthepeerhas\r\n".to_owned(),
            false => format!("{line}\r\n"),
        };
        offer.lines().map(line).collect()
    };
    let mut meeting = Meeting::start_with(SenderOptions::default(), wanted, unreachable).await;
    assert_eq!(lost(&mut meeting.events).await, LostReason::ConnectTimeout);
    meeting.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_stopped_tells_nothing_more() {
    let mut meeting = Meeting::start(SenderOptions::default(), Wanted::slow()).await;
    meeting.first_frame().await;
    meeting.connection.stop().await;
    assert!(meeting.events.recv().await.is_none());
    meeting.sender.hang_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn candidates_may_come_later_and_bad_ones_do_no_harm() {
    let mut candidates = Vec::new();
    let trickle = |offer: String| {
        let (later, now): (Vec<&str>, Vec<&str>) =
            offer.lines().partition(|line| line.starts_with("a=candidate:"));
        candidates = later.iter().map(|line| (*line).to_owned()).collect();
        now.iter().map(|line| format!("{line}\r\n")).collect()
    };
    let mut meeting = Meeting::start_with(SenderOptions::default(), Wanted::slow(), trickle).await;
    assert!(!candidates.is_empty());
    for bad in ["", "nonsense", "candidate:1 1 udp 1 7d3c.local 9 typ host", "\0"] {
        meeting.connection.add_ice_candidate(CandidateSection::Line(0), bad);
    }
    for candidate in &candidates {
        meeting.connection.add_ice_candidate(CandidateSection::Line(0), candidate);
        meeting.connection.add_ice_candidate(CandidateSection::Line(99), candidate);
    }
    meeting.first_frame().await;
    meeting.end().await;
}
