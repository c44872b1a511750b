//! What is between the hosts: where a packet goes, and whether and when it arrives. Time comes from
//! outside.

use std::{net::Ipv4Addr, time::Instant};

use crate::{
    line::{Counts, Impairment, Line},
    nat::{Firewall, Nat, Translation},
    packet::{Packet, Protocol},
};

/// A host of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Host {
    /// Has the browser, and all that is bad: its line is what is impaired.
    Client,
    /// Has the server.
    Server,
    /// Somebody else, such as a STUN server or a relay.
    Third,
}

impl Host {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Client, Self::Server, Self::Third];

    /// The address that it begins with.
    pub const fn address(self) -> Ipv4Addr {
        match self {
            Self::Client => Ipv4Addr::new(10, 86, 1, 2),
            Self::Server => Ipv4Addr::new(10, 86, 2, 2),
            Self::Third => Ipv4Addr::new(10, 86, 3, 2),
        }
    }
}

/// A direction of the client's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// From the client.
    Up,
    /// To the client.
    Down,
}

/// What does not pass the client's line, in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Nothing does.
    All,
    /// UDP does not.
    Udp,
    /// UDP to and from this address does not.
    UdpWith(Ipv4Addr),
    /// UDP whose packets have more bytes than this, headers and all, does not; nobody is told.
    UdpLongerThan(usize),
    /// TCP does not.
    Tcp,
    /// TCP to and from this port of the other side does not.
    TcpWith(u16),
}

impl Rule {
    fn stops(self, packet: &Packet, side: Side) -> bool {
        let (other, port) = match side {
            Side::Up => (packet.destination(), packet.ports().map(|(_, to)| to)),
            Side::Down => (packet.source(), packet.ports().map(|(from, _)| from)),
        };
        let is = |protocol| packet.protocol() == protocol;
        match self {
            Self::All => true,
            Self::Udp => is(Protocol::Udp),
            Self::UdpWith(address) => is(Protocol::Udp) && other == address,
            Self::UdpLongerThan(length) => is(Protocol::Udp) && packet.len() > length,
            Self::Tcp => is(Protocol::Tcp),
            Self::TcpWith(wanted) => is(Protocol::Tcp) && port == Some(wanted),
        }
    }
}

/// How client and server are connected to the rest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// The client is behind a firewall that lets in only answers to what it sent.
    pub firewall: bool,
    /// The server is behind address translation.
    pub nat: Option<Nat>,
}

/// What is between the hosts.
#[derive(Debug)]
pub struct Middle {
    up: Line,
    down: Line,
    rules: Vec<Rule>,
    firewall: Option<Firewall>,
    nat: Option<Translation>,
}

impl Middle {
    /// Without impairments. What is lost later is lost by this seed.
    pub fn new(access: Access, seed: u64) -> Self {
        Self {
            up: Line::new(seed),
            down: Line::new(seed.wrapping_add(1)),
            rules: Vec::new(),
            firewall: access.firewall.then(Firewall::default),
            nat: access.nat.map(|nat| Translation::new(nat, Host::Server.address())),
        }
    }

    /// From now on the client's line is so.
    pub fn impair(&mut self, side: Side, impairment: Impairment) {
        self.line(side).set(impairment);
    }

    /// From now on these rules are in force, and no others.
    pub fn rule(&mut self, rules: Vec<Rule>) {
        self.rules = rules;
    }

    /// What has become of packets on the client's line.
    pub fn counts(&self, side: Side) -> Counts {
        match side {
            Side::Up => self.up.counts,
            Side::Down => self.down.counts,
        }
    }

