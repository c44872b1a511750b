//! Offers as browsers and publishers make them, in every order that the standards allow.

use fastrand::Rng;

use crate::{candidates, sdp::Sdp};

/// What a media section is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Audio,
    Video,
    Data,
}

/// Whose offer it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    Chromium,
    Firefox,
    Safari,
    Pion,
    Obs,
}

const MAKERS: [Maker; 5] =
    [Maker::Chromium, Maker::Firefox, Maker::Safari, Maker::Pion, Maker::Obs];

const PLANS: [&[Kind]; 9] = [
    &[Kind::Video],
    &[Kind::Video],
    &[Kind::Audio, Kind::Video],
    &[Kind::Video, Kind::Data],
    &[Kind::Data, Kind::Video],
    &[Kind::Audio, Kind::Video, Kind::Data],
    &[Kind::Video, Kind::Video],
    &[Kind::Video, Kind::Audio, Kind::Video, Kind::Data],
    &[Kind::Video, Kind::Video, Kind::Video, Kind::Video, Kind::Audio, Kind::Data],
];

/// An offer that is in order.
pub(crate) fn any(random: &mut Rng) -> Sdp {
    let maker = MAKERS[random.usize(..MAKERS.len())];
    let mut kinds = PLANS[random.usize(..PLANS.len())].to_vec();
    if random.u8(..4) == 0 {
        random.shuffle(&mut kinds);
    }
    let mut mids: Vec<String> = match random.u8(..6) {
        0 => kinds.iter().map(|kind| name(*kind).to_owned()).collect(),
        _ => (0..kinds.len()).map(|number| number.to_string()).collect(),
    };
    mids.dedup();
    while mids.len() < kinds.len() {
        mids.push(format!("more{}", mids.len()));
    }
    if random.u8(..4) == 0 {
        random.shuffle(&mut mids);
    }
    let secrets = Secrets::new(random);
    let media =
        kinds.iter().zip(&mids).map(|(kind, mid)| section(random, maker, *kind, mid, &secrets));
    let media = media.collect();
    let mut bundle = mids;
    match random.u8(..6) {
        0 => random.shuffle(&mut bundle),
        1 => bundle.sort(),
        _ => {}
    }
    Sdp { session: session(random, maker, &bundle, &secrets), media }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Audio => "audio",
        Kind::Video => "video",
        Kind::Data => "application",
    }
}

/// What a peer is known by.
struct Secrets {
    ufrag: String,
    password: String,
    fingerprint: String,
}

impl Secrets {
    fn new(random: &mut Rng) -> Self {
        Self {
            ufrag: letters(random, 4),
            password: letters(random, 24),
            fingerprint: fingerprint(random, 32),
        }
    }

    fn ice(&self) -> [String; 2] {
        [format!("a=ice-ufrag:{}", self.ufrag), format!("a=ice-pwd:{}", self.password)]
    }
}

pub(crate) fn letters(random: &mut Rng, count: usize) -> String {
    std::iter::repeat_with(|| random.alphanumeric()).take(count).collect()
}

pub(crate) fn fingerprint(random: &mut Rng, bytes: usize) -> String {
    let bytes: Vec<_> = (0..bytes).map(|_| format!("{:02X}", random.u8(..))).collect();
    bytes.join(":")
}

fn session(random: &mut Rng, maker: Maker, bundle: &[String], secrets: &Secrets) -> Vec<String> {
    let user = match maker {
        Maker::Firefox => "mozilla...THIS_IS_SDPARTA-120.0",
        Maker::Obs => "rtc",
        _ => "-",
    };
    let mut lines = vec![
        "v=0".to_owned(),
        format!("o={user} {} 2 IN IP4 127.0.0.1", random.u64(..1 << 62)),
        "s=-".to_owned(),
        "t=0 0".to_owned(),
        format!("a=group:BUNDLE {}", bundle.join(" ")),
    ];
    match maker {
        Maker::Chromium | Maker::Safari => {
            lines.extend(["a=extmap-allow-mixed".to_owned(), "a=msid-semantic: WMS".to_owned()]);
        }
        Maker::Firefox => {
            lines.extend(["a=sendrecv", "a=ice-options:trickle"].map(str::to_owned));
            lines.push(format!("a=fingerprint:sha-256 {}", secrets.fingerprint));
            lines.push("a=msid-semantic:WMS *".to_owned());
        }
        Maker::Pion => {
            lines.push("a=msid-semantic:WMS*".to_owned());
            lines.push(format!("a=fingerprint:sha-256 {}", secrets.fingerprint));
            lines.push("a=extmap-allow-mixed".to_owned());
        }
        Maker::Obs => {
            lines.push("a=setup:actpass".to_owned());
            lines.extend(secrets.ice());
            lines.push("a=ice-options:ice2,trickle".to_owned());
            lines.push(format!("a=fingerprint:sha-256 {}", secrets.fingerprint));
        }
    }
    lines
}

