use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

/// The longest candidate that is read, in bytes. Browsers' are about 150.
const MAX_BYTES: usize = 512;
/// The longest foundation (RFC 8839, section 5.1).
const MAX_FOUNDATION: usize = 32;

/// An ICE candidate of the peer that is of use: UDP, with an address that can be sent to. What its
/// line said beyond that is left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    foundation: String,
    priority: u32,
    address: IpAddr,
    port: u16,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Host,
    ServerReflexive,
    PeerReflexive,
    Relayed,
}

/// Why an ICE candidate is not handed to the ICE agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// Empty: the peer has no more (RFC 8838, section 13).
    EndOfCandidates,
    /// Not of the form of RFC 8839, section 5.1.
    Malformed,
    /// A host name, as browsers' `.local` names (RFC draft mdns-ice-candidates). Looking it up
    /// leaks the ICE agent when there is no answer, and the connection comes about without it.
    HostName,
    /// Only UDP is served.
    NotUdp,
    /// For RTCP on a port of its own. We have both on one (RFC 8834, section 4.5).
    OtherComponent,
    /// Multicast, broadcast, the unspecified address, or port 0: no single peer is there.
    NoPeerThere,
}

impl Candidate {
    /// Reads `candidate:...`, with or without `a=` before it.
    ///
    /// # Errors
    /// Why it is of no use.
    pub(crate) fn parse(text: &str) -> Result<Self, Unusable> {
        let text = text.trim();
        let text = text.strip_prefix("a=").unwrap_or(text);
        if text.is_empty() {
            return Err(Unusable::EndOfCandidates);
        }
        let is_plain = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
        if text.len() > MAX_BYTES || !text.bytes().all(is_plain) {
            return Err(Unusable::Malformed);
        }
        let fields = text.strip_prefix("candidate:").ok_or(Unusable::Malformed)?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().take(8).collect();
        let [foundation, component, transport, priority, address, port, "typ", kind] = fields[..]
        else {
            return Err(Unusable::Malformed);
        };
        let component: u16 = number(component)?;
        let priority = number(priority)?;
        let port = number(port)?;
        let kind = Kind::parse(kind).ok_or(Unusable::Malformed)?;
        let ice_char = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        if foundation.len() > MAX_FOUNDATION || !foundation.bytes().all(ice_char) {
            return Err(Unusable::Malformed);
        }
        if !transport.eq_ignore_ascii_case("udp") {
            return Err(Unusable::NotUdp);
        }
        if component != 1 {
            return Err(Unusable::OtherComponent);
        }
        let address: IpAddr = address.parse().map_err(|_| Unusable::HostName)?;
        let address = address.to_canonical();
        if port == 0 || !is_one_host(address) {
            return Err(Unusable::NoPeerThere);
        }
        Ok(Self { foundation: foundation.to_owned(), priority, address, port, kind })
    }
}

/// The line that webrtcbin takes (RFC 8839, section 5.1).
impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { foundation, priority, address, port, kind } = self;
        write!(f, "candidate:{foundation} 1 UDP {priority} {address} {port} typ {kind}")?;
        match kind {
            Kind::Host => Ok(()),
            // The grammar wants it; nobody needs the peer's inner address.
            _ => f.write_str(" raddr 0.0.0.0 rport 0"),
        }
    }
}

impl Kind {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "host" => Some(Self::Host),
            "srflx" => Some(Self::ServerReflexive),
            "prflx" => Some(Self::PeerReflexive),
            "relay" => Some(Self::Relayed),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relayed => "relay",
        })
    }
}

fn number<T: std::str::FromStr>(digits: &str) -> Result<T, Unusable> {
    digits.parse().map_err(|_| Unusable::Malformed)
}

