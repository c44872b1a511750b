//! Every message as it is on the wire. Whatever changes here needs another version of the link.

use std::time::Duration;

use live_vlm_media_link::{
    Answered, Codec, ConnectionId, FrameCounts, FromMedia, LogLevel, LostReason, Message,
    NetworkOptions, NothingToAsk, OfferError, Outcome, PeerTimeouts, PictureInfo, SamplingSettings,
    SandboxParts, ToMedia, VERSION, encode,
};

const SEVEN: ConnectionId = ConnectionId(7);

/// The frame has this JSON, and its lengths before it.
fn assert_json(message: impl Message, attachment: usize, json: &str) {
    let frame = encode(message, attachment).unwrap();
    assert_eq!(std::str::from_utf8(&frame[8..]).unwrap(), json);
    assert_eq!(frame[..4], u32::try_from(json.len()).unwrap().to_le_bytes());
    assert_eq!(frame[4..8], u32::try_from(attachment).unwrap().to_le_bytes());
}

#[test]
fn what_a_media_process_is_told_is_pinned() {
    let to = |message: ToMedia, json| assert_json(message, 0, json);
    to(
        ToMedia::Hello { version: VERSION, log: "info".into() },
        r#"{"type":"hello","version":2,"log":"info"}"#,
    );
    to(ToMedia::Log { log: "debug".into() }, r#"{"type":"log","log":"debug"}"#);
    to(ToMedia::Ping { number: 3 }, r#"{"type":"ping","number":3}"#);
    let network = NetworkOptions {
        bind: Some([192, 0, 2, 1].into()),
        min_port: Some(4000),
        ..NetworkOptions::default()
    };
    let timeouts = PeerTimeouts::default();
    let settings = SamplingSettings { min_change: 0.5, ..SamplingSettings::default() };
    to(
        ToMedia::Offer { connection: SEVEN, sdp: "v=0\r\n".into(), network, timeouts, settings },
        concat!(
            r#"{"type":"offer","connection":7,"sdp":"v=0\r\n","#,
            r#""network":{"bind":"192.0.2.1","also_bind":null,"min_port":4000,"max_port":null,"#,
            r#""stun_server":null},"timeouts":{"connect_us":15000000,"media_us":10000000,"#,
            r#""goodbye_us":1000000,"key_frame_us":15000000},"#,
            r#""settings":{"asks":true,"interval_us":1000000,"max_age_us":0,"min_change":0.5,"#,
            r#""max_size":768,"frames_on_demand":false}}"#
        ),
    );
    to(
        ToMedia::Candidate {
            connection: SEVEN,
            mid: Some("0".into()),
            line: None,
            candidate: "candidate:1".into(),
        },
        r#"{"type":"candidate","connection":7,"mid":"0","line":null,"candidate":"candidate:1"}"#,
    );
    let settings = SamplingSettings {
        asks: false,
        interval: Duration::from_millis(100),
        max_age: Duration::from_secs(2),
        min_change: 0.0,
        max_size: 1024,
        frames_on_demand: true,
    };
    to(
        ToMedia::Settings { connection: SEVEN, settings },
        concat!(
            r#"{"type":"settings","connection":7,"settings":{"asks":false,"interval_us":100000,"#,
            r#""max_age_us":2000000,"min_change":0.0,"max_size":1024,"#,
            r#""frames_on_demand":true}}"#
        ),
    );
    to(ToMedia::AskNow { connection: SEVEN }, r#"{"type":"ask_now","connection":7}"#);
    to(ToMedia::TurnNear { connection: SEVEN }, r#"{"type":"turn_near","connection":7}"#);
    to(ToMedia::Turn { connection: SEVEN }, r#"{"type":"turn","connection":7}"#);
    to(
        ToMedia::Ended { connection: SEVEN, outcome: Outcome::Again },
        r#"{"type":"ended","connection":7,"outcome":"again"}"#,
    );
    to(
        ToMedia::Text { connection: SEVEN, text: "A \"cat\".".into(), done: true },
        r#"{"type":"text","connection":7,"text":"A \"cat\".","done":true}"#,
    );
    to(ToMedia::Stop { connection: SEVEN }, r#"{"type":"stop","connection":7}"#);
}

#[test]
fn what_a_media_process_tells_of_itself_is_pinned() {
    let sandbox = SandboxParts { applied: vec!["seccomp".into()], lacking: vec![] };
    let from = |message: FromMedia, json| assert_json(message, 0, json);
    from(
        FromMedia::Ready { version: VERSION, codecs: Codec::ALL.to_vec(), sandbox },
        concat!(
            r#"{"type":"ready","version":2,"codecs":["vp8","h264","vp9"],"#,
            r#""sandbox":{"applied":["seccomp"],"lacking":[]}}"#
        ),
    );
    from(FromMedia::Pong { number: 3 }, r#"{"type":"pong","number":3}"#);
    from(
        FromMedia::Log {
            level: LogLevel::Warn,
            target: "a::b".into(),
            connection: None,
            message: "oh".into(),
        },
        r#"{"type":"log","level":"warn","target":"a::b","connection":null,"message":"oh"}"#,
    );
}

#[test]
fn what_a_media_process_tells_of_a_connection_is_pinned() {
    let from = |message: FromMedia, json| assert_json(message, 0, json);
    let answered =
        Answered { sdp: "v=0".into(), codec: Codec::Vp9, found_all: true, goes_back: false };
    from(
        FromMedia::Answered { connection: SEVEN, result: Ok(answered) },
        concat!(
            r#"{"type":"answered","connection":7,"#,
            r#""result":{"Ok":{"sdp":"v=0","codec":"vp9","found_all":true,"goes_back":false}}}"#
        ),
    );
    let error = OfferError::UnsupportedCodec { offered: vec!["AV1".into()], allowed: vec![] };
    from(
        FromMedia::Answered { connection: SEVEN, result: Err(error) },
        concat!(
            r#"{"type":"answered","connection":7,"#,
            r#""result":{"Err":{"unsupported_codec":{"offered":["AV1"],"allowed":[]}}}}"#
        ),
    );
    from(
        FromMedia::Answered { connection: SEVEN, result: Err(OfferError::NoVideo) },
        r#"{"type":"answered","connection":7,"result":{"Err":"no_video"}}"#,
    );
    from(FromMedia::Connected { connection: SEVEN }, r#"{"type":"connected","connection":7}"#);
    from(FromMedia::FirstFrame { connection: SEVEN }, r#"{"type":"first_frame","connection":7}"#);
    from(
        FromMedia::Lost { connection: SEVEN, reason: LostReason::HungUp },
        r#"{"type":"lost","connection":7,"reason":"hung_up"}"#,
    );
    from(
        FromMedia::Lost { connection: SEVEN, reason: LostReason::Pipeline("vp8dec: no".into()) },
        r#"{"type":"lost","connection":7,"reason":{"pipeline":"vp8dec: no"}}"#,
    );
    from(
        FromMedia::Frames {
            connection: SEVEN,
            counts: FrameCounts { received: 30, decoded: 3, asked: 1, unchanged: 2 },
        },
        concat!(
            r#"{"type":"frames","connection":7,"counts":{"received":30,"decoded":3,"asked":1,"#,
            r#""unchanged":2}}"#
        ),
    );
    from(FromMedia::Stopped { connection: SEVEN }, r#"{"type":"stopped","connection":7}"#);
}

#[test]
fn what_a_media_process_tells_of_questions_is_pinned() {
    let from = |message: FromMedia, json| assert_json(message, 0, json);
    from(
        FromMedia::Want { connection: SEVEN, urgent: false, lead: Duration::from_millis(40) },
        r#"{"type":"want","connection":7,"urgent":false,"lead_us":40000}"#,
    );
    from(
        FromMedia::FrameWanted {
            connection: SEVEN,
            frames: 2,
            spacing: Duration::from_millis(500),
        },
        r#"{"type":"frame_wanted","connection":7,"frames":2,"spacing_us":500000}"#,
    );
    from(FromMedia::GiveUp { connection: SEVEN }, r#"{"type":"give_up","connection":7}"#);
    let picture = PictureInfo {
        bytes: 5,
        label: "Frame at 1.00 s:".into(),
        captured_ago: Duration::from_millis(30),
    };
    assert_json(
        FromMedia::Question { connection: SEVEN, pictures: vec![picture] },
        5,
        concat!(
            r#"{"type":"question","connection":7,"pictures":[{"bytes":5,"#,
            r#""label":"Frame at 1.00 s:","captured_ago_us":30000}]}"#
        ),
    );
    from(
        FromMedia::NoQuestion { connection: SEVEN, why: NothingToAsk::NoFrame },
        r#"{"type":"no_question","connection":7,"why":"no_frame"}"#,
    );
    from(
        FromMedia::NoQuestion { connection: SEVEN, why: NothingToAsk::Unencodable("x".into()) },
        r#"{"type":"no_question","connection":7,"why":{"unencodable":"x"}}"#,
    );
}

#[test]
fn errors_and_reasons_travel_as_they_are() {
    let errors = [
        OfferError::TooLarge { bytes: 70_000 },
        OfferError::malformed("no ice-ufrag"),
        OfferError::NoVideo,
        OfferError::UnsupportedCodec { offered: vec!["H264".into()], allowed: vec![Codec::H264] },
        OfferError::Pipeline("no webrtcbin".into()),
        OfferError::Timeout,
    ];
    for error in errors {
        let json = serde_json::to_string(&error).unwrap();
        assert_eq!(serde_json::from_str::<OfferError>(&json).unwrap(), error);
    }
    let reasons = [
        LostReason::ConnectTimeout,
        LostReason::NoMedia,
        LostReason::HungUp,
        LostReason::Unheard,
        LostReason::IceFailed,
        LostReason::FingerprintMismatch,
        LostReason::UnsupportedVideo("too large".into()),
        LostReason::Pipeline("vp8dec".into()),
    ];
    for reason in reasons {
        let json = serde_json::to_string(&reason).unwrap();
        assert_eq!(serde_json::from_str::<LostReason>(&json).unwrap(), reason);
    }
}
