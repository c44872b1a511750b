use std::net::IpAddr;

/// The longest candidate that is read, in bytes. Browsers' are about 150.
const MAX_BYTES: usize = 512;

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
}

/// The candidate in the form that webrtcbin takes, `candidate:...`, if it is of use.
pub(crate) fn usable(candidate: &str) -> Result<&str, Unusable> {
    let candidate = candidate.trim();
    let candidate = candidate.strip_prefix("a=").unwrap_or(candidate);
    if candidate.is_empty() {
        return Err(Unusable::EndOfCandidates);
    }
    let is_plain = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if candidate.len() > MAX_BYTES || !candidate.bytes().all(is_plain) {
        return Err(Unusable::Malformed);
    }
    let fields = candidate.strip_prefix("candidate:").ok_or(Unusable::Malformed)?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().take(8).collect();
    let [foundation, component, transport, priority, address, port, "typ", kind] = fields[..]
    else {
        return Err(Unusable::Malformed);
    };
    let numbers = component.parse::<u16>().is_ok()
        && priority.parse::<u32>().is_ok()
        && port.parse::<u16>().is_ok();
    let known = matches!(kind, "host" | "srflx" | "prflx" | "relay");
    if foundation.is_empty() || foundation.len() > 32 || !numbers || !known {
        return Err(Unusable::Malformed);
    }
    if !transport.eq_ignore_ascii_case("udp") {
        return Err(Unusable::NotUdp);
    }
    match address.parse::<IpAddr>() {
        Ok(_) => Ok(candidate),
        Err(_) => Err(Unusable::HostName),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn udp_candidates_with_an_address_are_of_use() {
        for good in [
            "candidate:1 1 udp 2122260223 192.0.2.7 51000 typ host generation 0 ufrag abcd",
            "a=candidate:842163049 1 UDP 1677729535 2001:db8::7 51000 typ srflx raddr :: rport 0",
        ] {
            assert!(usable(good).unwrap().starts_with("candidate:"), "{good}");
        }
    }

    #[test]
    fn local_names_are_left_out() {
        let mdns =
            "candidate:1 1 udp 2122 3f1c6a9e-aaaa-bbbb-cccc-000000000000.local 5000 typ host";
        assert_eq!(usable(mdns), Err(Unusable::HostName));
    }

    #[test]
    fn tcp_is_left_out() {
        let tcp = "candidate:1 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active";
        assert_eq!(usable(tcp), Err(Unusable::NotUdp));
    }

    #[test]
    fn an_empty_candidate_ends_the_list() {
        assert_eq!(usable(""), Err(Unusable::EndOfCandidates));
        assert_eq!(usable(" \r\n"), Err(Unusable::EndOfCandidates));
    }

    #[test]
    fn garbage_is_malformed() {
        for bad in [
            "candidate:",
            "hello",
            "candidate:1 1 udp x 192.0.2.7 51000 typ host",
            "candidate:1 1 udp 1 192.0.2.7 99999 typ host",
            "candidate:1 1 udp 1 192.0.2.7 9 typ hose",
            "candidate:1 1 udp 1 192.0.2.7 9 typ host\r\na=x",
            "candidate:1 1 udp 1 192.0.2.7 9 typ host\0",
            "candidate:1 1 udp 1 192.0.2.7 9 typ host \u{99}",
            "кандидат:1 1 udp 1 192.0.2.7 9 typ host",
        ] {
            assert_eq!(usable(bad), Err(Unusable::Malformed), "{bad:?}");
        }
        assert_eq!(usable(&"candidate:".repeat(1000)), Err(Unusable::Malformed));
    }
}
