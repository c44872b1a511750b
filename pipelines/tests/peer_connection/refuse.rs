//! Offers that get no connection.

use crate::common::{Wanted, options};
use live_vlm_pipelines::{Codec, OfferError, PeerConnection};

/// What a browser sends, with the given media sections.
fn offer(media: &str) -> String {
    let hash = vec!["AB"; 32].join(":");
    format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n\
         a=fingerprint:sha-256 {hash}\r\na=setup:actpass\r\n{media}"
    )
}

fn video(payload: u8, codec: &str) -> String {
    offer(&format!(
        "m=video 9 UDP/TLS/RTP/SAVPF {payload}\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendonly\r\n\
         a=rtcp-mux\r\na=rtpmap:{payload} {codec}/90000\r\n"
    ))
}

async fn refusal(sdp: &str) -> OfferError {
    let (options, ..) = options(&Wanted::slow());
    let heard = |event| panic!("nothing may be told of a refused offer, but was: {event:?}");
    PeerConnection::accept_offer(sdp, options, heard).await.expect_err("a refusal")
}

#[tokio::test]
async fn an_unknown_codec_is_refused_by_name() {
    let error = refusal(&video(45, "AV1")).await;
    let OfferError::UnsupportedCodec { offered, allowed } = &error else { panic!("{error:?}") };
    assert_eq!(offered, &["AV1"]);
    assert_eq!(allowed, &Codec::ALL);
    assert!(error.to_string().contains("VP8, H264, VP9"), "{error}");
}

#[tokio::test]
async fn a_profile_that_is_not_decoded_is_refused_by_name() {
    let h264 = |format: &str| format!("{}a=fmtp:96 {format}\r\n", video(96, "H264"));
    for (sdp, offered, decoded) in [
        (
            h264("packetization-mode=1;profile-level-id=f4001f"),
            "(H264 High 4:4:4 Predictive)",
            "(H264 in a Baseline, Main, Extended or High profile, packetization-mode 0 or 1)",
        ),
        (h264("profile-level-id=7a001f"), "(H264 High 4:2:2)", "(H264 in a Baseline, Main, "),
        (h264("profile-level-id=6e001f"), "(H264 High 10)", "(H264 in a Baseline, Main, "),
        (
            h264("profile-level-id=42e01f;packetization-mode=2"),
            "(H264 Constrained Baseline, packetization-mode 2)",
            "packetization-mode 0 or 1)",
        ),
        (
            video(98, "VP9") + "a=fmtp:98 profile-id=2\r\n",
            "(VP9 profile 2 (10 or 12 bit))",
            "(VP9 in profile 0)",
        ),
    ] {
        let error = refusal(&sdp).await;
        let OfferError::UnsupportedCodec { allowed, .. } = &error else { panic!("{error:?}") };
        assert_eq!(allowed, &Codec::ALL);
        let message = error.to_string();
        for part in [offered, "VP8, H264, VP9", decoded] {
            assert!(message.contains(part), "{part} is not in: {message}");
        }
    }
}

#[tokio::test]
async fn an_offer_without_video_is_refused() {
    let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n";
    assert_eq!(refusal(&offer(audio)).await, OfferError::NoVideo);
    assert_eq!(refusal(&offer("")).await, OfferError::NoVideo);
    let receiver = video(96, "VP8").replace("a=sendonly", "a=recvonly");
    assert_eq!(refusal(&receiver).await, OfferError::NoVideo);
}

#[tokio::test]
async fn garbage_is_refused() {
    for garbage in ["", "hello", "\0\u{1}\u{2}", "v=0", "{\"type\":\"offer\"}", "v=0\r\nm=\r\n"] {
        let error = refusal(garbage).await;
        let expected = matches!(error, OfferError::Malformed { .. } | OfferError::NoVideo);
        assert!(expected, "{garbage:?}: {error:?}");
    }
}

#[tokio::test]
async fn ten_megabytes_are_not_read() {
    let error = refusal(&"v=0\r\n".repeat(2_000_000)).await;
    assert_eq!(error, OfferError::TooLarge { bytes: 10_000_000 });
}

#[tokio::test]
async fn an_offer_with_a_weak_fingerprint_only_is_refused() {
    let hash = vec!["AB"; 20].join(":");
    let sdp = video(96, "VP8");
    let weak = sdp.lines().map(|line| match line.starts_with("a=fingerprint") {
        true => format!("a=fingerprint:sha-1 {hash}\r\n"),
        false => format!("{line}\r\n"),
    });
    let error = refusal(&weak.collect::<String>()).await;
    assert!(error.to_string().contains("sha-256"), "{error}");
}