    /// Where a packet that `from` sends now goes, and when it arrives there. `None` if it does not.
    pub fn forward(
        &mut self,
        mut packet: Packet,
        from: Host,
        now: Instant,
    ) -> Option<(Instant, Host, Packet)> {
        if from == Host::Server
            && let Some(nat) = &mut self.nat
        {
            nat.outgoing(&mut packet);
        }
        let to = self.host_at(packet.destination())?;
        if to == from {
            return None;
        }
        let mut arrives = now;
        if from == Host::Client {
            if let Some(firewall) = &mut self.firewall {
                firewall.outgoing(&packet);
            }
            arrives = self.pass(Side::Up, &packet, now)?;
        } else if to == Host::Client {
            if self.firewall.as_ref().is_some_and(|firewall| !firewall.lets_in(&packet)) {
                return None;
            }
            arrives = self.pass(Side::Down, &packet, now)?;
        }
        if to == Host::Server
            && let Some(nat) = &self.nat
            && !nat.incoming(&mut packet)
        {
            return None;
        }
        Some((arrives, to, packet))
    }

    /// The client has any address that is nobody else's: it may change.
    fn host_at(&self, address: Ipv4Addr) -> Option<Host> {
        let server = Host::Server.address();
        match &self.nat {
            Some(nat) if address == nat.outer() => return Some(Host::Server),
            Some(_) if address == server => return None,
            _ => {}
        }
        let named = [Host::Server, Host::Third].into_iter().find(|host| host.address() == address);
        Some(named.unwrap_or(Host::Client))
    }

    fn pass(&mut self, side: Side, packet: &Packet, now: Instant) -> Option<Instant> {
        let stopped = self.rules.iter().any(|rule| rule.stops(packet, side));
        let line = self.line(side);
        line.counts.longest = line.counts.longest.max(packet.len());
        if stopped {
            line.counts.blocked += 1;
            return None;
        }
        line.carry(packet.len(), now)
    }

    fn line(&mut self, side: Side) -> &mut Line {
        match side {
            Side::Up => &mut self.up,
            Side::Down => &mut self.down,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::packet::tests::packet;

    const CLIENT: (Ipv4Addr, u16) = (Host::Client.address(), 5000);
    const SERVER: (Ipv4Addr, u16) = (Host::Server.address(), 40_000);
    const THIRD: (Ipv4Addr, u16) = (Host::Third.address(), 3478);
    const OUTER: Ipv4Addr = Ipv4Addr::new(10, 86, 4, 1);

    fn udp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16)) -> Packet {
        packet(Protocol::Udp, from, to, 1000)
    }

