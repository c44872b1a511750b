use super::{Direction, Offer};

/// The index of the video section in what webrtcbin is given.
pub(crate) const VIDEO_LINE: u32 = 0;
/// The index of the data channels' section.
const DATA_LINE: u32 = 1;

impl Offer {
    /// The offer that webrtcbin gets: what we understood, in our own words and always in the same
    /// form. webrtcbin aborts the process on much that SDP allows, and on more that it forbids.
    pub(crate) fn for_webrtcbin(&self) -> String {
        let Self { video, transport, .. } = self;
        let format = &video.format;
        let mut lines = vec![
            "v=0".to_owned(),
            "o=- 1 1 IN IP4 0.0.0.0".to_owned(),
            "s=-".to_owned(),
            "t=0 0".to_owned(),
            match self.has_data() {
                true => format!("a=group:BUNDLE {VIDEO_LINE} {DATA_LINE}"),
                false => format!("a=group:BUNDLE {VIDEO_LINE}"),
            },
            "a=ice-options:trickle".to_owned(),
        ];
        if transport.is_lite {
            lines.push("a=ice-lite".to_owned());
        }
        lines.push(format!("m=video 9 UDP/TLS/RTP/SAVPF {}", format.payloads()));
        lines.extend(self.transport_lines(VIDEO_LINE));
        lines.push(match video.direction {
            Direction::SendOnly => "a=sendonly".to_owned(),
            Direction::SendRecv => "a=sendrecv".to_owned(),
        });
        lines.push("a=rtcp-mux".to_owned());
        lines.extend(format.lines());
        if let Some(id) = video.transport_cc {
            lines.push(format!("a=extmap:{id} {}", super::TRANSPORT_CC));
        }
        if self.has_data() {
            lines.push("m=application 9 UDP/DTLS/SCTP webrtc-datachannel".to_owned());
            lines.extend(self.transport_lines(DATA_LINE));
            lines.push(format!("a=sctp-port:{}", super::SCTP_PORT));
        }
        lines.join("\r\n") + "\r\n"
    }

    fn transport_lines(&self, mid: u32) -> Vec<String> {
        let transport = &self.transport;
        let mut lines = vec![
            "c=IN IP4 0.0.0.0".to_owned(),
            format!("a=mid:{mid}"),
            format!("a=ice-ufrag:{}", transport.ufrag),
            format!("a=ice-pwd:{}", transport.password),
            format!("a=setup:{}", transport.setup.name()),
        ];
        // One is enough: webrtcbin compares none of them, `crate::chain::confirm` does.
        lines.extend(transport.fingerprints.first().map(|f| format!("a=fingerprint:{f}")));
        lines
    }
}
