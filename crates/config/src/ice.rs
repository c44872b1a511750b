//! Addresses of STUN servers and relays, as browsers write them (`stun:host:port`, RFC 7064 and
//! RFC 7065) and as GStreamer does (`stun://host:port`).

use std::{net::Ipv6Addr, num::NonZeroU16, str::FromStr};

use serde::{Deserialize, Deserializer, de};
use url::Host;

use crate::shown::escaped;

/// What is repeated of an address that is refused, in characters.
const REPEATED: usize = 100;
/// Of STUN and TURN, and of TURN by TLS.
const PORT: u16 = 3478;
const TLS_PORT: u16 = 5349;

/// An address that cannot be used: which, why not, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{given}\" is not the address of a {kind}: {why}. Write {form}")]
pub struct BadIceUrl {
    given: String,
    kind: &'static str,
    why: String,
    form: &'static str,
}

/// An address of one kind.
pub trait IceUrl: Sized {
    /// What is there.
    const KIND: &'static str;
    /// What to write.
    const FORM: &'static str;

    /// Reads what has something in it.
    ///
    /// # Errors
    /// Why it is none.
    fn read(text: &str) -> Result<Self, String>;
}

/// A STUN server, as GStreamer takes it: `stun://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StunUrl(String);

impl StunUrl {
    /// The address.
    pub fn get(&self) -> &str {
        &self.0
    }
}

impl IceUrl for StunUrl {
    const KIND: &'static str = "STUN server";
    const FORM: &'static str = "stun:HOST:PORT, as in stun:stun.example.org:3478";

    fn read(text: &str) -> Result<Self, String> {
        let parts = Parts::of(text, &["stun"])?;
        if parts.query.is_some() {
            return Err("nothing may follow the port".to_owned());
        }
        Ok(Self(format!("stun://{}:{}", parts.host, parts.port.unwrap_or(PORT))))
    }
}

/// A relay, as browsers take it: `turn:host:port`, with `?transport=tcp` where it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnUrl(String);

impl TurnUrl {
    /// The address.
    pub fn get(&self) -> &str {
        &self.0
    }
}

impl IceUrl for TurnUrl {
    const KIND: &'static str = "relay";
    const FORM: &'static str = "turn:HOST:PORT, turn:HOST:PORT?transport=tcp or turns:HOST:PORT, \
                                as in turns:turn.example.org:5349";

    fn read(text: &str) -> Result<Self, String> {
        let Parts { scheme, host, port, query } = Parts::of(text, &["turn", "turns"])?;
        let is_tls = scheme == "turns";
        let query = match query {
            None => "",
            Some("transport=tcp") => "?transport=tcp",
            Some("transport=udp") if is_tls => return Err("turns: does not go by UDP".to_owned()),
            Some("transport=udp") => "?transport=udp",
            Some(_) => return Err("only ?transport=udp or ?transport=tcp may follow".to_owned()),
        };
        let port = port.unwrap_or(if is_tls { TLS_PORT } else { PORT });
        Ok(Self(format!("{scheme}:{host}:{port}{query}")))
    }
}

struct Parts<'a> {
    scheme: &'static str,
    host: Host,
    port: Option<u16>,
    /// What follows the question mark.
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str, schemes: &[&'static str]) -> Result<Self, String> {
        let (given, rest) = text.split_once(':').unwrap_or_default();
        let scheme = schemes.iter().find(|scheme| given.eq_ignore_ascii_case(scheme));
        let Some(scheme) = scheme else {
            return Err(match given {
                "stuns" => "STUN by TLS is not supported".to_owned(),
                _ => format!("it does not begin with {}:", schemes.join(": or ")),
            });
        };
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        if rest.contains('@') {
            return Err(match *scheme {
                "stun" => "it has a name or password in it, and STUN needs none",
                _ => "its name and password go into turn_username and turn_secret_file",
            }
            .to_owned());
        }
        let (address, query) = match rest.split_once('?') {
            Some((address, query)) => (address, Some(query)),
            None => (rest, None),
        };
        let (host, port) = match address.split_once(']') {
            Some((host, "")) => (format!("{host}]"), None),
            Some((host, rest)) => (format!("{host}]"), Some(rest.strip_prefix(':').unwrap_or(""))),
            None if address.parse::<Ipv6Addr>().is_ok() => {
                return Err("an IPv6 address needs brackets, as in [2001:db8::7]".to_owned());
            }
            None => match address.split_once(':') {
                Some((host, port)) => (host.to_owned(), Some(port)),
                None => (address.to_owned(), None),
            },
        };
        Ok(Self { scheme, host: read_host(&host)?, port: port.map(read_port).transpose()?, query })
    }
}

fn read_host(text: &str) -> Result<Host, String> {
    if text.is_empty() {
        return Err("it names no host".to_owned());
    }
    let host = Host::parse(text).ok().filter(|host| match host {
        // `Host` takes numbers such as 3478 for addresses, as browsers do with those of pages.
        Host::Ipv4(address) => text.parse() == Ok(*address) && !address.is_unspecified(),
        Host::Ipv6(address) => !address.is_unspecified(),
        Host::Domain(name) => is_name(name),
    });
    host.ok_or_else(|| format!("\"{}\" is no host", escaped(text, REPEATED)))
}

/// Whether this can be a host's name. `Host` lets through what no name has, such as commas.
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    text.len() <= 253 && text.strip_suffix('.').unwrap_or(text).split('.').all(is_label)
}

fn read_port(text: &str) -> Result<u16, String> {
    let port = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok());
    port.flatten().map(NonZeroU16::get).ok_or_else(|| "the port must be 1 to 65535".to_owned())
}

fn parse<T: IceUrl>(text: &str) -> Result<Option<T>, BadIceUrl> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    T::read(text).map(Some).map_err(|why| BadIceUrl {
        given: without_password(text),
        kind: T::KIND,
        why,
        form: T::FORM,
    })
}

/// As it can be repeated to whoever reads the log.
fn without_password(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, rest)) => format!("…@{}", escaped(rest, REPEATED)),
        None => escaped(text, REPEATED),
    }
}

/// An address as it was given; blank ones are none.
///
/// On the command line it is checked later, as `clap` repeats what it refuses, and people put
/// passwords into addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given<T>(Result<Option<T>, BadIceUrl>);

impl<T: IceUrl> Given<T> {
    /// The address, if it is not blank.
    ///
    /// # Errors
    /// When it is none.
    pub fn get(&self) -> Result<Option<&T>, &BadIceUrl> {
        self.0.as_ref().map(Option::as_ref)
    }
}

impl<T: IceUrl> FromStr for Given<T> {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(parse(text)))
    }
}

impl<'de, T: IceUrl> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        parse(&text).map(|url| Self(Ok(url))).map_err(de::Error::custom)
    }
}
