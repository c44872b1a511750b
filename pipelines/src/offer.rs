use std::collections::BTreeSet;

use gst_sdp::{SDPMediaRef, SDPMessage, SDPMessageRef};

use crate::{Codec, OfferError, candidate, fingerprint::Fingerprint};

/// Header extension for bandwidth estimation; without it in the answer browsers stay at a few
/// hundred kbit/s (draft-holmer-rmcat-transport-wide-cc-extensions).
pub(crate) const TRANSPORT_CC: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// Candidates per offer and per session. Browsers send up to about 20.
pub(crate) const MAX_CANDIDATES: usize = 64;
const MAX_MEDIA_SECTIONS: usize = 16;

/// Feedback that we want when the peer offers it, as RFC 4585 and RFC 5104 name it.
const FEEDBACK: [&str; 4] = ["nack", "nack pli", "ccm fir", "transport-cc"];

/// An offer that can be answered. Made without touching the network or any element.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    /// The SDP to hand to webrtcbin: without candidates that would do harm.
    pub(crate) sdp: String,
    /// The index of the media section that carries the video.
    pub(crate) line: u32,
    pub(crate) codec: Codec,
    pub(crate) payload: u8,
    pub(crate) direction: Direction,
    /// The id of the transport-wide congestion control extension.
    pub(crate) transport_cc: Option<u8>,
    /// Those of [`FEEDBACK`] that the offer has for this payload type.
    feedback: Vec<&'static str>,
    pub(crate) fingerprints: Vec<Fingerprint>,
}

/// What the peer does with its video (RFC 8866, section 6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    SendOnly,
    /// The peer wants its video back.
    SendRecv,
}

impl Offer {
    /// Reads and checks an offer. `decodable` are the codecs to choose from; the offer's order
    /// decides among them.
    ///
    /// # Errors
    /// Every variant of [`OfferError`] but `Pipeline` and `Timeout`.
    pub(crate) fn parse(text: &str, decodable: &[Codec]) -> Result<Self, OfferError> {
        if text.len() > OfferError::MAX_BYTES {
            return Err(OfferError::TooLarge { bytes: text.len() });
        }
        let sdp = clean(text)?;
        let message = SDPMessage::parse_buffer(sdp.as_bytes())
            .map_err(|_| OfferError::malformed("it is not SDP"))?;
        let sections = message.medias().take(MAX_MEDIA_SECTIONS + 1).count();
        if sections > MAX_MEDIA_SECTIONS {
            return Err(OfferError::malformed(format!(
                "it has more than {MAX_MEDIA_SECTIONS} media sections"
            )));
        }
        let (line, media, direction) = message
            .medias()
            .enumerate()
            .find_map(|(line, media)| Some((line, media, sent_video(&message, media)?)))
            .ok_or(OfferError::NoVideo)?;
        for needed in ["ice-ufrag", "ice-pwd"] {
            attribute(&message, media, needed).ok_or_else(|| {
                OfferError::malformed(format!("its video section has no a={needed}"))
            })?;
        }
        let fingerprints = fingerprints(&message);
        if fingerprints.is_empty() {
            return Err(OfferError::malformed(
                "it has no a=fingerprint of sha-256, sha-384 or sha-512",
            ));
        }
        let (payload, codec) = choose(media, decodable)?;
        let line = u32::try_from(line).map_err(|_| OfferError::NoVideo)?;
        Ok(Self {
            line,
            codec,
            payload,
            direction,
            transport_cc: transport_cc(media),
            feedback: feedback(media, payload),
            fingerprints,
            sdp,
        })
    }

    /// What of the offer we take, as a transceiver's codec preferences.
    pub(crate) fn preferences(&self) -> gst::Caps {
        let mut caps = gst::Structure::builder("application/x-rtp")
            .field("media", "video")
            .field("payload", i32::from(self.payload))
            .field("encoding-name", self.codec.encoding_name())
            .field("clock-rate", 90_000i32);
        if let Some(id) = self.transport_cc {
            caps = caps.field(format!("extmap-{id}"), TRANSPORT_CC);
        }
        for name in &self.feedback {
            caps = caps.field(format!("rtcp-fb-{}", name.replace(' ', "-")), true);
        }
        std::iter::once(caps.build()).collect()
    }

