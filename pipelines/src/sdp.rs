//! A tolerant reading of SDP (RFC 8866): lines that are of use are found, others are passed over.

/// The longest word of an `m=` line that is read, in bytes.
const MAX_WORD: usize = 32;

/// An SDP text, taken apart. It borrows from the text and has changed nothing in it.
#[derive(Debug, Default)]
pub(crate) struct Sdp<'a> {
    /// The attributes before the first media section.
    pub(crate) session: Attributes<'a>,
    pub(crate) sections: Vec<Section<'a>>,
}

/// A media section: `m=<media> <port> <protocol> <format> ...` and its attributes.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    pub(crate) media: &'a str,
    pub(crate) port: u16,
    pub(crate) protocol: &'a str,
    /// At least one.
    pub(crate) formats: Vec<&'a str>,
    pub(crate) attributes: Attributes<'a>,
}

/// `a=` lines in their order, as name and value; the value of `a=sendonly` is empty.
#[derive(Debug, Default)]
pub(crate) struct Attributes<'a>(Vec<(&'a str, &'a str)>);

/// A text that is not read, as it may mean anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("one of its m= lines cannot be read")]
pub(crate) struct BadMediaLine;

impl<'a> Sdp<'a> {
    /// Reads a text. Lines may end in CR LF, LF, or both mixed.
    ///
    /// # Errors
    /// When an `m=` line does not have a media type, port, protocol and format.
    pub(crate) fn read(text: &'a str) -> Result<Self, BadMediaLine> {
        let mut sdp = Self::default();
        for line in text.lines().map(str::trim) {
            if let Some(media) = line.strip_prefix("m=") {
                let section = Section::read(media);
                sdp.sections.push(section.ok_or(BadMediaLine)?);
            } else if let Some(attribute) = line.strip_prefix("a=") {
                let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
                let attributes = match sdp.sections.last_mut() {
                    Some(section) => &mut section.attributes,
                    None => &mut sdp.session,
                };
                attributes.0.push((name, value.trim()));
            }
        }
        Ok(sdp)
    }
}

impl<'a> Section<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let media = words.next()?;
        // `9/2` means two ports, which WebRTC never uses.
        let port = words.next()?.split('/').next()?.parse().ok()?;
        let protocol = words.next()?;
        let formats: Vec<&str> = words.collect();
        let readable = [media, protocol].iter().chain(&formats).all(|word| is_word(word));
        (readable && !formats.is_empty()).then(|| Self {
            media,
            port,
            protocol,
            formats,
            attributes: Attributes::default(),
        })
    }

    /// Whether its sender has switched it off (RFC 3264, section 6; RFC 9143, section 6).
    pub(crate) fn is_rejected(&self) -> bool {
        self.port == 0 && self.attributes.value("bundle-only").is_none()
    }
}

impl<'a> Attributes<'a> {
    /// The value of the first attribute of this name.
    pub(crate) fn value(&self, name: &str) -> Option<&'a str> {
        self.values(name).next()
    }

    /// The values of a repeated attribute.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, _)| *own == name).map(|(_, value)| *value)
    }

    /// The value of `a=<name>:<payload> <value>`, the first for this payload type.
    pub(crate) fn of_payload(&self, name: &str, payload: &str) -> Option<&'a str> {
        self.values(name).find_map(|value| {
            let (number, rest) = value.split_once(' ')?;
            (number == payload).then_some(rest.trim())
        })
    }

    /// All names, in their order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.0.iter().map(|(name, _)| *name)
    }
}

/// What SDP calls a token (RFC 8866, section 9), and slashes; bounded.
pub(crate) fn is_word(word: &str) -> bool {
    word.len() <= MAX_WORD && word.bytes().all(|byte| is_token(byte) || byte == b'/')
}

/// A character of a token (RFC 8866, section 9: `token-char`).
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&byte)
}

/// A parameter of a format, as the value of `a=fmtp` has them (RFC 8866, section 6.15, and each
/// payload format).
pub(crate) fn parameter<'a>(format: &'a str, name: &str) -> Option<&'a str> {
    format.split(';').find_map(|parameter| {
        let (key, value) = parameter.trim().split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_belong_to_their_section_or_to_the_session() {
        let text = "v=0\r\na=group:BUNDLE 0\na=ice-lite\n\nm=video 9 UDP/TLS/RTP/SAVPF 96 97\n\
                    a=rtpmap:96 VP8/90000 \na=sendonly\nm=audio 0 RTP/AVP 0\na=sendrecv\n";
        let sdp = Sdp::read(text).unwrap();
        assert_eq!(sdp.session.value("group"), Some("BUNDLE 0"));
        assert_eq!(sdp.session.value("ice-lite"), Some(""));
        let [video, audio] = &sdp.sections[..] else { panic!("{sdp:?}") };
        assert_eq!((video.media, video.port, video.protocol), ("video", 9, "UDP/TLS/RTP/SAVPF"));
        assert_eq!(video.formats, ["96", "97"]);
        assert_eq!(video.attributes.of_payload("rtpmap", "96"), Some("VP8/90000"));
        assert_eq!(video.attributes.names().collect::<Vec<_>>(), ["rtpmap", "sendonly"]);
        assert!(audio.is_rejected() && !video.is_rejected());
    }

    #[test]
    fn a_name_with_a_space_before_it_is_another_name() {
        let sdp = Sdp::read("v=0\na= candidate:1\na=\tcandidate:2\na=candidate:3\n").unwrap();
        assert_eq!(sdp.session.values("candidate").collect::<Vec<_>>(), ["3"]);
    }

    #[test]
    fn a_media_line_that_says_too_little_is_refused() {
        for line in ["", "video", "video 9", "video 9 RTP/AVP", "video x RTP/AVP 0"] {
            assert!(Sdp::read(&format!("v=0\nm={line}\n")).is_err(), "{line:?}");
        }
        assert!(Sdp::read("m=vid\u{e9}o 9 RTP/AVP 0").is_err());
        assert!(Sdp::read("m=video 9/2 RTP/AVP 0").is_ok());
    }
}
