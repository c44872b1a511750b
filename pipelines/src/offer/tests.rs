use super::*;

/// Audio, video with everything that Chromium offers, and a data channel.
const CHROMIUM: &str = include_str!("chromium.sdp");

fn read(text: &str, decodable: &[Codec]) -> Result<Offer, OfferError> {
    Offer::parse(text, decodable)
}

fn format(offer: &Offer) -> (Codec, u8, Option<u8>) {
    let Format { codec, payload, rtx, .. } = &offer.video.format;
    (*codec, *payload, *rtx)
}

/// What webrtcbin gets for `text`.
fn for_webrtcbin(text: &str) -> String {
    read(text, &Codec::ALL).unwrap().for_webrtcbin()
}

/// A small offer: a session with `session` among its lines, then `sections`.
fn offer(session: &str, sections: &[&str]) -> String {
    format!("v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nt=0 0\n{session}\n{}", sections.join("\n"))
}

fn fingerprint(byte: &str) -> String {
    format!("a=fingerprint:sha-256 {}", vec![byte; 32].join(":"))
}

/// ICE credentials and a fingerprint that begin with `letter`.
fn transport(letter: char) -> String {
    let password = letter.to_string().repeat(22);
    format!(
        "a=ice-ufrag:{letter}{letter}{letter}{letter}\na=ice-pwd:{password}\na=setup:actpass\n{}",
        fingerprint("AB")
    )
}

fn video(lines: &str) -> String {
    format!("m=video 9 UDP/TLS/RTP/SAVPF 96\na=sendonly\na=rtpmap:96 VP8/90000\n{lines}")
}

fn data(lines: &str) -> String {
    format!("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=sctp-port:5000\n{lines}")
}

#[test]
fn the_first_decodable_codec_of_the_offer_is_chosen() {
    let offer = read(CHROMIUM, &Codec::ALL).unwrap();
    assert_eq!(format(&offer), (Codec::Vp9, 100, Some(101)), "not profile 2");
    let offer = read(CHROMIUM, &[Codec::Vp8, Codec::H264]).unwrap();
    assert_eq!(format(&offer), (Codec::Vp8, 96, Some(97)));
    let offer = read(CHROMIUM, &[Codec::H264]).unwrap();
    assert_eq!(format(&offer), (Codec::H264, 102, None), "not 4:4:4; no nack, so no rtx");
}

#[test]
fn what_we_take_has_the_offers_numbers() {
    let offer = read(CHROMIUM, &Codec::ALL).unwrap();
    let roles: Vec<_> = offer.sections.iter().map(|section| &section.role).collect();
    let opus = Role::Inactive { rtpmap: Some("111 opus/48000/2".into()), has_rtcp_mux: true };
    assert_eq!(roles, [&opus, &Role::Video, &Role::Data]);
    assert_eq!(offer.video.direction, Direction::SendOnly);
    assert_eq!(offer.video.transport_cc, Some(3));
    gst::init().unwrap();
    let caps = offer.video.format.caps(offer.video.transport_cc);
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
    assert_eq!(offer.video.transport_cc, None);
    assert!(!offer.for_webrtcbin().contains("ccm fir"));
    let receives = CHROMIUM.replace("a=extmap:3 http", "a=extmap:3/recvonly http");
    assert_eq!(read(&receives, &Codec::ALL).unwrap().video.transport_cc, None);
}