/// Name, profile, and the payload type of its retransmissions.
const VIDEO: [Codec; 6] = [
    (96, "VP8", ""),
    (98, "VP9", "profile-id=0"),
    (100, "VP9", "profile-id=2"),
    (102, "H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
    (104, "H264", "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=64001f"),
    (45, "AV1", "level-idx=5;profile=0;tier=0"),
];

const FEEDBACK: [&str; 5] = ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"];

const EXTENSIONS: [&str; 5] = [
    "urn:ietf:params:rtp-hdrext:toffset",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "urn:3gpp:video-orientation",
];

type Codec = (u8, &'static str, &'static str);

/// Some codecs in any order, and one among them that the server takes.
fn codecs(random: &mut Rng) -> Vec<Codec> {
    let mut codecs = VIDEO.to_vec();
    random.shuffle(&mut codecs);
    codecs.truncate(random.usize(1..=VIDEO.len()));
    if !codecs.iter().any(|(_, name, _)| ["VP8", "H264"].contains(name)) {
        codecs.push(VIDEO[0]);
    }
    codecs
}

fn section(
    random: &mut Rng,
    maker: Maker,
    kind: Kind,
    mid: &str,
    secrets: &Secrets,
) -> Vec<String> {
    let codecs = codecs(random);
    let formats: Vec<String> = match kind {
        Kind::Audio => vec!["111".to_owned()],
        Kind::Video => codecs
            .iter()
            .flat_map(|(payload, ..)| [payload.to_string(), (payload + 1).to_string()])
            .collect(),
        Kind::Data => vec!["webrtc-datachannel".to_owned()],
    };
    let protocol = if kind == Kind::Data { "UDP/DTLS/SCTP" } else { "UDP/TLS/RTP/SAVPF" };
    let mut lines = vec![
        format!("m={} 9 {protocol} {}", name(kind), formats.join(" ")),
        "c=IN IP4 0.0.0.0".to_owned(),
    ];
    transport(random, maker, secrets, &mut lines);
    lines.push(format!("a=mid:{mid}"));
    match kind {
        Kind::Data => {
            lines.extend(["a=sctp-port:5000", "a=max-message-size:262144"].map(str::to_owned));
        }
        Kind::Audio => {
            lines.extend(
                [
                    "a=sendrecv",
                    "a=rtcp-mux",
                    "a=rtpmap:111 opus/48000/2",
                    "a=rtcp-fb:111 transport-cc",
                ]
                .map(str::to_owned),
            );
        }
        Kind::Video => video(random, maker, &codecs, &mut lines),
    }
    lines
}

fn transport(random: &mut Rng, maker: Maker, secrets: &Secrets, lines: &mut Vec<String>) {
    for _ in 0..random.usize(..3) {
        lines.push(format!("a={}", candidates::plain(random)));
    }
    if maker != Maker::Obs {
        lines.extend(secrets.ice());
        lines.push("a=setup:actpass".to_owned());
    }
    if matches!(maker, Maker::Chromium | Maker::Safari) {
        lines.push("a=ice-options:trickle".to_owned());
        lines.push(format!("a=fingerprint:sha-256 {}", secrets.fingerprint));
    }
}

fn video(random: &mut Rng, maker: Maker, codecs: &[Codec], lines: &mut Vec<String>) {
    for (number, extension) in EXTENSIONS.iter().enumerate().take(random.usize(..=EXTENSIONS.len()))
    {
        lines.push(format!("a=extmap:{} {extension}", number + 1));
    }
    let direction = if random.u8(..5) == 0 { "a=sendrecv" } else { "a=sendonly" };
    lines.extend([direction, "a=rtcp-mux", "a=rtcp-rsize"].map(str::to_owned));
    for (payload, name, format) in codecs {
        lines.push(format!("a=rtpmap:{payload} {name}/90000"));
        lines.extend(FEEDBACK.iter().map(|feedback| format!("a=rtcp-fb:{payload} {feedback}")));
        if !format.is_empty() {
            lines.push(format!("a=fmtp:{payload} {format}"));
        }
        let again = payload + 1;
        lines.push(format!("a=rtpmap:{again} rtx/90000"));
        lines.push(format!("a=fmtp:{again} apt={payload}"));
    }
    if maker != Maker::Pion || random.bool() {
        let (own, again) = (random.u32(1..), random.u32(1..));
        lines.push(format!("a=ssrc-group:FID {own} {again}"));
        for ssrc in [own, again] {
            lines.push(format!("a=ssrc:{ssrc} cname:{}", letters(random, 16)));
            lines.push(format!("a=ssrc:{ssrc} msid:- {}", letters(random, 12)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offer_has_its_sections_in_a_bundle_and_comes_again_by_its_seed() {
        for seed in 0..200 {
            let offer = any(&mut Rng::with_seed(seed));
            assert_eq!(offer, any(&mut Rng::with_seed(seed)));
            let bundle = &offer.session.iter().find(|line| line.starts_with("a=group:")).unwrap();
            let mids: Vec<_> =
                offer.media.iter().flatten().filter(|l| l.starts_with("a=mid:")).collect();
            assert_eq!(mids.len(), offer.media.len());
            assert!(mids.iter().all(|mid| bundle.contains(&mid[6..])), "{offer:#?}");
            assert!(offer.media.iter().any(|media| media[0].starts_with("m=video")));
        }
    }
}
