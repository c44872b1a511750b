//! What a peer offers, read and understood. Its text goes no further than this folder: webrtcbin
//! gets a description that [`for_webrtcbin`] writes, and the peer an answer that
//! [`sdp_answer`](super::sdp_answer) writes.

mod for_webrtcbin;
mod format;
mod profile;
mod transport;

use std::collections::BTreeSet;

pub(crate) use for_webrtcbin::VIDEO_LINE;
pub(crate) use format::Format;
pub(crate) use transport::Transport;

use crate::{
    Codec, OfferError,
    candidate::Candidate,
    sdp::{Attributes, Sdp, Section, is_token, is_word},
};

/// Header extension for bandwidth estimation; without it in the answer browsers stay at a few
/// hundred kbit/s (draft-holmer-rmcat-transport-wide-cc-extensions).
pub const TRANSPORT_CC: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// Candidates per offer and per connection. Browsers send up to about 20.
pub(crate) const MAX_CANDIDATES: usize = 64;
const MAX_MEDIA_SECTIONS: usize = 16;
/// The longest `a=mid` that is read, in bytes. Browsers' have one digit.
const MAX_MID: usize = 64;
/// Where SCTP is when the offer does not say (RFC 8841, section 5.1), and the only port to which
/// webrtcbin 1.22 sends.
const SCTP_PORT: &str = "5000";

/// An offer that can be answered. Made without touching the network or any element.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    /// All media sections, in the offer's order: an answer has to have the same.
    pub(crate) sections: Vec<Offered>,
    pub(crate) video: Video,
    /// Whether sections share a transport by `a=group:BUNDLE` (RFC 9143).
    pub(crate) is_bundled: bool,
    pub(crate) transport: Transport,
    /// The peer's candidates for that transport, at most [`MAX_CANDIDATES`].
    pub(crate) candidates: Vec<Candidate>,
}

/// A media section, as far as an answer repeats it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offered {
    pub(crate) role: Role,
    pub(crate) media: String,
    pub(crate) protocol: String,
    /// The first one.
    pub(crate) format: String,
    pub(crate) mid: Option<String>,
    /// Whether its candidates are for the transport that we use.
    has_our_transport: bool,
}

/// What we do with a media section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// It carries the video; there is one of these.
    Video,
    /// It carries the data channels; there is one at most.
    Data,
    /// It shares the video's transport and carries nothing. It is not turned down: Chromium loses
    /// the transport together with the first section of a bundle.
    Inactive {
        /// `<payload> <name>/<rate>` of its first format.
        rtpmap: Option<String>,
        has_rtcp_mux: bool,
    },
    /// We take nothing of it.
    TurnedDown,
}

/// How we take the video.
#[derive(Debug, Clone)]
pub(crate) struct Video {
    pub(crate) format: Format,
    pub(crate) direction: Direction,
    /// The id of the transport-wide congestion control extension.
    pub(crate) transport_cc: Option<u8>,
    /// Whether the peer takes RTP and RTCP on one port (RFC 5761).
    pub(crate) has_rtcp_mux: bool,
}

/// What the peer does with its video (RFC 8866, section 6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    SendOnly,
    /// The peer wants its video back.
    SendRecv,
}

/// Which media section a trickled candidate is for, as far as the peer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CandidateSection<'a> {
    /// `sdpMid`.
    Mid(&'a str),
    /// `sdpMLineIndex`.
    Line(u32),
    /// Neither was given.
    Unsaid,
}