#[test]
fn webrtcbin_gets_one_form_whatever_the_offer_looks_like() {
    let hash = "5B:3A:10:C1:9F:6E:77:0D:21:8C:4B:EE:90:12:35:F7:AA:00:41:62:83:9D:DE:5F:10:C4:B7:6A:E8:29:93:0B";
    let transport = format!(
        "c=IN IP4 0.0.0.0\r\na=mid:{{}}\r\na=ice-ufrag:Yd3v\r\na=ice-pwd:fQ0VvNqk3cZc5YxJtRyPpLr1\r\n\
         a=setup:actpass\r\na=fingerprint:sha-256 {hash}\r\n"
    );
    let [video, data] = [0, 1].map(|mid| transport.replace("{}", &mid.to_string()));
    assert_eq!(
        for_webrtcbin(CHROMIUM),
        format!(
            "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
             a=ice-options:trickle\r\n\
             m=video 9 UDP/TLS/RTP/SAVPF 100 101\r\n{video}\
             a=sendonly\r\na=rtcp-mux\r\na=rtpmap:100 VP9/90000\r\n\
             a=rtcp-fb:100 nack\r\na=rtcp-fb:100 nack pli\r\na=rtcp-fb:100 ccm fir\r\n\
             a=rtcp-fb:100 transport-cc\r\na=fmtp:100 profile-id=0\r\n\
             a=rtpmap:101 rtx/90000\r\na=fmtp:101 apt=100\r\na=extmap:3 {TRANSPORT_CC}\r\n\
             m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n{data}a=sctp-port:5000\r\n"
        )
    );
    // The same peer, written otherwise: session level, other mids, another order, junk between.
    let lines: Vec<&str> = CHROMIUM.lines().collect();
    let of_transport = |line: &&&str| {
        ["a=ice-", "a=fingerprint", "a=setup"].iter().any(|start| line.starts_with(start))
    };
    let mut session: Vec<&str> = lines.iter().filter(of_transport).take(5).copied().collect();
    session.extend(["a=group:LS 0 1", "a=group:BUNDLE #b a 7"]);
    let section = |media: &str, mid: &str| {
        let own = lines.iter().skip_while(|line| !line.starts_with(media));
        let rest = own.clone().skip(1).take_while(|line| !line.starts_with("m="));
        let kept = rest.filter(|line| !of_transport(line) && !line.starts_with("a=mid"));
        let kept: Vec<&str> = own.take(1).chain(kept).copied().collect();
        format!("{}\na=mid:{mid}\na=x\u{e9}: \u{1}\nz", kept.join("\n"))
    };
    let [video, data, audio] = [("m=video", "a"), ("m=application", "#b"), ("m=audio", "7")]
        .map(|(m, mid)| section(m, mid));
    let other = offer(&session.join("\n"), &[&data, &audio, &video]);
    assert_eq!(for_webrtcbin(&other), for_webrtcbin(CHROMIUM), "{other}");
}

#[test]
fn credentials_that_stand_twice_are_read_once() {
    for (twice, name) in [("a=ice-ufrag:aaaa", "ice-ufrag"), (&transport('a'), "ice-pwd")] {
        let text = offer(&format!("{}\n{twice}", transport('a')), &[&video("a=mid:0")]);
        assert_eq!(for_webrtcbin(&text).matches(&format!("a={name}:")).count(), 1);
    }
}

#[test]
fn the_first_section_of_the_bundle_has_the_transport() {
    let text = |group: &str| {
        let [audio, video, data] = [
            format!("m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:au\n{}", transport('a')),
            video(&format!("a=mid:vi\n{}", transport('v'))),
            data(&format!("a=mid:da\n{}", transport('d'))),
        ];
        offer(group, &[&audio, &video, &data])
    };
    let ufrag = |group: &str| {
        let offer = read(&text(group), &Codec::ALL).unwrap();
        (offer.transport.ufrag.clone(), offer.has_data(), offer.is_bundled)
    };
    assert_eq!(ufrag("a=group:BUNDLE au vi da"), ("aaaa".into(), true, true));
    assert_eq!(ufrag("a=group:BUNDLE da au vi"), ("dddd".into(), true, true));
    assert_eq!(ufrag("a=group:BUNDLE nobody vi"), ("vvvv".into(), false, true));
    assert_eq!(ufrag("a=group:BUNDLE au da\na=group:LS vi"), ("vvvv".into(), false, false));
    assert_eq!(ufrag(""), ("vvvv".into(), false, false));
}

#[test]
fn what_a_bundled_section_leaves_out_is_found_in_the_session_or_beside_it() {
    let bare = "m=video 0 UDP/TLS/RTP/SAVPF 96\na=bundle-only\na=mid:v\na=rtpmap:96 VP8/90000";
    let beside =
        offer("a=group:BUNDLE v d", &[bare, &data(&format!("a=mid:d\n{}", transport('d')))]);
    assert_eq!(read(&beside, &Codec::ALL).unwrap().transport.ufrag, "dddd");
    let of_session = offer(&format!("a=group:BUNDLE v\n{}", transport('s')), &[bare]);
    assert_eq!(read(&of_session, &Codec::ALL).unwrap().transport.ufrag, "ssss");
}

