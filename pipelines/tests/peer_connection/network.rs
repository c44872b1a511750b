//! Video over a network that loses packets, holds them up, or is gone for a while.

use std::time::Duration;

use crate::common::{
    LIMIT, Meeting, Wanted, lost,
    network::{From, Line, Network},
    poll,
};
use gst::prelude::*;
use live_vlm_pipelines::{Codec, LostReason, PeerEvent, PeerTimeouts};
use live_vlm_sender::{Clip, ClipOptions, SenderDirection, SenderOptions, VideoSource};
use tokio::time::{Instant, timeout};

/// Time for a picture to be asked for and to come. Senders give no two within half a second.
const BEAT: Duration = Duration::from_millis(600);

/// How many of 12 pictures must come at 10% loss. About ten come when lost packets are sent again,
/// and about two when they are not; chance moves that by up to four.
const ENOUGH: u32 = 5;

/// Ten seconds of video; a key frame is 15 packets, any other 4.
fn detailed() -> SenderOptions {
    let source = "videotestsrc pattern=snow ! video/x-raw,width=160,height=120 ! videoscale";
    let (width, height) = (320, 240);
    let clip = ClipOptions { source: source.to_owned(), width, height, ..ClipOptions::default() };
    let source = VideoSource::Clip(Clip::encode(&clip, |_, _| ()).unwrap());
    SenderOptions { source, ..SenderOptions::default() }
}

/// The same, encoded as it is sent.
fn live(codec: Codec) -> SenderOptions {
    let source = "videotestsrc is-live=true pattern=snow ! video/x-raw,width=160,height=120 ! \
                  videoscale ! capsfilter caps=video/x-raw,format=I420,width=320,height=240,framerate=30/1";
    let source = VideoSource::Description(source.to_owned());
    SenderOptions { codec, source, ..SenderOptions::default() }
}

fn losing(lost: u64) -> Line {
    Line { lost, ..Line::default() }
}

/// An offer of a peer that sends nothing again.
fn without_repetition(offer: &str) -> String {
    let lines =
        offer.lines().filter(|line| !line.starts_with("a=rtcp-fb:") || !line.ends_with(" nack"));
    lines.map(|line| format!("{line}\r\n")).collect()
}

async fn meet(network: &Network, sender: SenderOptions, wanted: Wanted) -> Meeting {
    let mut meeting = Meeting::start_over(network, sender, wanted).await;
    meeting.first_frame().await;
    meeting.sent(20).await;
    meeting
}

/// Asks for so many pictures, one a beat, and counts those that come within it.
async fn pictures(meeting: &Meeting, asked: u32) -> u32 {
    let mut decoded = meeting.decoded.clone();
    let mut came = 0;
    let mut beat = tokio::time::interval(BEAT);
    for _ in 0..asked {
        beat.tick().await;
        let next = meeting.decoded_so_far() + 1;
        meeting.ask_for_key_frame();
        let picture = decoded.wait_for(|count| *count >= next);
        came += u32::from(timeout(BEAT * 9 / 10, picture).await.is_ok());
    }
    came
}

/// Asks until a picture comes, as whoever wants one does, and says after how long.
async fn picture(meeting: &Meeting) -> Duration {
    let asked = Instant::now();
    let one = async { while pictures(meeting, 1).await == 0 {} };
    timeout(LIMIT, one).await.expect("a picture in time");
    asked.elapsed()
}

