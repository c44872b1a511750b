use crate::{
    Codec,
    sdp::{Attributes, Section, parameter},
};

use super::{TRANSPORT_CC, profile};

/// Feedback that we want when the peer offers it, as RFC 4585 and RFC 5104 name it.
const FEEDBACK: [&str; 4] = ["nack", "nack pli", "ccm fir", "transport-cc"];

/// The RTP payload format in which we take the video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) codec: Codec,
    pub(crate) payload: u8,
    /// The payload type of packets that are sent again (RFC 4588).
    pub(crate) rtx: Option<u8>,
    /// Those of [`FEEDBACK`] that the offer has for it.
    pub(crate) feedback: Vec<&'static str>,
    /// What an answer has to repeat of its parameters, as `name=value`.
    pub(crate) parameters: Vec<String>,
}

impl Format {
    /// The first payload type, in the section's order, that we can decode.
    ///
    /// # Errors
    /// The names of the codecs that the section has instead, and of what it has of those that can
    /// be decoded.
    pub(super) fn choose(section: &Section, decodable: &[Codec]) -> Result<Self, Vec<String>> {
        let attributes = &section.attributes;
        let mut offered = Vec::new();
        for payload in &section.formats {
            let Some(name) = encoding_name(attributes, payload) else { continue };
            let codec = Codec::from_encoding_name(name).filter(|codec| decodable.contains(codec));
            let Some(codec) = codec else {
                let aid = ["rtx", "red", "ulpfec", "flexfec-03"];
                if !aid.iter().any(|aid| name.eq_ignore_ascii_case(aid)) {
                    offered.push(name.chars().take(16).collect::<String>().to_ascii_uppercase());
                }
                continue;
            };
            let given = attributes.of_payload("fmtp", payload).unwrap_or_default();
            let taken = payload_type(payload).zip(parameters(codec, given));
            let Some((number, parameters)) = taken else {
                offered.push(match payload_type(payload) {
                    Some(_) => profile::name(codec, given),
                    None => format!("{codec} with a payload type that RTCP needs"),
                });
                continue;
            };
            let feedback = feedback(attributes, payload);
            let rtx = rtx(section, payload).filter(|_| feedback.contains(&"nack"));
            return Ok(Self { codec, payload: number, rtx, feedback, parameters });
        }
        Err(offered)
    }

    /// Whether the peer offers this feedback.
    pub(super) fn has(&self, feedback: &str) -> bool {
        self.feedback.contains(&feedback)
    }

    /// Whether the peer sends again what was lost, when it is asked to.
    pub(crate) fn sends_lost_packets_again(&self) -> bool {
        self.has("nack")
    }

    /// The same as a transceiver's codec preferences.
    pub(crate) fn caps(&self, transport_cc: Option<u8>) -> gst::Caps {
        let mut caps = gst::Structure::builder("application/x-rtp")
            .field("media", "video")
            .field("payload", i32::from(self.payload))
            .field("encoding-name", self.codec.encoding_name())
            .field("clock-rate", 90_000i32);
        if let Some(id) = transport_cc {
            caps = caps.field(format!("extmap-{id}"), TRANSPORT_CC);
        }
        for name in &self.feedback {
            caps = caps.field(format!("rtcp-fb-{}", name.replace(' ', "-")), true);
        }
        std::iter::once(caps.build()).collect()
    }

    /// The same with one more parameter.
    pub(crate) fn with_parameter(&self, parameter: String) -> Self {
        let mut format = self.clone();
        format.parameters.push(parameter);
        format
    }

    /// The lines of this format in a media section.
    pub(crate) fn lines(&self) -> Vec<String> {
        let Self { payload, codec, .. } = self;
        let mut lines = vec![format!("a=rtpmap:{payload} {}/90000", codec.encoding_name())];
        lines.extend(self.feedback.iter().map(|name| format!("a=rtcp-fb:{payload} {name}")));
        if !self.parameters.is_empty() {
            lines.push(format!("a=fmtp:{payload} {}", self.parameters.join(";")));
        }
        if let Some(rtx) = self.rtx {
            lines.push(format!("a=rtpmap:{rtx} rtx/90000"));
            lines.push(format!("a=fmtp:{rtx} apt={payload}"));
        }
        lines
    }

    /// Its payload types, as an `m=` line has them.
    pub(crate) fn payloads(&self) -> String {
        match self.rtx {
            Some(rtx) => format!("{} {rtx}", self.payload),
            None => self.payload.to_string(),
        }
    }
}

/// Payload types that RTP with RTCP on the same port may have for video (RFC 5761, section 4).
fn payload_type(text: &str) -> Option<u8> {
    text.parse().ok().filter(|number| matches!(number, 35..=63 | 96..=127))
}

fn encoding_name<'a>(attributes: &Attributes<'a>, payload: &str) -> Option<&'a str> {
    attributes.of_payload("rtpmap", payload)?.split('/').next()
}

/// The payload type that repeats lost packets of `payload`.
fn rtx(section: &Section, payload: &str) -> Option<u8> {
    let attributes = &section.attributes;
    let repeats = |rtx: &str| {
        let is_rtx =
            encoding_name(attributes, rtx).is_some_and(|name| name.eq_ignore_ascii_case("rtx"));
        let format = attributes.of_payload("fmtp", rtx).unwrap_or_default();
        is_rtx && parameter(format, "apt") == Some(payload)
    };
    section.formats.iter().filter(|rtx| repeats(rtx)).find_map(|rtx| payload_type(rtx))
}

fn feedback(attributes: &Attributes, payload: &str) -> Vec<&'static str> {
    let offered: Vec<&str> = attributes
        .values("rtcp-fb")
        .filter_map(|value| value.split_once(' '))
        .filter(|(number, _)| *number == payload || *number == "*")
        .map(|(_, feedback)| feedback.trim())
        .collect();
    FEEDBACK.into_iter().filter(|name| offered.contains(name)).collect()
}

/// What an answer repeats of these parameters. `None` when not every decoder takes the format: it
/// must have 8 bit, 4:2:0, and packets in their order.
fn parameters(codec: Codec, format: &str) -> Option<Vec<String>> {
    let written = |name: &str, value: Option<&str>| value.map(|value| format!("{name}={value}"));
    let parameters = match codec {
        Codec::Vp8 => vec![],
        Codec::Vp9 => {
            let profile = parameter(format, "profile-id");
            if profile.is_some_and(|profile| profile != "0") {
                return None;
            }
            vec![written("profile-id", profile)]
        }
        // RFC 6184, sections 8.1 and 8.2.2: both ends send the same profile and mode.
        Codec::H264 => {
            let profile = parameter(format, "profile-level-id").map(str::to_ascii_lowercase);
            let mode = parameter(format, "packetization-mode");
            let asymmetry = parameter(format, "level-asymmetry-allowed").filter(|it| *it == "1");
            if !profile.as_deref().is_none_or(is_plain_h264)
                || !matches!(mode, None | Some("0" | "1"))
            {
                return None;
            }
            vec![
                written("level-asymmetry-allowed", asymmetry),
                written("packetization-mode", mode),
                written("profile-level-id", profile.as_deref()),
            ]
        }
    };
    Some(parameters.into_iter().flatten().collect())
}

/// Whether `profile-level-id` is a Baseline, Main, Extended or High profile.
fn is_plain_h264(profile: &str) -> bool {
    profile.len() == 6
        && profile.bytes().all(|byte| byte.is_ascii_hexdigit())
        && ["42", "4d", "58", "64"].iter().any(|plain| profile.starts_with(plain))
}
