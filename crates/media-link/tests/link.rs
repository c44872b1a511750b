//! A link, and what a media process that lies may do to it: nothing but end it.

use std::time::Duration;

use live_vlm_media_link::{
    ConnectionId, Decoder, FromMedia, LinkError, LogLevel, LostReason, MAX_ATTACHMENT, MAX_JSON,
    MAX_LEAD, MAX_PICTURES, MAX_SDP, MAX_SPACING, MAX_TEXT, OfferError, PictureInfo, Reader,
    Received, SamplingSettings, SandboxParts, ToMedia, VERSION, Writer, encode, pictures,
};
use tokio::io::AsyncWriteExt;

const SEVEN: ConnectionId = ConnectionId(7);

fn ready() -> FromMedia {
    FromMedia::Ready { version: VERSION, codecs: vec![], sandbox: SandboxParts::default() }
}

fn picture(bytes: u32) -> PictureInfo {
    PictureInfo { bytes, label: String::new(), captured_ago: Duration::ZERO }
}

/// A frame as anybody may write it.
fn frame(json: &str, attachment: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend(u32::try_from(json.len()).unwrap().to_le_bytes());
    frame.extend(u32::try_from(attachment.len()).unwrap().to_le_bytes());
    frame.extend(json.as_bytes());
    frame.extend(attachment);
    frame
}

/// What follows a greeting.
fn after_ready(bytes: &[u8]) -> Vec<u8> {
    [&encode(ready(), 0).unwrap(), bytes].concat()
}

/// All that is read of these bytes, whose end is the link's.
async fn read(mut bytes: &[u8]) -> (Vec<Received<FromMedia>>, Option<LinkError>) {
    let mut reader = Reader::new(&mut bytes);
    let mut messages = Vec::new();
    loop {
        match reader.next().await {
            Ok(Some(received)) => messages.push(received),
            Ok(None) => return (messages, None),
            Err(error) => return (messages, Some(error)),
        }
    }
}

async fn refusal(bytes: &[u8]) -> LinkError {
    let (_, error) = read(bytes).await;
    error.expect("an error")
}

#[tokio::test]
async fn pictures_arrive_as_they_were_sent() {
    let (ours, theirs) = tokio::io::duplex(16);
    let send = async {
        let mut writer = Writer::new(ours);
        writer.send(ready()).await.unwrap();
        let question =
            FromMedia::Question { connection: SEVEN, pictures: vec![picture(3), picture(40)] };
        writer.send_with(question, &[vec![1; 3], vec![2; 40]]).await.unwrap();
        writer.send(FromMedia::GiveUp { connection: SEVEN }).await.unwrap();
    };
    let receive = async {
        let mut reader = Reader::<_, FromMedia>::new(theirs);
        assert_eq!(reader.next().await.unwrap().unwrap().message, ready());
        let Received { message, attachment } = reader.next().await.unwrap().unwrap();
        let FromMedia::Question { pictures: infos, .. } = message else { panic!("{message:?}") };
        let seen: Vec<_> = pictures(&infos, &attachment).map(|(_, bytes)| bytes).collect();
        assert_eq!(seen, [&[1; 3][..], &[2; 40]]);
        let next = reader.next().await.unwrap().unwrap();
        assert_eq!(next.message, FromMedia::GiveUp { connection: SEVEN });
        assert!(next.attachment.is_empty());
        assert!(reader.next().await.unwrap().is_none());
    };
    tokio::join!(send, receive);
}

#[tokio::test]
async fn a_read_that_is_dropped_goes_on_where_it_stopped() {
    let (mut ours, theirs) = tokio::io::duplex(1024);
    let bytes = encode(ready(), 0).unwrap();
    let mut reader = Reader::<_, FromMedia>::new(theirs);
    for byte in bytes {
        ours.write_all(&[byte]).await.unwrap();
        tokio::select! {
            biased;
            received = reader.next() => {
                assert_eq!(received.unwrap().unwrap().message, ready());
                return;
            }
            () = std::future::ready(()) => {}
        }
    }
    panic!("all of it was there");
}

#[tokio::test]
async fn lengths_beyond_the_bounds_are_refused_before_anything_else_is_read() {
    for (json, attachment) in [(MAX_JSON + 1, 0), (2, MAX_ATTACHMENT + 1), (usize::MAX, 0)] {
        let mut head = Vec::new();
        for length in [json, attachment] {
            head.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        }
        let error = refusal(&head).await;
        assert!(matches!(error, LinkError::TooLong { .. }), "{error}");
    }
}