async fn pictures_over(line: Line, sender: SenderOptions) -> u32 {
    let network = Network::start().await;
    let meeting = meet(&network, sender, Wanted::slow()).await;
    network.set(line);
    let came = pictures(&meeting, 12).await;
    meeting.end().await;
    came
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_come_though_one_packet_of_ten_is_lost() {
    let came = pictures_over(losing(10), detailed()).await;
    assert!(came >= ENOUGH, "{came} of 12");
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_come_though_packets_are_lost_in_bursts() {
    // 8% of them.
    let came = pictures_over(Line { bursts: 10, ..Line::default() }, detailed()).await;
    assert!(came >= 10, "{came} of 12");
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_in_h264_come_though_one_packet_of_ten_is_lost() {
    let came = pictures_over(losing(10), live(Codec::H264)).await;
    assert!(came >= ENOUGH, "{came} of 12");
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_in_vp9_come_though_one_packet_of_ten_is_lost() {
    let came = pictures_over(losing(10), live(Codec::Vp9)).await;
    assert!(came >= ENOUGH, "{came} of 12");
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_come_though_packets_overtake_each_other() {
    let came = pictures_over(Line { overtaken: 20, ..Line::default() }, detailed()).await;
    assert!(came >= 10, "{came} of 12");
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_come_over_a_long_way_that_loses_packets() {
    let line = Line { delay: Duration::from_millis(100), ..losing(3) };
    let came = pictures_over(line, detailed()).await;
    assert!(came >= 7, "{came} of 12");
}

/// A packet that is sent again comes no sooner than a key frame that is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn missing_packets_are_waited_for_as_long_as_the_way_to_this_peer_takes() {
    let network = Network::start().await;
    let meeting = meet(&network, detailed(), Wanted::slow()).await;
    let pipeline = meeting.analyzer.parent().and_downcast::<gst::Bin>().unwrap();
    let mut buffers = pipeline.iterate_all_by_element_factory_name("rtpjitterbuffer");
    let buffer = buffers.find(|_| true).unwrap();
    let becomes = async |wait: std::ops::Range<u32>| {
        let changed = async {
            while !wait.contains(&buffer.property::<u32>("latency")) {
                pictures(&meeting, 2).await;
            }
        };
        let waited = timeout(LIMIT, changed).await;
        waited.unwrap_or_else(|_| panic!("{} ms", buffer.property::<u32>("latency")));
    };
    network.set(Line { delay: Duration::from_millis(300), ..Line::default() });
    becomes(1500..1501).await;
    network.set(Line::default());
    becomes(500..1000).await;
    drop(buffer);
    meeting.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_looks_at_every_frame_gets_nearly_all_though_packets_are_lost() {
    let network = Network::start().await;
    let meeting = meet(&network, detailed(), Wanted::fast()).await;
    network.set(losing(10));
    let (sent, decoded) = (meeting.sender.stats(), meeting.decoded_so_far());
    meeting.sent(150).await;
    let decoded = meeting.decoded_so_far() - decoded;
    let asked = meeting.sender.stats().key_frame_requests - sent.key_frame_requests;
    // The last second may be waiting for a packet.
    assert!(decoded >= 100, "{decoded} of 150, with {asked} key frames");
    meeting.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_again_that_is_only_late() {
    let network = Network::start().await;
    // One packet a frame, whose time is easily guessed.
    let source = "videotestsrc is-live=true ! capsfilter \
                  caps=video/x-raw,format=I420,width=64,height=64,framerate=30/1";
    let source = VideoSource::Description(source.to_owned());
    let sender = SenderOptions { source, ..SenderOptions::default() };
    let meeting = meet(&network, sender, Wanted::slow()).await;
    network.set(Line { stalls: 10, ..Line::default() });
    meeting.sent(90).await;
    let stats = meeting.sender.stats();
    assert_eq!(stats.packets_asked_for, 0, "{stats:?}");
    meeting.end().await;
}

/// GStreamer begins with a guess of what may be said to a peer a second.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_peer_is_told_at_once_what_it_is_asked_for() {
    let network = Network::start().await;
    let mut meeting = meet(&network, detailed(), Wanted::slow()).await;
    let mut waited = Duration::ZERO;
    let mut beat = tokio::time::interval(BEAT);
    for _ in 0..4 {
        beat.tick().await;
        let (asked, next) = (Instant::now(), meeting.decoded_so_far() + 1);
        meeting.ask_for_key_frame();
        meeting.frames(next).await;
        waited += asked.elapsed();
    }
    assert!(waited < Duration::from_millis(350), "{waited:?} for four pictures");
    meeting.end().await;
}

/// What waits for missing packets does not wait for any before the first.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_picture_comes_at_once() {
    let mut quickest = LIMIT;
    for _ in 0..3 {
        let mut meeting = Meeting::start(SenderOptions::default(), Wanted::slow()).await;
        assert!(matches!(meeting.event().await, PeerEvent::Connected));
        let connected = Instant::now();
        assert!(matches!(meeting.event().await, PeerEvent::FirstFrame));
        quickest = quickest.min(connected.elapsed());
        meeting.end().await;
    }
    assert!(quickest < Duration::from_millis(400), "{quickest:?}");
}

/// How often a peer that sends nothing again is asked for key frames in 3 s that lose packets.
async fn key_frames_asked_for(wanted: Wanted) -> u64 {
    let network = Network::start().await;
    let mut meeting = Meeting::meet(
        detailed(),
        wanted,
        |offer| network.carry_offer(&without_repetition(&offer)),
        |answer| network.carry_answer(&answer),
    )
    .await;
    meeting.first_frame().await;
    meeting.sent(20).await;
    network.set(losing(10));
    let before = meeting.sender.stats();
    meeting.sent(90).await;
    let stats = meeting.sender.stats();
    assert_eq!(stats.packets_asked_for, 0, "{stats:?}");
    meeting.end().await;
    stats.key_frame_requests - before.key_frame_requests
}

/// What is lost is only asked for by whoever needs it.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_looks_at_few_frames_asks_for_none_that_is_lost() {
    assert_eq!(key_frames_asked_for(Wanted::slow()).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn key_frames_are_not_asked_for_with_every_frame_that_cannot_be_decoded() {
    let asked = key_frames_asked_for(Wanted::fast()).await;
    assert!(asked <= 7, "asked {asked} times in 3 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_out_of_reach_for_a_while_goes_on_at_once() {
    let network = Network::start().await;
    let mut meeting = meet(&network, detailed(), Wanted::slow()).await;
    network.set(losing(100));
    assert_eq!(pictures(&meeting, 13).await, 0);
    assert!(meeting.events.try_recv().is_err());
    network.set(Line::default());
    let took = picture(&meeting).await;
    assert!(took < Duration::from_millis(600), "{took:?}");
    meeting.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_from_two_addresses_are_one_video() {
    let network = Network::start().await;
    network.set(Line { from: From::Both, ..Line::default() });
    let meeting = meet(&network, detailed(), Wanted::slow()).await;
    assert_eq!(pictures(&meeting, 4).await, 4);
    meeting.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_goes_on_from_an_address_without_proof_that_it_is_its_own_is_lost() {
    let network = Network::start().await;
    let timeouts = PeerTimeouts { media: Duration::from_secs(1), ..PeerTimeouts::default() };
    let mut meeting = meet(&network, detailed(), Wanted::slow().timeouts(timeouts)).await;
    network.set(Line { from: From::Second, ..Line::default() });
    assert_eq!(lost(&mut meeting.events).await, LostReason::NoMedia);
    meeting.end().await;
}

/// As when its address changes, and it proves the new one, but cannot be told to use it.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_sends_but_is_not_reached_any_more_is_lost() {
    let network = Network::start().await;
    let timeouts = PeerTimeouts { key_frame: Duration::from_secs(3), ..PeerTimeouts::default() };
    let mut meeting = meet(&network, detailed(), Wanted::slow().timeouts(timeouts)).await;
    assert_eq!(pictures(&meeting, 4).await, 4);
    network.set(Line { one_way: true, ..Line::default() });
    let asking = async {
        loop {
            pictures(&meeting, 1).await;
            if let Ok(PeerEvent::Lost(reason)) = meeting.events.try_recv() {
                return reason;
            }
        }
    };
    let reason = timeout(LIMIT, asking).await.expect("an end in time");
    assert_eq!(reason, LostReason::Unheard);
    meeting.end().await;
}

/// Video goes on, and comes back if that is wanted, when the clock of its packets jumps.
async fn survives_jumps_of_the_clock(wanted: Wanted, direction: SenderDirection) {
    const HOUR: i32 = 3600 * 90_000;
    let network = Network::start().await;
    let sender = SenderOptions { direction, ..detailed() };
    let mut meeting = meet(&network, sender, wanted).await;
    for jump in [HOUR, -HOUR, -HOUR, i32::MAX, 90_000, -90_000] {
        meeting.sender.jump_clock(jump);
        meeting.sent(5).await;
        let took = picture(&meeting).await;
        assert!(took < Duration::from_secs(4), "{took:?} after {jump}");
        let returned = meeting.sender.stats().returned_packets;
        if direction == SenderDirection::SendRecv {
            poll(|| meeting.sender.stats().returned_packets > returned + 10).await;
        }
    }
    assert!(meeting.events.try_recv().is_err());
    meeting.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn video_goes_on_when_the_clock_of_its_packets_jumps() {
    survives_jumps_of_the_clock(Wanted::slow(), SenderDirection::SendRecv).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn video_that_is_decoded_whole_goes_on_when_the_clock_of_its_packets_jumps() {
    survives_jumps_of_the_clock(Wanted::fast(), SenderDirection::SendOnly).await;
}
