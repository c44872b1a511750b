//! Offers of browsers and publishers: Chromium 156 and Firefox ESR 153 as they wrote them, Safari,
//! OBS (libdatachannel) and Pion in the form that theirs have.

use crate::common::{Wanted, options};
use live_vlm_pipelines::{Codec, PeerConnection};

struct Expected {
    codec: Codec,
    /// Lines of the answer's video section.
    lines: &'static [&'static str],
    /// The answer's BUNDLE.
    bundle: &'static str,
}

async fn is_answered(offer: &str, expected: Expected) {
    let (options, ..) = options(&Wanted::slow());
    let (connection, answer) = PeerConnection::accept_offer(offer, options, |_| {}).await.unwrap();
    assert_eq!(connection.codec(), expected.codec);
    connection.stop().await;

    let media = |sdp: &str| {
        let sections = sdp.lines().filter_map(|line| line.strip_prefix("m="));
        sections.map(|m| m.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(media(&answer), media(offer), "{answer}");
    assert!(answer.contains(&format!("a=group:BUNDLE {}\r\n", expected.bundle)), "{answer}");
    let video = answer.split("m=video ").nth(1).unwrap().split("m=").next().unwrap();
    assert!(!video.starts_with("0 "), "{answer}");
    for line in expected.lines {
        assert_eq!(video.lines().filter(|own| own == line).count(), 1, "{line}: {answer}");
    }
    assert!(!video.contains("goog-remb") && !video.contains("ulpfec"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_is_answered() {
    let lines = &[
        "a=rtpmap:96 VP8/90000",
        "a=rtcp-fb:96 nack",
        "a=rtcp-fb:96 nack pli",
        "a=rtcp-fb:96 transport-cc",
        "a=rtpmap:97 rtx/90000",
        "a=fmtp:97 apt=96",
        "a=recvonly",
    ];
    let expected = Expected { codec: Codec::Vp8, lines, bundle: "0 1" };
    is_answered(include_str!("../offers/chromium.sdp"), expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn firefox_is_answered() {
    let lines = &[
        "a=rtpmap:120 VP8/90000",
        "a=rtcp-fb:120 nack",
        "a=rtpmap:124 rtx/90000",
        "a=fmtp:124 apt=120",
        "a=sendrecv",
        "a=msid:live-vlm video",
    ];
    let expected = Expected { codec: Codec::Vp8, lines, bundle: "0 1" };
    is_answered(include_str!("../offers/firefox.sdp"), expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn safari_is_answered() {
    let lines = &[
        "a=rtpmap:96 H264/90000",
        "a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c1f;\
         x-google-start-bitrate=600",
        "a=rtcp-fb:96 nack",
        "a=rtpmap:97 rtx/90000",
        "a=recvonly",
    ];
    let expected = Expected { codec: Codec::H264, lines, bundle: "0 1" };
    is_answered(include_str!("../offers/safari.sdp"), expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn obs_is_answered() {
    let lines = &[
        "a=rtpmap:96 H264/90000",
        "a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f;\
         x-google-start-bitrate=600",
        "a=rtcp-fb:96 nack",
        "a=rtcp-fb:96 nack pli",
        "a=recvonly",
    ];
    let expected = Expected { codec: Codec::H264, lines, bundle: "0 1" };
    is_answered(include_str!("../offers/obs.sdp"), expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pion_is_answered() {
    let lines =
        &["a=rtpmap:96 VP8/90000", "a=rtcp-fb:96 nack", "a=rtpmap:97 rtx/90000", "a=sendrecv"];
    let expected = Expected { codec: Codec::Vp8, lines, bundle: "0" };
    is_answered(include_str!("../offers/pion.sdp"), expected).await;
}
