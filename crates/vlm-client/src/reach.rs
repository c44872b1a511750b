//! Where an endpoint that somebody else names may lead.
//!
//! Whoever may name an address that a server then asks can look behind the server's firewall with
//! it. So such an [`Endpoint::foreign`](crate::Endpoint::foreign) reaches public addresses only,
//! and what the operator allows beside them. Nothing here does I/O: [`names`](crate::names) brings
//! the addresses of names here before a connection is made to one of them.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use ipnet::IpNet;
use serde::{Serialize, Serializer};
use url::Host;

/// Which servers an endpoint that somebody else named may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Every server. For whoever sits at the machine itself, and could ask them anyway.
    Anything,
    /// Public addresses, and these.
    Public(Vec<Allowed>),
}

/// What an operator allows beside public addresses: `10.0.0.0/8`, `192.168.1.7:8000`,
/// `[fd00::7]:8000`, `vlm.example`, `vlm.example:8000` or `*.example`.
///
/// A network opens every address in it; of these, a metadata service must be named by itself. A
/// name opens the private addresses that it leads to, and this host's unless it is a wildcard:
/// who may add a name below it must not get there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    target: Target,
    /// Any without it.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Network(IpNet),
    Name(String),
    /// Every name that ends with this; it begins with a dot.
    Below(String),
}

/// A text is nothing that [`Allowed`] can be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given:?} is neither an address, a network, a host name nor a wildcard; expected for example \
     10.0.0.0/8, 192.168.1.7:8000, [fd00::7]:8000, vlm.example:8000 or *.example"
)]
pub struct BadAllowed {
    given: String,
}

/// Why an address is not reached. For whoever wrote the address itself, and for the log: of names
/// it would tell what is inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is {0}")]
pub(crate) struct Blocked(pub(crate) AddressKind);

/// What is behind an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressKind {
    /// A server that everybody reaches.
    Public,
    /// A private network.
    Private,
    /// The host that this runs on.
    ThisHost,
    /// The network around it.
    LinkLocal,
    /// A cloud's metadata service.
    Metadata,
    /// Nothing that could be a server.
    Reserved,
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "a public address",
            Self::Private => "an address of a private network",
            Self::ThisHost => "this host itself",
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "a cloud's metadata service",
            Self::Reserved => "an address that no server has",
        })
    }
}

/// What may be reached at one port: the part of a [`Reach`] that applies to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gate(Vec<Target>);

impl Reach {
    /// What applies at this port; `None` = everything is allowed.
    pub(crate) fn at_port(&self, port: u16) -> Option<Gate> {
        match self {
            Self::Anything => None,
            Self::Public(allowed) => Some(Gate(
                allowed
                    .iter()
                    .filter(|allowed| allowed.port.is_none_or(|own| own == port))
                    .map(|allowed| allowed.target.clone())
                    .collect(),
            )),
        }
    }
}

impl Gate {
    /// Whether a host may be asked, as far as its name alone says.
    pub(crate) fn check_host(&self, host: &Host<&str>) -> Result<(), Blocked> {
        match host {
            Host::Ipv4(address) => self.check(None, (*address).into()),
            Host::Ipv6(address) => self.check(None, (*address).into()),
            Host::Domain(name) if is_this_host(host) => {
                self.check(Some(name), Ipv4Addr::LOCALHOST.into())
            }
            Host::Domain(_) => Ok(()),
        }
    }

    /// Whether a connection may be made to this address, which `name` led to, if there was one.
    pub(crate) fn check(&self, name: Option<&str>, address: IpAddr) -> Result<(), Blocked> {
        let address = embedded(address);
        let kind = kind(address);
        let opens = |target: &Target| match target {
            Target::Network(network) => {
                let itself = network.prefix_len() == network.max_prefix_len();
                network.contains(&address) && (kind != AddressKind::Metadata || itself)
            }
            Target::Name(own) => {
                name.is_some_and(|name| plain(name).eq_ignore_ascii_case(own))
                    && matches!(kind, AddressKind::Private | AddressKind::ThisHost)
            }
            Target::Below(own) => {
                name.is_some_and(|name| plain(name).to_ascii_lowercase().ends_with(own))
                    && kind == AddressKind::Private
            }
        };
        if kind == AddressKind::Public || self.0.iter().any(opens) {
            Ok(())
        } else {
            Err(Blocked(kind))
        }
    }
}