#[test]
fn the_peers_end_of_dtls_is_read_or_assumed() {
    for (given, read_as) in [
        ("a=setup:actpass", "actpass"),
        ("a=setup:active", "active"),
        ("a=setup:passive", "passive"),
        ("a=setup:holdconn", "active"),
        ("", "active"),
    ] {
        let text = offer(&transport('a').replace("a=setup:actpass", given), &[&video("a=mid:0")]);
        assert!(for_webrtcbin(&text).contains(&format!("a=setup:{read_as}\r\n")), "{given}");
    }
}

#[test]
fn credentials_that_ice_does_not_know_are_refused() {
    for (from, to) in [
        ("a=ice-ufrag:aaaa", "a=ice-ufrag:aa\u{e4}a"),
        ("a=ice-ufrag:aaaa", "a=ice-ufrag:a a a"),
        ("a=ice-ufrag:aaaa", "a=ice-ufrag:aaa"),
        ("a=ice-ufrag:aaaa", "a= ice-ufrag:aaaa"),
        ("a=ice-pwd:a", "a=ice-pwd:%"),
        ("a=ice-pwd:aaaa", "a=ice-pwd:"),
    ] {
        let text = offer(&transport('a').replace(from, to), &[&video("a=mid:0")]);
        let error = read(&text, &Codec::ALL).unwrap_err();
        assert!(error.to_string().contains(&from[..8]), "{to}: {error}");
    }
}

#[test]
fn two_sections_with_the_same_mid_are_refused() {
    let text = offer(&transport('a'), &[&video("a=mid:0"), &data("a=mid:0")]);
    let error = read(&text, &Codec::ALL).unwrap_err();
    assert!(error.to_string().contains("same a=mid"), "{error}");
    let without = offer(&transport('a'), &[&video(""), &data("a=mid:")]);
    assert!(!read(&without, &Codec::ALL).unwrap().has_data());
}

#[test]
fn the_video_is_the_first_section_that_sends_what_we_decode() {
    let other = "m=video 9 UDP/TLS/RTP/SAVPF 45\na=sendonly\na=rtpmap:45 AV1/90000";
    let off = video("").replace("m=video 9", "m=video 0");
    let text = offer(&transport('a'), &[other, &off, &video("a=mid:v"), &video("a=mid:w")]);
    let offer = read(&text, &Codec::ALL).unwrap();
    assert_eq!(offer.sections.iter().position(|section| section.role == Role::Video), Some(2));
    assert!(offer.sections.iter().enumerate().all(|(i, s)| i == 2 || s.role == Role::TurnedDown));
}

#[test]
fn data_channels_are_taken_where_webrtcbin_can() {
    for (lines, taken) in [("a=mid:d", true), ("", false), ("a=mid:e", false)] {
        let session = format!("a=group:BUNDLE v d\n{}", transport('a'));
        let text = offer(&session, &[&video("a=mid:v"), &data(lines)]);
        assert_eq!(read(&text, &Codec::ALL).unwrap().has_data(), taken, "{lines}");
        for (from, to) in [
            ("a=sctp-port:5000", "a=sctp-port:5001"),
            ("m=application 9", "m=application 0"),
            ("UDP/DTLS/SCTP", "UDP/BFCP"),
            ("webrtc-datachannel", "5000"),
        ] {
            let text = text.replace(from, to);
            assert!(!read(&text, &Codec::ALL).unwrap().has_data(), "{to}");
        }
    }
}

