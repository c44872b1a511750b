//! Whom a proxy speaks for, by `Forwarded` (RFC 7239) or `X-Forwarded-For`. Both are written by
//! whoever likes, so they are read from right to left, and only as far as proxies that the
//! operator named have written them. Pure.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use serde::Serialize;

const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Hops that are read. A longer way than this is none that anybody has set up.
const MAX_HOPS: usize = 32;

/// Proxies that are believed about whom they speak for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct TrustedProxies(Vec<IpNet>);

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The client's address.
    pub address: IpAddr,
    /// Whether the client speaks TLS.
    pub tls: bool,
}

/// One hop as a proxy tells of it.
struct Hop {
    /// None when the proxy does not say.
    address: Option<IpAddr>,
    tls: bool,
}

impl TrustedProxies {
    /// Those in these networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Where a request really comes from that `peer` brings.
    ///
    /// What anybody but a trusted proxy says is ignored. A proxy that writes one of the two headers
    /// passes the other on as the client wrote it; where they contradict each other neither is
    /// believed, and the request is the proxy's own.
    pub fn origin(&self, peer: Origin, headers: &HeaderMap) -> Origin {
        let peer = Origin { address: peer.address.to_canonical(), ..peer };
        if !self.contains(peer.address) {
            return peer;
        }
        let standard = forwarded(headers).map(|hops| self.follow(peer, hops));
        let usual = x_forwarded(headers).map(|hops| self.follow(peer, hops));
        let tls_alone =
            || headers.get_all(X_FORWARDED_PROTO).iter().next_back().is_some_and(is_https);
        match (standard, usual) {
            (Some(standard), Some(usual)) if standard.address == usual.address => {
                Origin { tls: standard.tls || usual.tls, ..standard }
            }
            (Some(_), Some(_)) => peer,
            (Some(origin), None) | (None, Some(origin)) => origin,
            (None, None) => Origin { tls: peer.tls || tls_alone(), ..peer },
        }
    }

    /// From the nearest hop to the first that is no proxy of ours, or of which nobody knows.
    fn follow(&self, peer: Origin, nearest_last: Vec<Hop>) -> Origin {
        let mut known = peer;
        for hop in nearest_last.into_iter().rev() {
            let Some(address) = hop.address else { break };
            known = Origin { address, tls: hop.tls };
            if !self.contains(address) {
                break;
            }
        }
        known
    }
}

/// The hops of all `Forwarded` headers. `None` without one.
fn forwarded(headers: &HeaderMap) -> Option<Vec<Hop>> {
    let elements = list(headers, &FORWARDED)?;
    let hops = elements.iter().map(|element| {
        let mut hop = Hop { address: None, tls: false };
        for (name, value) in split(element, b';').iter().filter_map(|pair| pair.split_once('=')) {
            let value = unquoted(value.trim());
            match name.trim() {
                name if name.eq_ignore_ascii_case("for") => hop.address = node(&value),
                name if name.eq_ignore_ascii_case("proto") => {
                    hop.tls = value.eq_ignore_ascii_case("https");
                }
                _ => {}
            }
        }
        hop
    });
    Some(hops.collect())
}

/// The hops of all `X-Forwarded-For` headers, each with its protocol if there are as many of them;
/// else with the nearest proxy's. `None` without one.
fn x_forwarded(headers: &HeaderMap) -> Option<Vec<Hop>> {
    let addresses = list(headers, &X_FORWARDED_FOR)?;
    let protocols = list(headers, &X_FORWARDED_PROTO).unwrap_or_default();
    let of = |at: usize| match protocols.len() == addresses.len() {
        true => protocols.get(at),
        false => protocols.last(),
    };
    let hops = addresses.iter().enumerate().map(|(at, address)| Hop {
        address: node(address),
        tls: of(at).is_some_and(|protocol| protocol.eq_ignore_ascii_case("https")),
    });
    Some(hops.collect())
}

/// The last elements of a header, which may be given several times.
fn list(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<String>> {
    let mut elements: Vec<String> = Vec::new();
    for value in headers.get_all(name) {
        // What is no text is an element that says nothing.
        let text = String::from_utf8_lossy(value.as_bytes());
        elements.extend(split(&text, b',').into_iter().map(|element| element.trim().to_owned()));
    }
    let surplus = elements.len().saturating_sub(MAX_HOPS);
    (!elements.is_empty()).then(|| elements.split_off(surplus))
}

/// The parts between separators that do not stand in quotes.
fn split(text: &str, separator: u8) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut from, mut in_quotes, mut escaped) = (0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_quotes => escaped = true,
            b'"' => in_quotes = !in_quotes,
            byte if byte == separator && !in_quotes => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

fn unquoted(value: &str) -> String {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.map_or_else(|| value.to_owned(), |inner| inner.replace('\\', ""))
}

/// The address of a node (RFC 7239, section 6): with or without port, `unknown` and names made up
/// to hide one are none.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        IpAddr::V6(address.parse().ok().filter(|_| is_port)?)
    } else {
        match text.parse() {
            Ok(address) => address,
            Err(_) => {
                let (address, port) = text.rsplit_once(':')?;
                IpAddr::V4(address.parse().ok().filter(|_| is_port(port))?)
            }
        }
    };
    Some(address.to_canonical())
}

/// A port, or a name made up to hide it.
fn is_port(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn is_https(value: &axum::http::HeaderValue) -> bool {
    let last = value.as_bytes().rsplit(|byte| *byte == b',').next().unwrap_or_default();
    last.trim_ascii().eq_ignore_ascii_case(b"https")
}

#[cfg(test)]
#[path = "forwarded_tests.rs"]
mod tests;