    /// Whether the certificate in `pem` is one that the offer announced.
    pub(crate) fn announces(&self, pem: &str) -> bool {
        self.fingerprints.iter().any(|fingerprint| fingerprint.matches(pem))
    }
}

/// The offer without candidates that are of no use, and without characters that SDP's grammar
/// allows in free text only and that C strings handle badly.
fn clean(text: &str) -> Result<String, OfferError> {
    if !text.trim_start().starts_with("v=0") {
        return Err(OfferError::malformed("it does not begin with v=0"));
    }
    if text.contains('\0') {
        return Err(OfferError::malformed("it contains a zero byte"));
    }
    let mut candidates = 0;
    let mut sdp = String::with_capacity(text.len() + 64);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line.starts_with("a=candidate:") {
            if candidates == MAX_CANDIDATES || candidate::usable(line).is_err() {
                continue;
            }
            candidates += 1;
        }
        sdp.extend(line.chars().map(|c| if c.is_ascii() { c } else { '?' }));
        sdp.push_str("\r\n");
    }
    Ok(sdp)
}

/// A media attribute, or the session's in its place.
fn attribute<'a>(
    message: &'a SDPMessageRef,
    media: &'a SDPMediaRef,
    name: &str,
) -> Option<&'a str> {
    media.attribute_val(name).or_else(|| message.attribute_val(name))
}

/// The direction of a media section that sends us video.
fn sent_video(message: &SDPMessageRef, media: &SDPMediaRef) -> Option<Direction> {
    let rejected = media.port() == 0 && media.attribute_val("bundle-only").is_none();
    if media.media() != Some("video") || rejected {
        return None;
    }
    let own = direction(media.attributes().map(|attribute| attribute.key()));
    let session = direction(message.attributes().map(|attribute| attribute.key()));
    match own.or(session).unwrap_or("sendrecv") {
        "sendonly" => Some(Direction::SendOnly),
        "sendrecv" => Some(Direction::SendRecv),
        _ => None,
    }
}

fn direction<'a>(mut keys: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    keys.find(|key| is_direction(key))
}

fn is_direction(key: &str) -> bool {
    matches!(key, "sendonly" | "sendrecv" | "recvonly" | "inactive")
}

fn fingerprints(message: &SDPMessageRef) -> Vec<Fingerprint> {
    let session = message.attributes();
    let media = message.medias().flat_map(|media| media.attributes());
    session
        .chain(media)
        .filter(|attribute| attribute.key() == "fingerprint")
        .filter_map(|attribute| Fingerprint::parse(attribute.value()?))
        .collect()
}

/// The values of a repeated media attribute.
fn values<'a>(media: &'a SDPMediaRef, name: &'a str) -> impl Iterator<Item = &'a str> {
    media
        .attributes()
        .filter(move |attribute| attribute.key() == name)
        .filter_map(|attribute| attribute.value())
}

/// The value of `a=<name>:<payload> <value>`.
fn of_payload<'a>(media: &'a SDPMediaRef, name: &'a str, payload: &str) -> Option<&'a str> {
    values(media, name).find_map(|value| {
        let (number, rest) = value.split_once(' ')?;
        (number == payload).then_some(rest.trim())
    })
}