#[test]
fn no_more_is_allocated_than_a_message_announces() {
    let mut decoder = Decoder::<FromMedia>::default();
    let bytes = frame("{}", &[0; 100]);
    decoder.room().get_mut().extend(&bytes[..8]);
    assert!(decoder.next().unwrap().is_none());
    assert_eq!(decoder.room().get_ref().capacity(), 2);
    decoder.room().get_mut().extend(&bytes[8..10]);
    assert_eq!(decoder.room().get_ref().capacity(), 100);
}

#[tokio::test]
async fn another_version_is_refused_whatever_else_it_says() {
    let other = frame(r#"{"type":"hi there","version":3,"news":[1]}"#, &[]);
    let error = refusal(&other).await;
    assert!(matches!(error, LinkError::Version { theirs: 3 }), "{error}");
    assert_eq!(
        error.to_string(),
        "the other process speaks version 3 of the link, and this one version 2; live-vlm and its \
         media processes must be of one installation: restart live-vlm"
    );
}

#[tokio::test]
async fn the_version_comes_first_and_once() {
    let want =
        encode(FromMedia::Want { connection: SEVEN, urgent: false, lead: MAX_LEAD }, 0).unwrap();
    assert!(matches!(refusal(&want).await, LinkError::NotGreeted));
    let twice = after_ready(&encode(ready(), 0).unwrap());
    assert!(matches!(refusal(&twice).await, LinkError::GreetedTwice));
}

#[tokio::test]
async fn what_is_no_message_is_refused_in_a_short_line() {
    let deep = "[".repeat(MAX_JSON);
    for json in [
        "",
        "null",
        "{}",
        r#"{"type":"shutdown"}"#,
        r#"{"type":"want","connection":7}"#,
        r#"{"type":"want","connection":-7,"urgent":true}"#,
        r#"{"type":"want","connection":7,"urgent":true} "#.trim_end_matches(['}', ' ']),
        r#"{"type":"\u001b[31m"}"#,
        &format!(r#"{{"type":"{}"}}"#, "x".repeat(100_000)),
        &deep,
    ] {
        let error = refusal(&after_ready(&frame(json, &[]))).await;
        assert!(matches!(error, LinkError::Unreadable(_)), "{error}");
        let text = error.to_string();
        assert!(text.len() < 250 && !text.contains('\u{1b}'), "{text}");
    }
    let not_utf8 = after_ready(&[1, 0, 0, 0, 0, 0, 0, 0, 0xff]);
    assert!(matches!(refusal(&not_utf8).await, LinkError::Unreadable(_)));
}

#[tokio::test]
async fn pictures_must_be_as_long_as_they_say() {
    let question = |pictures: &str, attachment: usize| {
        let json = format!(r#"{{"type":"question","connection":7,"pictures":[{pictures}]}}"#);
        after_ready(&frame(&json, &vec![0; attachment]))
    };
    let of = |bytes: u64| format!(r#"{{"bytes":{bytes},"label":"","captured_ago_us":0}}"#);
    for (announced, came) in [(4, 3), (3, 4), (u64::from(u32::MAX), 5), (0, 1)] {
        let error = refusal(&question(&of(announced), came)).await;
        assert!(matches!(error, LinkError::Attachment { .. }), "{error}");
    }
    let huge = vec![of(u64::from(u32::MAX)); 3].join(",");
    assert!(matches!(refusal(&question(&huge, 1)).await, LinkError::Attachment { .. }));
    let empty = [of(3), of(0)].join(",");
    assert!(matches!(refusal(&question(&empty, 3)).await, LinkError::Field { .. }));
    assert!(matches!(refusal(&question("", 0)).await, LinkError::Field { .. }));
    let many = vec![of(1); MAX_PICTURES + 1].join(",");
    assert!(matches!(
        refusal(&question(&many, MAX_PICTURES + 1)).await,
        LinkError::TooLong { what: "pictures", .. }
    ));
    let unasked = after_ready(&frame(r#"{"type":"give_up","connection":7}"#, &[0]));
    assert!(matches!(refusal(&unasked).await, LinkError::Attachment { announced: 0, came: 1 }));
}

#[tokio::test]
async fn texts_that_are_too_long_are_refused() {
    let long = "x".repeat(MAX_TEXT + 1);
    let sdp = "x".repeat(MAX_SDP + 1);
    for json in [
        format!(r#"{{"type":"lost","connection":7,"reason":{{"pipeline":"{long}"}}}}"#),
        format!(r#"{{"type":"no_question","connection":7,"why":{{"unencodable":"{long}"}}}}"#),
        format!(
            r#"{{"type":"log","level":"info","target":"","connection":null,"message":"{long}"}}"#
        ),
        format!(
            r#"{{"type":"answered","connection":7,"result":{{"Err":{{"malformed":{{"reason":"{long}"}}}}}}}}"#
        ),
        format!(
            r#"{{"type":"answered","connection":7,"result":{{"Ok":{{"sdp":"{sdp}","codec":"vp8","found_all":true,"goes_back":false}}}}}}"#
        ),
    ] {
        let error = refusal(&after_ready(&frame(&json, &[]))).await;
        assert!(matches!(error, LinkError::TooLong { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_link_may_end_between_messages_and_nowhere_else() {
    let (messages, error) = read(&after_ready(&[])).await;
    assert_eq!(messages.len(), 1);
    assert!(error.is_none());
    let json = r#"{"type":"question","connection":7,"pictures":[{"bytes":2,"label":"","captured_ago_us":0}]}"#;
    let whole = after_ready(&frame(json, &[0; 2]));
    assert_eq!(read(&whole).await.0.len(), 2);
    let greeting = after_ready(&[]).len();
    for end in [greeting + 1, greeting + 8, greeting + 20, whole.len() - 2, whole.len() - 1] {
        assert!(matches!(refusal(&whole[..end]).await, LinkError::Cut), "{end}");
    }
}

/// A stranger's text in an honest media process's message must not end it.
#[tokio::test]
async fn what_is_only_for_people_is_shortened_before_it_is_sent() {
    let long = "\u{1}ä".repeat(100_000);
    let error = OfferError::UnsupportedCodec { offered: vec![long.clone(); 1000], allowed: vec![] };
    let messages = [
        ready(),
        FromMedia::Answered { connection: SEVEN, result: Err(error) },
        FromMedia::Answered { connection: SEVEN, result: Err(OfferError::malformed(&*long)) },
        FromMedia::Lost { connection: SEVEN, reason: LostReason::Pipeline(long.clone()) },
        FromMedia::Log {
            level: LogLevel::Info,
            target: long.clone(),
            connection: Some(SEVEN),
            message: long,
        },
    ];
    let sent: Vec<u8> =
        messages.iter().flat_map(|message| encode(message.clone(), 0).unwrap()).collect();
    let (messages, error) = read(&sent).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(messages.len(), 5);
    let FromMedia::Lost { reason: LostReason::Pipeline(text), .. } = &messages[3].message else {
        panic!("{messages:?}");
    };
    assert!(text.len() <= MAX_TEXT && text.ends_with("..."));
}

#[test]
fn what_breaks_a_bound_is_not_sent() {
    let settings = |settings| ToMedia::Settings { connection: SEVEN, settings };
    let usual = SamplingSettings::default();
    for bad in [
        SamplingSettings { min_change: f64::NAN, ..usual },
        SamplingSettings { min_change: 1.1, ..usual },
        SamplingSettings { interval: Duration::ZERO, ..usual },
        SamplingSettings { max_age: Duration::MAX, ..usual },
    ] {
        assert!(matches!(encode(settings(bad), 0), Err(LinkError::Field { .. })), "{bad:?}");
    }
    let candidate = ToMedia::Candidate {
        connection: SEVEN,
        mid: None,
        line: Some(0),
        candidate: "x".repeat(2000),
    };
    assert!(matches!(encode(candidate, 0), Err(LinkError::TooLong { what: "candidate", .. })));
    let wanted = |frames, spacing| FromMedia::FrameWanted { connection: SEVEN, frames, spacing };
    for (frames, spacing) in [(0, MAX_SPACING), (65, MAX_SPACING), (1, MAX_SPACING * 2)] {
        assert!(matches!(encode(wanted(frames, spacing), 0), Err(LinkError::Field { .. })));
    }
    assert!(encode(wanted(64, MAX_SPACING), 0).is_ok());
    let early = FromMedia::Want { connection: SEVEN, urgent: false, lead: MAX_LEAD * 2 };
    assert!(matches!(encode(early, 0), Err(LinkError::Field { .. })));
    let large = u32::try_from(MAX_ATTACHMENT).unwrap() + 1;
    let question = FromMedia::Question { connection: SEVEN, pictures: vec![picture(large)] };
    let error = encode(question, MAX_ATTACHMENT + 1);
    assert!(matches!(error, Err(LinkError::TooLong { what: "the attachment", .. })));
}