/// Whether a packet to this address goes to one host.
fn is_one_host(address: IpAddr) -> bool {
    match address {
        // 0.0.0.0/8 is this network; 224.0.0.0 and above are multicast, reserved and broadcast.
        IpAddr::V4(v4) => (1..Ipv4Addr::new(224, 0, 0, 0).octets()[0]).contains(&v4.octets()[0]),
        IpAddr::V6(v6) => !v6.is_unspecified() && !v6.is_multicast(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn udp_candidates_with_an_address_are_written_anew() {
        for (given, written) in [
            (
                "candidate:1 1 udp 2122260223 192.0.2.7 51000 typ host generation 0 ufrag abcd",
                "candidate:1 1 UDP 2122260223 192.0.2.7 51000 typ host",
            ),
            (
                "a=candidate:842163049 1 UDP 1677729535 2001:db8::7 51000 typ srflx raddr :: rport 0",
                "candidate:842163049 1 UDP 1677729535 2001:db8::7 51000 typ srflx raddr 0.0.0.0 rport 0",
            ),
            (
                "candidate:x 1 udp 1 ::ffff:192.0.2.7 9 typ relay raddr nonsense",
                "candidate:x 1 UDP 1 192.0.2.7 9 typ relay raddr 0.0.0.0 rport 0",
            ),
        ] {
            assert_eq!(Candidate::parse(given).unwrap().to_string(), written);
        }
    }

    #[test]
    fn candidates_without_use_are_left_out() {
        for (fields, why) in [
            ("1 udp 2122 3f1c6a9e-aaaa.local 5000", Unusable::HostName),
            ("1 udp 2122 fe80::1%eth0 5000", Unusable::HostName),
            ("1 tcp 1518280447 192.0.2.7 9", Unusable::NotUdp),
            ("2 udp 1 192.0.2.7 5000", Unusable::OtherComponent),
            ("0 udp 1 192.0.2.7 5000", Unusable::OtherComponent),
            ("65535 udp 1 192.0.2.7 5000", Unusable::OtherComponent),
            ("1 udp 1 192.0.2.7 0", Unusable::NoPeerThere),
            ("1 udp 1 224.0.0.251 5353", Unusable::NoPeerThere),
            ("1 udp 1 255.255.255.255 5353", Unusable::NoPeerThere),
            ("1 udp 1 0.0.0.0 5353", Unusable::NoPeerThere),
            ("1 udp 1 0.1.2.3 5353", Unusable::NoPeerThere),
            ("1 udp 1 :: 5353", Unusable::NoPeerThere),
            ("1 udp 1 ff02::fb 5353", Unusable::NoPeerThere),
            ("1 udp 1 ::ffff:224.0.0.251 5353", Unusable::NoPeerThere),
        ] {
            let line = format!("candidate:1 {fields} typ host");
            assert_eq!(Candidate::parse(&line), Err(why), "{line}");
        }
    }

    #[test]
    fn an_empty_candidate_ends_the_list() {
        assert_eq!(Candidate::parse(""), Err(Unusable::EndOfCandidates));
        assert_eq!(Candidate::parse(" \r\n"), Err(Unusable::EndOfCandidates));
    }

    #[test]
    fn garbage_is_malformed() {
        for bad in [
            "candidate:",
            "hello",
            " candidate:1 1 udp x 192.0.2.7 51000 typ host",
            "a= candidate:1 1 udp 1 192.0.2.7 51000 typ host",
            "candidate:1 1 udp 1 192.0.2.7 99999 typ host",
            "candidate:1 1 udp 1 192.0.2.7 9 typ hose",
            "candidate:1 1 udp 1 192.0.2.7 9 typ host\r\na=x",
            "candidate:1 1 udp 1 192.0.2.7 9 typ host\0",
            "candidate:1 1 udp 1 192.0.2.7 9 typ host \u{99}",
            "candidate:1:2 1 udp 1 192.0.2.7 9 typ host",
            "кандидат:1 1 udp 1 192.0.2.7 9 typ host",
        ] {
            assert_eq!(Candidate::parse(bad), Err(Unusable::Malformed), "{bad:?}");
        }
        assert_eq!(Candidate::parse(&"candidate:".repeat(1000)), Err(Unusable::Malformed));
    }
}