#[test]
fn candidates_of_other_transports_and_of_no_use_are_left_out() {
    let written =
        |offer: &Offer| offer.candidates.iter().map(ToString::to_string).collect::<Vec<_>>();
    let chromium = read(CHROMIUM, &Codec::ALL).unwrap();
    let [candidate] = &written(&chromium)[..] else { panic!("{chromium:?}") };
    assert!(candidate.contains("198.51.100.4 54400 typ srflx"), "{candidate}");

    let at = |last: u8| format!("a=candidate:1 1 udp 1 192.0.2.{last} 9 typ host");
    let audio = format!("m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:a\n{}\n{}", transport('a'), at(1));
    let same = format!("m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:s\n{}\n{}", transport('v'), at(2));
    let video = video(&format!(
        "a=mid:v\n{}\n{}\na= candidate:1 1 udp 1 192.0.2.4 9 typ host",
        transport('v'),
        at(3)
    ));
    let offer = read(&offer("", &[&audio, &same, &video]), &Codec::ALL).unwrap();
    let taken: Vec<bool> = (1..=4)
        .map(|last| written(&offer).concat().contains(&format!("192.0.2.{last} ")))
        .collect();
    assert_eq!(taken, [false, true, true, false]);
    for (section, taken) in [
        (CandidateSection::Line(0), false),
        (CandidateSection::Line(1), true),
        (CandidateSection::Line(2), true),
        (CandidateSection::Line(3), false),
        (CandidateSection::Mid("a"), false),
        (CandidateSection::Mid("v"), true),
        (CandidateSection::Mid(""), false),
        (CandidateSection::Unsaid, true),
    ] {
        assert_eq!(offer.has_candidates_in(section), taken, "{section:?}");
    }
}

#[test]
fn candidates_are_bounded() {
    let candidate = "a=candidate:1 1 udp 1 192.0.2.7 9 typ host\n";
    let many = CHROMIUM.replace("a=mid:1\n", &format!("a=mid:1\n{}", candidate.repeat(200)));
    assert_eq!(read(&many, &Codec::ALL).unwrap().candidates.len(), MAX_CANDIDATES);
}

#[test]
fn a_peer_that_wants_its_video_back_is_recognised() {
    let direction = |text: &str| read(text, &Codec::ALL).map(|offer| offer.video.direction);
    let both = CHROMIUM.replace("a=sendonly", "a=sendrecv");
    assert_eq!(direction(&both), Ok(Direction::SendRecv));
    let unsaid = CHROMIUM.replace("a=sendonly\n", "");
    assert_eq!(direction(&unsaid), Ok(Direction::SendRecv));
    let of_session = unsaid.replace("t=0 0\n", "t=0 0\na=sendonly\n");
    assert_eq!(direction(&of_session), Ok(Direction::SendOnly));
    for other in ["a=recvonly", "a=inactive"] {
        let silent = CHROMIUM.replace("a=sendonly", other);
        assert_eq!(direction(&silent), Err(OfferError::NoVideo));
        assert_eq!(
            direction(&unsaid.replace("t=0 0\n", &format!("t=0 0\n{other}\n"))),
            Err(OfferError::NoVideo)
        );
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
fn h264_is_answered_in_the_profile_and_mode_that_were_offered() {
    let parameters = |fmtp: &str| {
        let text = offer(
            &transport('a'),
            &[&format!("m=video 9 UDP/TLS/RTP/SAVPF 96\na=rtpmap:96 H264/90000\n{fmtp}")],
        );
        read(&text, &Codec::ALL).ok().map(|offer| offer.video.format.parameters.join(";"))
    };
    assert_eq!(parameters(""), Some(String::new()));
    assert_eq!(
        parameters(
            "a=fmtp:96 profile-level-id=42E01F; packetization-mode=1;level-asymmetry-allowed=1;x=y"
        ),
        Some("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f".to_owned())
    );
    assert_eq!(
        parameters("a=fmtp:96 packetization-mode=0;profile-level-id=640c1f"),
        Some("packetization-mode=0;profile-level-id=640c1f".to_owned())
    );
    for other in ["profile-level-id=f4001f", "profile-level-id=42\u{e9}01f", "packetization-mode=2"]
    {
        assert_eq!(parameters(&format!("a=fmtp:96 {other}")), None, "{other}");
    }
}

#[test]
fn payload_types_that_rtcp_needs_are_not_taken() {
    for (payload, taken) in
        [(34, false), (35, true), (63, true), (72, false), (95, false), (127, true)]
    {
        let text = offer(&transport('a'), &[&video("").replace("96", &payload.to_string())]);
        assert_eq!(read(&text, &Codec::ALL).is_ok(), taken, "{payload}");
    }
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