impl<'a> CandidateSection<'a> {
    /// Of what `RTCIceCandidate` says: the mid comes first where both are given (RFC 8829, section
    /// 4.1.19).
    pub fn new(mid: Option<&'a str>, line: Option<u32>) -> Self {
        match (mid, line) {
            (Some(mid), _) => Self::Mid(mid),
            (None, Some(line)) => Self::Line(line),
            (None, None) => Self::Unsaid,
        }
    }
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
        if !text.trim_start().starts_with("v=0") {
            return Err(OfferError::malformed("it does not begin with v=0"));
        }
        let sdp = Sdp::read(text).map_err(|bad| OfferError::malformed(bad.to_string()))?;
        if sdp.sections.len() > MAX_MEDIA_SECTIONS {
            return Err(OfferError::malformed(format!(
                "it has more than {MAX_MEDIA_SECTIONS} media sections"
            )));
        }
        let mids = mids(&sdp)?;
        let (video_section, video) = choose(&sdp, decodable)?;
        let bundle = mids[video_section].and_then(|mid| bundle_with(&sdp, mid));
        let roles = roles(&sdp, &mids, video_section, bundle.as_deref());
        let ours: Vec<usize> = match &bundle {
            Some(bundle) => {
                let index = |mid: &&str| mids.iter().position(|own| own == &Some(*mid));
                let is_ours = |index: &usize| roles[*index] != Role::TurnedDown;
                bundle.iter().filter_map(index).filter(is_ours).collect()
            }
            None => vec![video_section],
        };
        let transport = Transport::read(&sdp, &ours)?;
        let sections: Vec<Offered> = roles
            .into_iter()
            .enumerate()
            .map(|(index, role)| {
                let section = &sdp.sections[index];
                let has_our_transport = role != Role::TurnedDown || transport.is_of(section);
                Offered::new(section, mids[index], role, has_our_transport)
            })
            .collect();
        let candidates = sdp
            .sections
            .iter()
            .zip(&sections)
            .filter(|(_, offered)| offered.has_our_transport)
            .flat_map(|(section, _)| section.attributes.values("candidate"))
            .filter_map(|candidate| Candidate::parse(&format!("candidate:{candidate}")).ok())
            .take(MAX_CANDIDATES)
            .collect();
        Ok(Self { sections, video, is_bundled: bundle.is_some(), transport, candidates })
    }

    /// Whether the peer offers data channels that we can take.
    pub(crate) fn has_data(&self) -> bool {
        self.sections.iter().any(|section| section.role == Role::Data)
    }

    /// Whether a trickled candidate is for the transport that we use. One for a section that we
    /// rejected is not.
    pub(crate) fn has_candidates_in(&self, section: CandidateSection) -> bool {
        let section = match section {
            CandidateSection::Unsaid => return true,
            CandidateSection::Line(line) => {
                usize::try_from(line).ok().and_then(|line| self.sections.get(line))
            }
            CandidateSection::Mid(mid) => {
                self.sections.iter().find(|section| section.mid.as_deref() == Some(mid))
            }
        };
        section.is_some_and(|section| section.has_our_transport)
    }

    pub(crate) fn codec(&self) -> Codec {
        self.video.format.codec
    }

    /// Whether the certificate in `pem` is one that the offer announced.
    pub(crate) fn announces(&self, pem: &str) -> bool {
        self.transport.fingerprints.iter().any(|fingerprint| fingerprint.matches(pem))
    }
}

impl Offered {
    fn new(section: &Section, mid: Option<&str>, role: Role, has_our_transport: bool) -> Self {
        Self {
            role,
            media: section.media.to_owned(),
            protocol: section.protocol.to_owned(),
            format: section.formats.first().copied().unwrap_or("0").to_owned(),
            mid: mid.map(ToOwned::to_owned),
            has_our_transport,
        }
    }
}

/// The mid of each section, where it has one that can be used.
fn mids<'a>(sdp: &Sdp<'a>) -> Result<Vec<Option<&'a str>>, OfferError> {
    let usable = |mid: &&str| !mid.is_empty() && mid.len() <= MAX_MID && mid.bytes().all(is_token);
    let mut seen = BTreeSet::new();
    let mut mids = Vec::with_capacity(sdp.sections.len());
    for section in &sdp.sections {
        let mid = section.attributes.value("mid").filter(usable);
        if mid.is_some_and(|mid| !seen.insert(mid)) {
            return Err(OfferError::malformed("two of its media sections have the same a=mid"));
        }
        mids.push(mid);
    }
    Ok(mids)
}

/// What we do with each section.
fn roles(sdp: &Sdp, mids: &[Option<&str>], video: usize, bundle: Option<&[&str]>) -> Vec<Role> {
    let mut has_data = false;
    let role = |(index, section): (usize, &Section)| {
        let mid = mids[index];
        let shares_transport = mid.zip(bundle).is_some_and(|(mid, bundle)| bundle.contains(&mid));
        if index == video {
            Role::Video
        } else if section.is_rejected() || !shares_transport {
            Role::TurnedDown
        } else if is_data(section) && !has_data {
            has_data = true;
            Role::Data
        } else if is_rtp(section) {
            let format = section.formats.first().copied().unwrap_or_default();
            let name = section.attributes.of_payload("rtpmap", format).filter(|name| is_word(name));
            Role::Inactive {
                rtpmap: name.map(|name| format!("{format} {name}")),
                has_rtcp_mux: has_rtcp_mux(&section.attributes),
            }
        } else {
            Role::TurnedDown
        }
    };
    sdp.sections.iter().enumerate().map(role).collect()
}

