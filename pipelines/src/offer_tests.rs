use super::*;

/// Audio, video with everything that Chromium offers, and a data channel.
const CHROMIUM: &str = include_str!("offer_chromium.sdp");

fn read(text: &str, decodable: &[Codec]) -> Result<Offer, OfferError> {
    gst::init().unwrap();
    Offer::parse(text, decodable)
}

#[test]
fn the_first_decodable_codec_of_the_offer_is_chosen() {
    let offer = read(CHROMIUM, &Codec::ALL).unwrap();
    assert_eq!((offer.codec, offer.payload), (Codec::Vp9, 100), "not profile 2");
    let offer = read(CHROMIUM, &[Codec::Vp8, Codec::H264]).unwrap();
    assert_eq!((offer.codec, offer.payload), (Codec::Vp8, 96));
    let offer = read(CHROMIUM, &[Codec::H264]).unwrap();
    assert_eq!((offer.codec, offer.payload), (Codec::H264, 102), "not 4:4:4");
}

#[test]
fn what_we_take_has_the_offers_numbers() {
    let offer = read(CHROMIUM, &Codec::ALL).unwrap();
    assert_eq!((offer.line, offer.direction), (1, Direction::SendOnly));
    assert_eq!(offer.transport_cc, Some(3));
    let caps = offer.preferences();
    let caps = caps.structure(0).unwrap();
    assert_eq!(caps.get::<i32>("payload"), Ok(100));
    assert_eq!(caps.get::<&str>("extmap-3"), Ok(TRANSPORT_CC));
    for feedback in ["nack", "nack-pli", "ccm-fir", "transport-cc"] {
        assert_eq!(caps.get::<bool>(format!("rtcp-fb-{feedback}")), Ok(true), "{feedback}");
    }
    assert!(!caps.has_field("rtcp-fb-goog-remb"));
}

#[test]
fn only_what_is_offered_is_taken() {
    let without = CHROMIUM.replace("a=rtcp-fb:100 ccm fir\n", "").replace(TRANSPORT_CC, "urn:x");
    let offer = read(&without, &Codec::ALL).unwrap();
    assert_eq!(offer.transport_cc, None);
    assert!(!offer.preferences().structure(0).unwrap().has_field("rtcp-fb-ccm-fir"));
}

#[test]
fn candidates_that_do_harm_are_left_out() {
    let sdp = read(CHROMIUM, &Codec::ALL).unwrap().sdp;
    assert!(!sdp.contains(".local") && !sdp.contains(" tcp "), "{sdp}");
    assert_eq!(sdp.matches("a=candidate:").count(), 1);
    assert!(sdp.contains("198.51.100.4"));
}

#[test]
fn candidates_are_bounded() {
    let candidate = "a=candidate:1 1 udp 1 192.0.2.7 9 typ host\n";
    let many = CHROMIUM.replace("a=mid:1\n", &format!("a=mid:1\n{}", candidate.repeat(200)));
    let sdp = read(&many, &Codec::ALL).unwrap().sdp;
    assert_eq!(sdp.matches("a=candidate:").count(), MAX_CANDIDATES);
}

#[test]
fn a_peer_that_wants_its_video_back_is_recognised() {
    let both = CHROMIUM.replace("a=sendonly", "a=sendrecv");
    assert_eq!(read(&both, &Codec::ALL).unwrap().direction, Direction::SendRecv);
    let unsaid = CHROMIUM.replace("a=sendonly\n", "");
    assert_eq!(read(&unsaid, &Codec::ALL).unwrap().direction, Direction::SendRecv);
    for other in ["a=recvonly", "a=inactive"] {
        let silent = CHROMIUM.replace("a=sendonly", other);
        assert_eq!(read(&silent, &Codec::ALL).unwrap_err(), OfferError::NoVideo);
    }
}

#[test]
fn an_undecodable_offer_names_what_it_has() {
    let error = read(CHROMIUM, &[]).unwrap_err();
    let OfferError::UnsupportedCodec { offered, allowed } = error else { panic!("{error}") };
    assert_eq!(offered, ["AV1", "H264", "VP8", "VP9"]);
    assert!(allowed.is_empty());
}

#[test]
fn every_beginning_of_an_offer_is_read_or_refused() {
    for end in 0..CHROMIUM.len() {
        let _ = read(&CHROMIUM[..end], &Codec::ALL);
    }
}

#[test]
fn changed_characters_are_read_or_refused() {
    for (position, _) in CHROMIUM.char_indices().step_by(7) {
        for with in ["\0", "\r", "\n", "ÿ", "=", ":", "/", " ", "99999999999", "-1"] {
            let changed = format!("{}{with}{}", &CHROMIUM[..position], &CHROMIUM[position + 1..]);
            let _ = read(&changed, &Codec::ALL);
        }
    }
}

#[test]
fn too_much_is_refused() {
    let long = CHROMIUM.to_owned() + &"a=x\n".repeat(20_000);
    assert!(matches!(read(&long, &Codec::ALL), Err(OfferError::TooLarge { .. })));
    let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 0\n".repeat(MAX_MEDIA_SECTIONS);
    assert!(matches!(
        read(&(CHROMIUM.to_owned() + &audio), &Codec::ALL),
        Err(OfferError::Malformed { .. })
    ));
}

#[test]
fn the_start_bitrate_joins_the_format() {
    let answer = "v=0\r\nm=video 9 X 102\r\na=rtpmap:102 H264/90000\r\na=fmtp:102 a=1\r\n";
    assert!(
        with_start_bitrate(answer, 102, 1500)
            .contains("a=fmtp:102 a=1;x-google-start-bitrate=1500\r\n")
    );
    let bare = "v=0\r\nm=video 9 X 96\r\na=rtpmap:96 VP8/90000\r\na=recvonly\r\n";
    assert_eq!(
        with_start_bitrate(bare, 96, 1500),
        "v=0\r\nm=video 9 X 96\r\na=rtpmap:96 VP8/90000\r\n\
         a=fmtp:96 x-google-start-bitrate=1500\r\na=recvonly\r\n"
    );
}

#[test]
fn other_media_becomes_inactive() {
    let answer = "v=0\r\nm=audio 9 X 0\r\na=recvonly\r\nm=video 9 X 96\r\na=recvonly\r\n\
                  m=video 9 X 96\r\na=recvonly\r\nm=application 9 X y\r\na=sendrecv\r\n";
    assert_eq!(
        without_other_media(answer, 1),
        "v=0\r\nm=audio 9 X 0\r\na=inactive\r\nm=video 9 X 96\r\na=recvonly\r\n\
         m=video 9 X 96\r\na=inactive\r\nm=application 9 X y\r\na=sendrecv\r\n"
    );
}
