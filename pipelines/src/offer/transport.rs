use crate::{
    OfferError,
    fingerprint::Fingerprint,
    sdp::{Attributes, Sdp, Section},
};

/// How the peer's ICE and DTLS are reached.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    /// The index of the media section that it is described in: the first of the bundle that we
    /// accept (RFC 9143, section 7.3.1).
    pub(crate) section: usize,
    pub(crate) ufrag: String,
    pub(crate) password: String,
    pub(crate) setup: Setup,
    /// Whether the peer answers checks and makes none (RFC 8445, section 2.5).
    pub(crate) is_lite: bool,
    /// What the peer's certificate may be; at least one.
    pub(crate) fingerprints: Vec<Fingerprint>,
}

/// Which end of the DTLS handshake the peer takes (RFC 8842, section 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setup {
    /// Either.
    ActPass,
    /// The client's: we wait.
    Active,
    /// The server's: we begin.
    Passive,
}

impl Transport {
    /// Reads the transport that the sections `ours` share, of which there is at least one. What
    /// one of them leaves out is looked for in the session, then in the others: sections that are
    /// bundled need not repeat it.
    ///
    /// # Errors
    /// Says what is missing or cannot be used.
    pub(crate) fn read(sdp: &Sdp, ours: &[usize]) -> Result<Self, OfferError> {
        let sections = ours.iter().map(|index| &sdp.sections[*index].attributes);
        let mut places: Vec<&Attributes> = sections.collect();
        places.insert(1.min(places.len()), &sdp.session);
        let find = |name: &str| places.iter().find_map(|place| place.value(name));

        let credential = |name: &str, shortest: usize| {
            let value = find(name).ok_or_else(|| {
                OfferError::malformed(format!("its video section has no a={name}"))
            })?;
            let usable = (shortest..=256).contains(&value.len()) && value.bytes().all(is_ice_char);
            usable.then(|| value.to_owned()).ok_or_else(|| {
                OfferError::malformed(format!(
                    "its a={name} is not {shortest} to 256 letters and digits"
                ))
            })
        };
        let fingerprints = |place: &&&Attributes| -> Vec<Fingerprint> {
            place.values("fingerprint").filter_map(Fingerprint::parse).collect()
        };
        let fingerprints = places.iter().map(|place| fingerprints(&place)).find(|f| !f.is_empty());
        Ok(Self {
            section: ours[0],
            ufrag: credential("ice-ufrag", 4)?,
            password: credential("ice-pwd", 22)?,
            setup: Setup::of_peer(find("setup")),
            is_lite: sdp.session.value("ice-lite").is_some(),
            fingerprints: fingerprints.ok_or_else(|| {
                OfferError::malformed(
                    "it has no a=fingerprint of sha-256, sha-384 or sha-512 for its video",
                )
            })?,
        })
    }

    /// Whether `section` describes the same transport.
    pub(crate) fn is_of(&self, section: &Section) -> bool {
        section.attributes.value("ice-ufrag") == Some(&self.ufrag)
    }
}

impl Setup {
    fn of_peer(value: Option<&str>) -> Self {
        match value {
            Some("actpass") => Self::ActPass,
            Some("passive") => Self::Passive,
            // Who says nothing begins (RFC 4145, section 4), and an answer that says it waits is
            // right for everybody else.
            _ => Self::Active,
        }
    }

    /// Its name in SDP.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ActPass => "actpass",
            Self::Active => "active",
            Self::Passive => "passive",
        }
    }
}

/// RFC 8839, section 5.4, and what some write beside it: base64 for URLs.
fn is_ice_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}