/// The first section that sends video in a format that we can decode, and its index.
fn choose(sdp: &Sdp, decodable: &[Codec]) -> Result<(usize, Video), OfferError> {
    let mut offered = BTreeSet::new();
    let mut sends_video = false;
    for (index, section) in sdp.sections.iter().enumerate() {
        let Some(direction) = sent_video(sdp, section) else { continue };
        sends_video = true;
        match Format::choose(section, decodable) {
            Ok(format) => {
                let attributes = &section.attributes;
                let video = Video {
                    transport_cc: transport_cc(attributes).filter(|_| format.has("transport-cc")),
                    format,
                    direction,
                    has_rtcp_mux: has_rtcp_mux(attributes),
                };
                return Ok((index, video));
            }
            Err(names) => offered.extend(names),
        }
    }
    if !sends_video {
        return Err(OfferError::NoVideo);
    }
    Err(OfferError::UnsupportedCodec {
        offered: offered.into_iter().take(16).collect(),
        allowed: decodable.to_vec(),
    })
}

/// Audio or video over RTP.
fn is_rtp(section: &Section) -> bool {
    let profile = section.protocol.rsplit('/').next().unwrap_or_default();
    matches!(profile, "SAVPF" | "SAVP" | "AVPF" | "AVP")
        && matches!(section.media, "audio" | "video")
}

/// Whether both RTP and RTCP come on one port (RFC 5761, RFC 8858).
fn has_rtcp_mux(attributes: &Attributes) -> bool {
    ["rtcp-mux", "rtcp-mux-only"].iter().any(|name| attributes.value(name).is_some())
}

/// The direction of a media section that sends us video.
fn sent_video(sdp: &Sdp, section: &Section) -> Option<Direction> {
    if section.media != "video" || !is_rtp(section) || section.is_rejected() {
        return None;
    }
    let own = direction(&section.attributes).or_else(|| direction(&sdp.session));
    match own.unwrap_or("sendrecv") {
        "sendonly" => Some(Direction::SendOnly),
        "sendrecv" => Some(Direction::SendRecv),
        _ => None,
    }
}

fn direction<'a>(attributes: &Attributes<'a>) -> Option<&'a str> {
    let is_direction =
        |name: &&str| matches!(*name, "sendonly" | "sendrecv" | "recvonly" | "inactive");
    attributes.names().find(is_direction)
}

/// The mids of the BUNDLE group that `mid` is in (RFC 9143, section 7.2).
fn bundle_with<'a>(sdp: &Sdp<'a>, mid: &str) -> Option<Vec<&'a str>> {
    sdp.session.values("group").find_map(|group| {
        let mut words = group.split_ascii_whitespace();
        let is_bundle = words.next() == Some("BUNDLE");
        let mids: Vec<&str> = words.collect();
        (is_bundle && mids.contains(&mid)).then_some(mids)
    })
}

/// Whether a section has data channels that webrtcbin can take (RFC 8841).
fn is_data(section: &Section) -> bool {
    section.media == "application"
        && section.protocol.ends_with("/DTLS/SCTP")
        && section.formats == ["webrtc-datachannel"]
        && section.attributes.value("sctp-port").unwrap_or(SCTP_PORT) == SCTP_PORT
}

/// The id of the transport-wide-cc extension (RFC 8285, section 8), if the peer sends it.
fn transport_cc(attributes: &Attributes) -> Option<u8> {
    attributes.values("extmap").find_map(|value| {
        let mut words = value.split_ascii_whitespace();
        let (id, direction) = words.next().map(|id| id.split_once('/').unwrap_or((id, "")))?;
        // 15 is reserved (RFC 8285, section 4.2).
        let id = id.parse().ok().filter(|id| (1..=255).contains(id) && *id != 15)?;
        let sends = matches!(direction, "" | "sendrecv" | "sendonly");
        (words.next()? == TRANSPORT_CC && sends).then_some(id)
    })
}

#[cfg(test)]
mod tests;