/// The first payload type, in the offer's order, that we can decode.
fn choose(media: &SDPMediaRef, decodable: &[Codec]) -> Result<(u8, Codec), OfferError> {
    let mut offered = BTreeSet::new();
    for payload in media.formats() {
        let Some(name) =
            of_payload(media, "rtpmap", payload).and_then(|rtpmap| rtpmap.split('/').next())
        else {
            continue;
        };
        let aid =
            ["rtx", "red", "ulpfec", "flexfec-03"].iter().any(|aid| name.eq_ignore_ascii_case(aid));
        if !aid {
            let name: String = name.chars().take(16).collect();
            offered.insert(name.to_ascii_uppercase());
        }
        let format = of_payload(media, "fmtp", payload).unwrap_or_default();
        let codec = Codec::from_encoding_name(name)
            .filter(|codec| decodable.contains(codec) && is_plain(*codec, format));
        // Dynamic payload types and those that RFC 8829 lets browsers use beside them.
        let number = payload.parse::<u8>().ok().filter(|number| *number < 128);
        if let (Some(codec), Some(number)) = (codec, number) {
            return Ok((number, codec));
        }
    }
    Err(OfferError::UnsupportedCodec {
        offered: offered.into_iter().take(16).collect(),
        allowed: decodable.to_vec(),
    })
}

/// Whether every decoder takes this profile: 8 bit and 4:2:0.
fn is_plain(codec: Codec, format: &str) -> bool {
    let parameter = |name: &str| {
        format.split(';').find_map(|parameter| {
            let (key, value) = parameter.trim().split_once('=')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_ascii_lowercase())
        })
    };
    match codec {
        Codec::Vp8 => true,
        Codec::Vp9 => parameter("profile-id").is_none_or(|profile| profile == "0"),
        Codec::H264 => parameter("profile-level-id").is_none_or(|profile| {
            ["42", "4d", "58", "64"].iter().any(|plain| profile.starts_with(plain))
        }),
    }
}

/// The id of the transport-wide-cc extension (RFC 8285, section 8).
fn transport_cc(media: &SDPMediaRef) -> Option<u8> {
    values(media, "extmap").find_map(|value| {
        let mut fields = value.split_ascii_whitespace();
        let id = fields.next()?.split('/').next()?.parse().ok()?;
        (fields.next()? == TRANSPORT_CC && (1..=255).contains(&id)).then_some(id)
    })
}

fn feedback(media: &SDPMediaRef, payload: u8) -> Vec<&'static str> {
    let payload = payload.to_string();
    let offered: Vec<&str> = values(media, "rtcp-fb")
        .filter_map(|value| value.split_once(' '))
        .filter(|(number, _)| *number == payload || *number == "*")
        .map(|(_, feedback)| feedback.trim())
        .collect();
    FEEDBACK.into_iter().filter(|name| offered.contains(name)).collect()
}

/// The answer with every audio and video section but `line` inactive, so that the peer does not
/// send what nobody looks at. webrtcbin 1.22 takes whatever is offered, even when a transceiver's
/// direction says otherwise.
pub(crate) fn without_other_media(answer: &str, line: u32) -> String {
    let mut section = 0;
    let mut unwanted = false;
    let mut text = String::with_capacity(answer.len());
    for own in answer.lines() {
        if let Some(media) = own.strip_prefix("m=") {
            unwanted = section != line && !media.starts_with("application");
            section += 1;
        }
        let directed = own.strip_prefix("a=").is_some_and(is_direction);
        text.push_str(if unwanted && directed { "a=inactive" } else { own });
        text.push_str("\r\n");
    }
    text
}

/// The answer with the rate at which the browser should begin, in kbit/s. Without it Chromium
/// takes seconds to reach the full size of its picture.
pub(crate) fn with_start_bitrate(answer: &str, payload: u8, kbps: u32) -> String {
    let format = format!("a=fmtp:{payload} ");
    let map = format!("a=rtpmap:{payload} ");
    let has_format = answer.lines().any(|line| line.starts_with(&format));
    let mut text = String::with_capacity(answer.len() + 48);
    for line in answer.lines() {
        text.push_str(line);
        if line.starts_with(&format) {
            text.push_str(&format!(";x-google-start-bitrate={kbps}"));
        } else if !has_format && line.starts_with(&map) {
            text.push_str(&format!("\r\n{format}x-google-start-bitrate={kbps}"));
        }
        text.push_str("\r\n");
    }
    text
}

#[cfg(test)]
#[path = "offer_tests.rs"]
mod tests;
