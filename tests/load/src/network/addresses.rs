//! Where everything is that a page meets.

use std::{net::Ipv4Addr, ops::RangeInclusive};

/// Where the page is.
pub(crate) const PAGE_PORT: u16 = 8090;
/// Where video comes in.
pub(crate) const VIDEO_PORTS: RangeInclusive<u16> = 40_000..=40_099;
/// Where the third host says to everybody what address they have, and relays.
pub(crate) const STUN_PORT: u16 = 3478;
/// Where it relays for whoever speaks TLS.
pub(crate) const TURNS_PORT: u16 = 5349;
/// The server's address for everybody else, where it is behind address translation.
pub(crate) const OUTER: Ipv4Addr = Ipv4Addr::new(10, 86, 4, 1);
/// The client's next address.
pub(crate) const NEW_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 86, 9, 2);
