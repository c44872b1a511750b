//! The answer that a peer gets: what webrtcbin answered to the offer that we wrote for it, put into
//! the form of the offer that the peer wrote.

use crate::{
    PipelineError,
    fingerprint::Fingerprint,
    offer::{Direction, Offer, Offered, Role, TRANSPORT_CC},
    sdp::{Sdp, Section},
};

/// What an answer says beside what webrtcbin answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extras<'a> {
    /// Our certificate's.
    pub(crate) fingerprint: &'a Fingerprint,
    /// Names this answer (RFC 8866, section 5.2): a number that no other answer has.
    pub(crate) id: u64,
    /// The rate at which the peer's encoder should begin, in kbit/s. Without it Chromium takes
    /// seconds to reach the full size of its picture.
    pub(crate) start_kbps: u32,
}

/// Writes the answer (RFC 8829, section 5.3.1). `ours` is the local description of webrtcbin, with
/// its candidates.
///
/// # Errors
/// When webrtcbin has not accepted the video or its answer lacks something.
pub(crate) fn write(offer: &Offer, ours: &str, extras: Extras) -> Result<String, PipelineError> {
    let ours = Ours::read(ours, extras)?;
    let mut lines = vec![
        "v=0".to_owned(),
        format!("o=- {} 1 IN IP4 0.0.0.0", extras.id),
        "s=-".to_owned(),
        "t=0 0".to_owned(),
    ];
    lines.extend(offer.is_bundled.then(|| bundle_line(offer, &ours)));
    for (index, section) in offer.sections.iter().enumerate() {
        lines.extend(section_lines(offer, section, &ours));
        if index == offer.transport.section {
            lines.extend(candidate_lines(&ours.video));
        }
    }
    Ok(lines.join("\r\n") + "\r\n")
}

/// What webrtcbin answered, and what is said beside it.
struct Ours<'a> {
    video: Section<'a>,
    has_data: bool,
    /// The lines by which the peer finds us.
    transport: Vec<String>,
    start_kbps: u32,
}

impl<'a> Ours<'a> {
    fn read(text: &'a str, extras: Extras) -> Result<Self, PipelineError> {
        let mut sections = Sdp::read(text).map_err(failed)?.sections.into_iter();
        let video = sections.next().filter(|section| !section.is_rejected());
        let video = video.ok_or_else(|| failed("webrtcbin did not accept the video"))?;
        let has_data = sections.next().is_some_and(|section| !section.is_rejected());
        let transport = transport_lines(&video, extras.fingerprint)?;
        Ok(Self { video, has_data, transport, start_kbps: extras.start_kbps })
    }

    fn accepts(&self, section: &Offered) -> bool {
        match section.role {
            Role::Video | Role::Inactive { .. } => true,
            Role::Data => self.has_data,
            Role::TurnedDown => false,
        }
    }
}

fn failed(what: impl std::fmt::Display) -> PipelineError {
    PipelineError::SdpAnswer(what.to_string())
}

/// The accepted sections. That which has the transport comes first (RFC 9143, section 7.3.1).
fn bundle_line(offer: &Offer, ours: &Ours) -> String {
    let mut accepted: Vec<usize> = (0..offer.sections.len()).collect();
    accepted.retain(|index| ours.accepts(&offer.sections[*index]));
    accepted.sort_by_key(|index| *index != offer.transport.section);
    let mids = accepted.iter().filter_map(|index| offer.sections[*index].mid.as_deref());
    format!("a=group:BUNDLE {}", mids.collect::<Vec<_>>().join(" "))
}

fn section_lines(offer: &Offer, section: &Offered, ours: &Ours) -> Vec<String> {
    let Offered { media, protocol, format, mid, .. } = section;
    let formats = match section.role {
        Role::Video => offer.video.format.payloads(),
        _ => format.clone(),
    };
    // A section that is turned down has port 0 (RFC 3264, section 6).
    let port = if ours.accepts(section) { 9 } else { 0 };
    let mut lines =
        vec![format!("m={media} {port} {protocol} {formats}"), "c=IN IP4 0.0.0.0".to_owned()];
    lines.extend(mid.iter().map(|mid| format!("a=mid:{mid}")));
    // Nobody needs them where a section is turned down, but webrtcbin wants them as a peer.
    lines.extend(ours.transport.iter().cloned());
    match &section.role {
        Role::Video => lines.extend(video_lines(offer, &ours.video, ours.start_kbps)),
        // webrtcbin always has this port.
        Role::Data => lines.push("a=sctp-port:5000".to_owned()),
        Role::Inactive { rtpmap, has_rtcp_mux } => {
            lines.push("a=inactive".to_owned());
            lines.extend(has_rtcp_mux.then(|| "a=rtcp-mux".to_owned()));
            lines.extend(rtpmap.iter().map(|rtpmap| format!("a=rtpmap:{rtpmap}")));
        }
        Role::TurnedDown => lines.push("a=inactive".to_owned()),
    }
    lines
}

fn video_lines(offer: &Offer, ours: &Section, start_kbps: u32) -> Vec<String> {
    let video = &offer.video;
    let sends_back =
        video.direction == Direction::SendRecv && ours.attributes.value("sendrecv").is_some();
    let mut lines = Vec::new();
    if sends_back {
        lines.extend(["a=sendrecv".to_owned(), "a=msid:live-vlm video".to_owned()]);
        let ssrcs = ours.attributes.values("ssrc").filter_map(|ssrc| {
            ssrc.split_ascii_whitespace().next().and_then(|number| number.parse::<u32>().ok())
        });
        let mut ssrcs: Vec<u32> = ssrcs.collect();
        ssrcs.dedup();
        lines.extend(ssrcs.iter().map(|ssrc| format!("a=ssrc:{ssrc} cname:live-vlm")));
    } else {
        lines.push("a=recvonly".to_owned());
    }
    if video.has_rtcp_mux {
        lines.push("a=rtcp-mux".to_owned());
    }
    lines.extend(
        video.format.with_parameter(format!("x-google-start-bitrate={start_kbps}")).lines(),
    );
    if let Some(id) = video.transport_cc {
        lines.push(format!("a=extmap:{id} {TRANSPORT_CC}"));
    }
    lines
}

