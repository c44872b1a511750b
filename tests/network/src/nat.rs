//! Who may come in: through a firewall that lets answers in, and through address translation.

use std::{collections::BTreeSet, net::Ipv4Addr, ops::RangeInclusive};

use crate::packet::{Packet, Protocol};

/// Flows that are remembered. The one that is thrown away then is any.
const MOST_FLOWS: usize = 10_000;

/// A port inside, and an address and port outside, that packets have gone from and to.
type Flow = (Protocol, Ipv4Addr, u16, Ipv4Addr, u16);

/// Lets in what answers something that went out. A flow is remembered until the end.
#[derive(Debug, Default)]
pub(crate) struct Firewall {
    flows: BTreeSet<Flow>,
}

impl Firewall {
    pub(crate) fn outgoing(&mut self, packet: &Packet) {
        let Some((from, to)) = packet.ports() else { return };
        if self.flows.len() >= MOST_FLOWS {
            self.flows.pop_first();
        }
        self.flows.insert((packet.protocol(), packet.source(), from, packet.destination(), to));
    }

    /// What is neither TCP nor UDP may always come in.
    pub(crate) fn lets_in(&self, packet: &Packet) -> bool {
        packet.ports().is_none_or(|(from, to)| {
            let flow = (packet.protocol(), packet.destination(), to, packet.source(), from);
            self.flows.contains(&flow)
        })
    }
}

/// Address translation in front of one host. Ports stay what they are, so a port has the same
/// number outside for everybody; in come packets to forwarded ports, and answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nat {
    /// The address of the host as others see it.
    pub outer: Ipv4Addr,
    /// TCP ports that are forwarded to it.
    pub tcp: Vec<u16>,
    /// UDP ports that are forwarded to it.
    pub udp: Option<RangeInclusive<u16>>,
}

/// The same at work.
#[derive(Debug)]
pub(crate) struct Translation {
    nat: Nat,
    inner: Ipv4Addr,
    answers: Firewall,
}

impl Translation {
    pub(crate) fn new(nat: Nat, inner: Ipv4Addr) -> Self {
        Self { nat, inner, answers: Firewall::default() }
    }

    pub(crate) fn outer(&self) -> Ipv4Addr {
        self.nat.outer
    }

    pub(crate) fn outgoing(&mut self, packet: &mut Packet) {
        packet.set_source(self.nat.outer);
        self.answers.outgoing(packet);
    }

    /// Whether it comes in; it is then for the inner address.
    pub(crate) fn incoming(&self, packet: &mut Packet) -> bool {
        let comes = self.forwards(packet) || self.answers.lets_in(packet);
        if comes {
            packet.set_destination(self.inner);
        }
        comes
    }

    fn forwards(&self, packet: &Packet) -> bool {
        packet.ports().is_some_and(|(_, to)| match packet.protocol() {
            Protocol::Tcp => self.nat.tcp.contains(&to),
            Protocol::Udp => self.nat.udp.as_ref().is_some_and(|ports| ports.contains(&to)),
            Protocol::Other => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::tests::packet;

    const INNER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
    const OUTER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
    const ELSE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);

    fn udp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16)) -> Packet {
        packet(Protocol::Udp, from, to, 100)
    }

    #[test]
    fn a_firewall_lets_in_answers_and_nothing_else() {
        let mut firewall = Firewall::default();
        firewall.outgoing(&udp((INNER, 5000), (ELSE, 3478)));
        assert!(firewall.lets_in(&udp((ELSE, 3478), (INNER, 5000))));
        assert!(!firewall.lets_in(&udp((ELSE, 3479), (INNER, 5000))));
        assert!(!firewall.lets_in(&udp((ELSE, 3478), (INNER, 5001))));
        assert!(!firewall.lets_in(&udp((OUTER, 3478), (INNER, 5000))));
        assert!(!firewall.lets_in(&packet(Protocol::Tcp, (ELSE, 3478), (INNER, 5000), 100)));
        assert!(firewall.lets_in(&packet(Protocol::Other, (ELSE, 0), (INNER, 0), 100)));
    }

    #[test]
    fn a_firewall_remembers_no_more_than_so_many_flows() {
        let mut firewall = Firewall::default();
        for n in 0..MOST_FLOWS + 10 {
            let to = Ipv4Addr::from((n as u32).to_be_bytes());
            firewall.outgoing(&udp((INNER, 5000), (to, 1)));
        }
        assert_eq!(firewall.flows.len(), MOST_FLOWS);
    }

    #[test]
    fn what_goes_out_comes_from_the_outer_address_and_its_answer_goes_in() {
        let nat = Nat { outer: OUTER, tcp: vec![], udp: None };
        let mut translation = Translation::new(nat, INNER);
        let mut out = udp((INNER, 5000), (ELSE, 3478));
        translation.outgoing(&mut out);
        assert_eq!(out, udp((OUTER, 5000), (ELSE, 3478)));
        let mut answer = udp((ELSE, 3478), (OUTER, 5000));
        assert!(translation.incoming(&mut answer));
        assert_eq!(answer, udp((ELSE, 3478), (INNER, 5000)));
        assert!(!translation.incoming(&mut udp((ELSE, 1), (OUTER, 5000))));
    }

    #[test]
    fn forwarded_ports_are_open_to_everybody() {
        let nat = Nat { outer: OUTER, tcp: vec![8090], udp: Some(40_000..=40_009) };
        let translation = Translation::new(nat, INNER);
        let comes = |mut packet: Packet| translation.incoming(&mut packet);
        assert!(comes(udp((ELSE, 1), (OUTER, 40_000))));
        assert!(comes(udp((ELSE, 1), (OUTER, 40_009))));
        assert!(!comes(udp((ELSE, 1), (OUTER, 40_010))));
        assert!(!comes(udp((ELSE, 1), (OUTER, 8090))));
        assert!(comes(packet(Protocol::Tcp, (ELSE, 1), (OUTER, 8090), 100)));
        assert!(!comes(packet(Protocol::Tcp, (ELSE, 1), (OUTER, 40_000), 100)));
    }
}