/// Whether this is the host itself, as far as can be told without a look-up: a loopback address or
/// the unspecified one, which systems take for it, of IPv4 as IPv6 writes it too, or a name that
/// always leads here (RFC 6761, section 6.3). A domain is as URLs have it, in lower case.
pub fn is_this_host(host: &Host<&str>) -> bool {
    let is_here = |address: IpAddr| address.is_loopback() || address.is_unspecified();
    match host {
        Host::Ipv4(address) => is_here((*address).into()),
        Host::Ipv6(address) => is_here(address.to_canonical()),
        Host::Domain(name) => {
            let name = plain(name);
            name == "localhost" || name.ends_with(".localhost")
        }
    }
}

/// A name without the dot that may end it.
fn plain(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// The IPv4 address that an IPv6 address stands for, if it stands for one.
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let segments = v6.segments();
    let pair = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // Itself and unspecified are no IPv4-compatible ones.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => address,
        // Mapped, translated (RFC 2765), compatible, NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0, 0, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => pair(high, low),
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => pair(high, low),
        _ => address,
    }
}

fn kind(address: IpAddr) -> AddressKind {
    match address {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => kind_v6(address),
    }
}

/// By IANA's registry of special-purpose addresses.
fn kind_v4(address: Ipv4Addr) -> AddressKind {
    match address.octets() {
        // AWS, GCP, Azure, ...; AWS ECS and EKS; Alibaba; Oracle; Azure's host, which is public.
        [169, 254, 169, 253 | 254]
        | [169, 254, 170, 2 | 23]
        | [100, 100, 100, 200]
        | [192, 0, 0, 192]
        | [168, 63, 129, 16] => AddressKind::Metadata,
        [0 | 127, ..] => AddressKind::ThisHost,
        [169, 254, ..] => AddressKind::LinkLocal,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => {
            AddressKind::Private
        }
        [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [224..=255, ..] => AddressKind::Reserved,
        _ => AddressKind::Public,
    }
}

fn kind_v6(address: Ipv6Addr) -> AddressKind {
    match address.segments() {
        // AWS and GCP; OpenStack.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254 | 0x253]
        | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]
        | [0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe] => AddressKind::Metadata,
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => AddressKind::ThisHost,
        [0xfe80..=0xfebf, ..] => AddressKind::LinkLocal,
        // Unique local, and the site-local ones before them (RFC 3879).
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => AddressKind::Private,
        // Of the global unicast block: protocols' own, Teredo among them, and documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => AddressKind::Reserved,
        [0x2000..=0x3fff, ..] => AddressKind::Public,
        _ => AddressKind::Reserved,
    }
}

/// As it is read.
impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = match &self.target {
            Target::Network(network) if network.prefix_len() == network.max_prefix_len() => {
                network.addr().to_string()
            }
            Target::Network(network) => network.to_string(),
            Target::Name(name) => name.clone(),
            Target::Below(suffix) => format!("*{suffix}"),
        };
        match self.port {
            Some(port) if target.contains(':') => write!(f, "[{target}]:{port}"),
            Some(port) => write!(f, "{target}:{port}"),
            None => f.write_str(&target),
        }
    }
}

impl Serialize for Allowed {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl FromStr for Allowed {
    type Err = BadAllowed;

    fn from_str(text: &str) -> Result<Self, BadAllowed> {
        let text = text.trim();
        let bad = || BadAllowed { given: text.chars().take(80).collect() };
        // Only brackets tell the port of an IPv6 address from its last group.
        let (target, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((inside, "")) => (inside, None),
            Some((inside, rest)) => (inside, Some(rest.strip_prefix(':').ok_or_else(bad)?)),
            None if text.matches(':').count() == 1 => match text.split_once(':') {
                Some((target, port)) => (target, Some(port)),
                None => (text, None),
            },
            None => (text, None),
        };
        let port = match port.map(str::parse::<u16>) {
            None => None,
            Some(Ok(port)) if port > 0 => Some(port),
            Some(_) => return Err(bad()),
        };
        let network =
            target.parse::<IpNet>().or_else(|_| target.parse::<IpAddr>().map(IpNet::from));
        let target = match (network, target.strip_prefix("*.")) {
            (Ok(network), _) => Target::Network(network),
            (Err(_), Some(suffix)) => Target::Below(format!(".{}", name(suffix).ok_or_else(bad)?)),
            (Err(_), None) => Target::Name(name(target).ok_or_else(bad)?),
        };
        Ok(Self { target, port })
    }
}

/// A host name as URLs have it, if it is one; numbers are addresses that were not understood.
fn name(text: &str) -> Option<String> {
    match Host::parse(plain(text)).ok()? {
        Host::Domain(name) if !name.contains('*') => Some(name),
        _ => None,
    }
}

#[cfg(test)]
#[path = "reach_tests.rs"]
mod tests;
