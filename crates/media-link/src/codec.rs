use serde::{Deserialize, Serialize};

/// A video codec that can be received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// RFC 7741.
    Vp8,
    /// RFC 6184.
    H264,
    /// RFC 9628, profile 0.
    Vp9,
}

impl Codec {
    /// Every codec, in no order of preference: the offer's order decides.
    pub const ALL: [Self; 3] = [Self::Vp8, Self::H264, Self::Vp9];

    /// The codec of an `a=rtpmap` encoding name; names are case-insensitive (RFC 4855).
    pub fn from_encoding_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.encoding_name().eq_ignore_ascii_case(name))
    }

    /// Its name in SDP.
    pub fn encoding_name(self) -> &'static str {
        match self {
            Self::Vp8 => "VP8",
            Self::H264 => "H264",
            Self::Vp9 => "VP9",
        }
    }

    /// What of it every decoder takes, where that is not all.
    pub(crate) fn forms(self) -> Option<&'static str> {
        match self {
            Self::Vp8 => None,
            Self::Vp9 => Some("VP9 in profile 0"),
            Self::H264 => Some(
                "H264 in a Baseline, Main, Extended or High profile, packetization-mode 0 or 1",
            ),
        }
    }
}

impl std::fmt::Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.encoding_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_names_are_read_in_any_case() {
        assert_eq!(Codec::from_encoding_name("vp8"), Some(Codec::Vp8));
        assert_eq!(Codec::from_encoding_name("H264"), Some(Codec::H264));
        assert_eq!(Codec::from_encoding_name("AV1"), None);
    }
}