/// The lines by which the peer finds us. All sections have the same.
fn transport_lines(
    ours: &Section,
    fingerprint: &Fingerprint,
) -> Result<Vec<String>, PipelineError> {
    ["ice-ufrag", "ice-pwd", "setup"]
        .into_iter()
        .map(|name| match ours.attributes.value(name) {
            Some(value) => Ok(format!("a={name}:{value}")),
            None => Err(failed(format!("the answer of webrtcbin has no a={name}"))),
        })
        .chain([Ok(format!("a=fingerprint:{fingerprint}")), Ok("a=ice-options:trickle".to_owned())])
        .collect()
}

/// Our candidates. They are all: whoever gets the answer need not wait for more.
fn candidate_lines(ours: &Section) -> Vec<String> {
    let for_rtp = |candidate: &&str| candidate.split_ascii_whitespace().nth(1) == Some("1");
    let candidates = ours.attributes.values("candidate").filter(for_rtp);
    candidates
        .map(|candidate| format!("a=candidate:{candidate}"))
        .chain(["a=end-of-candidates".to_owned()])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;

    const CHROMIUM: &str = include_str!("offer/chromium.sdp");
    /// What webrtcbin says, as far as it is read.
    const OURS: &str = "v=0\nm=video 9 UDP/TLS/RTP/SAVPF 100\na=ice-ufrag:uuuu\na=ice-pwd:pppp\n\
                        a=fingerprint:sha-256 00\na=setup:active\na=recvonly\n\
                        a=candidate:1 1 UDP 1 192.0.2.1 40000 typ host\n\
                        a=candidate:1 2 UDP 1 192.0.2.1 40001 typ host\n\
                        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\n";

    fn answer(offer: &Offer, ours: &str) -> Result<String, PipelineError> {
        let fingerprint = Fingerprint::parse(&format!("sha-256 {}", ["AB"; 32].join(":"))).unwrap();
        write(offer, ours, Extras { fingerprint: &fingerprint, id: 7, start_kbps: 1500 })
    }

    fn offer(text: &str) -> Offer {
        Offer::parse(text, &Codec::ALL).unwrap()
    }

    #[test]
    fn the_answer_has_the_offers_sections() {
        let transport = format!(
            "a=ice-ufrag:uuuu\r\na=ice-pwd:pppp\r\na=setup:active\r\n\
             a=fingerprint:sha-256 {}\r\na=ice-options:trickle\r\n",
            ["AB"; 32].join(":")
        );
        assert_eq!(
            answer(&offer(CHROMIUM), OURS).unwrap(),
            format!(
                "v=0\r\no=- 7 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2\r\n\
                 m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n{transport}\
                 a=inactive\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n\
                 a=candidate:1 1 UDP 1 192.0.2.1 40000 typ host\r\na=end-of-candidates\r\n\
                 m=video 9 UDP/TLS/RTP/SAVPF 100 101\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n{transport}\
                 a=recvonly\r\na=rtcp-mux\r\na=rtpmap:100 VP9/90000\r\n\
                 a=rtcp-fb:100 nack\r\na=rtcp-fb:100 nack pli\r\na=rtcp-fb:100 ccm fir\r\n\
                 a=rtcp-fb:100 transport-cc\r\n\
                 a=fmtp:100 profile-id=0;x-google-start-bitrate=1500\r\n\
                 a=rtpmap:101 rtx/90000\r\na=fmtp:101 apt=100\r\na=extmap:3 {TRANSPORT_CC}\r\n\
                 m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\n\
                 {transport}a=sctp-port:5000\r\n"
            )
        );
    }

    #[test]
    fn without_a_bundle_there_is_none_in_the_answer() {
        let text = answer(&offer(&CHROMIUM.replace("BUNDLE", "LS")), OURS).unwrap();
        assert!(!text.contains("BUNDLE") && text.contains("m=application 0 "), "{text}");
        let bare = CHROMIUM.replace("a=mid:1\n", "").replace("a=rtcp-mux\n", "");
        let text = answer(&offer(&bare), OURS).unwrap();
        assert!(!text.contains("a=mid:1") && !text.contains("a=rtcp-mux"), "{text}");
    }

    #[test]
    fn video_goes_back_to_whoever_wants_it() {
        let both = offer(&CHROMIUM.replace("a=sendonly", "a=sendrecv"));
        let ours = OURS.replace("a=recvonly", "a=sendrecv\na=ssrc:5 msid:x y\na=ssrc:5 cname:z");
        let text = answer(&both, &ours).unwrap();
        assert!(
            text.contains("a=sendrecv\r\na=msid:live-vlm video\r\na=ssrc:5 cname:live-vlm\r\n")
        );
        assert!(answer(&both, OURS).unwrap().contains("a=recvonly"));
    }

    #[test]
    fn an_answer_without_video_is_an_error() {
        let offer = offer(CHROMIUM);
        assert!(answer(&offer, "v=0\n").is_err());
        assert!(answer(&offer, &OURS.replace("m=video 9", "m=video 0")).is_err());
        let error = answer(&offer, &OURS.replace("a=setup:active\n", "")).unwrap_err();
        assert!(error.to_string().contains("a=setup"), "{error}");
    }
}
