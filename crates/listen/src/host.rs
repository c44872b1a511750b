//! What a request calls this server. Whoever sends it writes that, so it is read with care.

use axum::http::{HeaderMap, header, uri::Authority};
use url::Host;

/// The host and port that the request names (RFC 9110, section 7.2). `None` when it names none,
/// several, or what cannot stand in an address.
pub fn named(headers: &HeaderMap) -> Option<Authority> {
    let mut all = headers.get_all(header::HOST).iter();
    let (Some(one), None) = (all.next(), all.next()) else { return None };
    let authority: Authority = one.to_str().ok()?.parse().ok()?;
    // What is neither host nor port would be a user's name.
    let rest = authority.as_str().strip_prefix(authority.host())?;
    let is_port = rest.is_empty() || authority.port_u16().is_some();
    (is_port && Host::parse(authority.host()).is_ok()).then_some(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&[u8]]) -> Option<String> {
        let value = |value: &&[u8]| header::HeaderValue::from_bytes(value).unwrap();
        let headers = values.iter().map(|bytes| (header::HOST, value(bytes))).collect();
        named(&headers).map(|authority| authority.to_string())
    }

    #[test]
    fn a_host_with_or_without_port_is_taken_and_nothing_else() {
        for good in ["box", "box:8090", "vlm.example", "192.0.2.7:1", "[2001:db8::7]:8090"] {
            assert_eq!(of(&[good.as_bytes()]).as_deref(), Some(good));
        }
        for bad in [
            "",
            ":",
            ":80",
            "ada@box",
            "ada:pw@box",
            "box:",
            "box:x",
            "box:65536",
            "a b",
            "box/x",
            "box?x",
            "a%b",
            "[::1",
            "::1",
        ] {
            assert_eq!(of(&[bad.as_bytes()]), None, "{bad}");
        }
        assert_eq!(of(&[b"box\xff"]), None);
        assert_eq!(of(&[b"box", b"box"]), None);
        assert_eq!(of(&[]), None);
    }
}