    fn tcp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16)) -> Packet {
        packet(Protocol::Tcp, from, to, 1000)
    }

    /// Whom a packet reaches, and after how long.
    fn sent(middle: &mut Middle, packet: Packet, from: Host) -> Option<(Host, Duration)> {
        let now = Instant::now();
        middle.forward(packet, from, now).map(|(at, to, _)| (to, at - now))
    }

    #[test]
    fn only_what_goes_over_the_clients_line_is_impaired_and_each_direction_by_itself() {
        let mut middle = Middle::new(Access::default(), 1);
        let delay = |ms| Impairment { delay: Duration::from_millis(ms), ..Impairment::default() };
        middle.impair(Side::Up, delay(10));
        middle.impair(Side::Down, delay(20));
        let ms = Duration::from_millis;
        for (from, to, sender, expected) in [
            (CLIENT, SERVER, Host::Client, (Host::Server, ms(10))),
            (SERVER, CLIENT, Host::Server, (Host::Client, ms(20))),
            (CLIENT, THIRD, Host::Client, (Host::Third, ms(10))),
            (THIRD, CLIENT, Host::Third, (Host::Client, ms(20))),
            (SERVER, THIRD, Host::Server, (Host::Third, ms(0))),
            (THIRD, SERVER, Host::Third, (Host::Server, ms(0))),
        ] {
            assert_eq!(sent(&mut middle, udp(from, to), sender), Some(expected));
        }
    }

    #[test]
    fn a_new_address_of_the_clients_is_the_clients() {
        let mut middle = Middle::new(Access::default(), 1);
        let new = (Ipv4Addr::new(10, 86, 9, 9), 1);
        let (to, _) = sent(&mut middle, udp(SERVER, new), Host::Server).unwrap();
        assert_eq!(to, Host::Client);
    }

    #[test]
    fn rules_stop_what_they_say_in_both_directions_and_are_counted() {
        let long = |length| packet(Protocol::Udp, CLIENT, SERVER, length);
        let page = (SERVER.0, 8090);
        for (rule, packet, stopped) in [
            (Rule::All, tcp(CLIENT, SERVER), true),
            (Rule::All, udp(CLIENT, SERVER), true),
            (Rule::Udp, udp(CLIENT, SERVER), true),
            (Rule::Udp, tcp(CLIENT, SERVER), false),
            (Rule::UdpWith(SERVER.0), udp(CLIENT, SERVER), true),
            (Rule::UdpWith(SERVER.0), udp(CLIENT, THIRD), false),
            (Rule::UdpWith(SERVER.0), tcp(CLIENT, SERVER), false),
            (Rule::UdpLongerThan(1280), long(1281), true),
            (Rule::UdpLongerThan(1280), long(1280), false),
            (Rule::Tcp, tcp(CLIENT, SERVER), true),
            (Rule::Tcp, udp(CLIENT, SERVER), false),
            (Rule::TcpWith(8090), tcp(CLIENT, page), true),
            (Rule::TcpWith(8090), tcp(CLIENT, SERVER), false),
            (Rule::TcpWith(8090), udp(CLIENT, page), false),
        ] {
            let mut middle = Middle::new(Access::default(), 1);
            middle.rule(vec![rule]);
            let at = |packet: &Packet| {
                let (source, to) = packet.ports().unwrap();
                ((packet.source(), source), (packet.destination(), to))
            };
            let (from, to) = at(&packet);
            let back =
                super::super::packet::tests::packet(packet.protocol(), to, from, packet.len());
            let other = middle.host_at(to.0).unwrap();
            let reached = sent(&mut middle, packet.clone(), Host::Client).is_some();
            assert_eq!(reached, !stopped, "{rule:?} up {packet:?}");
            let reached = sent(&mut middle, back, other).is_some();
            assert_eq!(reached, !stopped, "{rule:?} down {packet:?}");
            let blocked = [Side::Up, Side::Down].map(|side| middle.counts(side).blocked);
            assert_eq!(blocked, [u64::from(stopped); 2], "{rule:?}");
        }
    }

    #[test]
    fn behind_address_translation_the_server_is_reached_at_its_outer_address_only() {
        let nat = Nat { outer: OUTER, tcp: vec![8090], udp: Some(40_000..=40_009) };
        let mut middle = Middle::new(Access { nat: Some(nat), firewall: false }, 1);
        assert_eq!(sent(&mut middle, udp(CLIENT, SERVER), Host::Client), None);
        let now = Instant::now();
        let there = middle.forward(udp(CLIENT, (OUTER, 40_000)), Host::Client, now).unwrap();
        assert_eq!(there, (now, Host::Server, udp(CLIENT, SERVER)));
        let back = middle.forward(udp(SERVER, CLIENT), Host::Server, now).unwrap();
        assert_eq!(back, (now, Host::Client, udp((OUTER, 40_000), CLIENT)));
        let other = udp(CLIENT, (OUTER, 41_000));
        assert_eq!(sent(&mut middle, other, Host::Client), None);
    }

    #[test]
    fn behind_its_firewall_the_client_hears_only_answers() {
        let mut middle = Middle::new(Access { firewall: true, nat: None }, 1);
        assert_eq!(sent(&mut middle, udp(SERVER, CLIENT), Host::Server), None);
        assert!(sent(&mut middle, udp(CLIENT, SERVER), Host::Client).is_some());
        assert!(sent(&mut middle, udp(SERVER, CLIENT), Host::Server).is_some());
    }
}
