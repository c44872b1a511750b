//! What the network reads of an IPv4 packet (RFC 791), and how it changes addresses in it.

use std::net::Ipv4Addr;

const HEADER: usize = 20;
const CHECKSUM: usize = 10;
const SOURCE: usize = 12;
const DESTINATION: usize = 16;

/// What an IPv4 packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP (RFC 9293).
    Tcp,
    /// UDP (RFC 768).
    Udp,
    /// Anything else, such as ICMP.
    Other,
}

/// An IPv4 packet whose header is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    bytes: Vec<u8>,
    /// Where what it carries begins.
    payload: usize,
}

impl Packet {
    /// `None` for what is no IPv4 packet.
    pub fn parse(bytes: Vec<u8>) -> Option<Self> {
        let first = *bytes.first()?;
        let payload = usize::from(first & 15) * 4;
        let whole = first >> 4 == 4 && payload >= HEADER && bytes.len() >= payload;
        whole.then_some(Self { bytes, payload })
    }

    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its length in bytes, header and all.
    #[expect(clippy::len_without_is_empty, reason = "it has a header")]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What it carries.
    pub fn protocol(&self) -> Protocol {
        match self.bytes[9] {
            6 => Protocol::Tcp,
            17 => Protocol::Udp,
            _ => Protocol::Other,
        }
    }

    /// Who sent it.
    pub fn source(&self) -> Ipv4Addr {
        self.address(SOURCE)
    }

    /// Whom it is for.
    pub fn destination(&self) -> Ipv4Addr {
        self.address(DESTINATION)
    }

    /// Source and destination port of TCP and UDP. `None` for others, and for a fragment that is
    /// not the first, which has none.
    pub fn ports(&self) -> Option<(u16, u16)> {
        if self.protocol() == Protocol::Other || !self.is_first() {
            return None;
        }
        let port = |at| Some(u16::from_be_bytes([*self.bytes.get(at)?, *self.bytes.get(at + 1)?]));
        Some((port(self.payload)?, port(self.payload + 2)?))
    }

    /// Says that it comes from `address`.
    pub fn set_source(&mut self, address: Ipv4Addr) {
        self.set_address(SOURCE, address);
    }

    /// Sends it to `address` instead.
    pub fn set_destination(&mut self, address: Ipv4Addr) {
        self.set_address(DESTINATION, address);
    }

    fn is_first(&self) -> bool {
        u16::from_be_bytes([self.bytes[6], self.bytes[7]]) & 0x1fff == 0
    }

    fn address(&self, at: usize) -> Ipv4Addr {
        let b = &self.bytes[at..at + 4];
        Ipv4Addr::new(b[0], b[1], b[2], b[3])
    }

    fn set_address(&mut self, at: usize, address: Ipv4Addr) {
        let old = self.address(at).octets();
        self.bytes[at..at + 4].copy_from_slice(&address.octets());
        self.correct(CHECKSUM, old, address.octets());
        // TCP and UDP sum up the addresses too.
        let sum = match self.protocol() {
            Protocol::Tcp => self.payload + 16,
            Protocol::Udp => self.payload + 6,
            Protocol::Other => return,
        };
        if !self.is_first() || self.bytes.len() < sum + 2 {
            return;
        }
        let without = self.protocol() == Protocol::Udp && self.bytes[sum..sum + 2] == [0, 0];
        if !without {
            self.correct(sum, old, address.octets());
        }
    }

    /// Corrects the checksum at `at` for bytes that have changed (RFC 1624).
    fn correct(&mut self, at: usize, old: [u8; 4], new: [u8; 4]) {
        let word = |high, low| u32::from(u16::from_be_bytes([high, low]));
        let mut sum = 0xffff - word(self.bytes[at], self.bytes[at + 1]);
        for i in [0, 2] {
            sum += 0xffff - word(old[i], old[i + 1]) + word(new[i], new[i + 1]);
        }
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        let sum = 0xffff - sum as u16;
        self.bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The one's complement sum of RFC 1071, which is 0 where the checksum is right.
    fn checksum(parts: &[&[u8]]) -> u16 {
        let mut sum = 0_u32;
        for part in parts {
            for word in part.chunks(2) {
                let low = word.get(1).copied().unwrap_or(0);
                sum += u32::from(u16::from_be_bytes([word[0], low]));
            }
        }
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }

    fn pseudo(packet: &Packet) -> Vec<u8> {
        let mut pseudo = [packet.source().octets(), packet.destination().octets()].concat();
        let length = packet.len() - HEADER;
        pseudo.extend([0, packet.bytes[9]]);
        pseudo.extend((length as u16).to_be_bytes());
        pseudo
    }

    /// A packet with right checksums, of `length` bytes in all.
    pub(crate) fn packet(
        protocol: Protocol,
        from: (Ipv4Addr, u16),
        to: (Ipv4Addr, u16),
        length: usize,
    ) -> Packet {
        let mut bytes = vec![0; length];
        bytes[0] = 0x45;
        bytes[2..4].copy_from_slice(&(length as u16).to_be_bytes());
        bytes[8] = 64;
        let sum_at = match protocol {
            Protocol::Tcp => Some(HEADER + 16),
            Protocol::Udp => Some(HEADER + 6),
            Protocol::Other => None,
        };
        bytes[9] = match protocol {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Other => 1,
        };
        bytes[12..16].copy_from_slice(&from.0.octets());
        bytes[16..20].copy_from_slice(&to.0.octets());
        if sum_at.is_some() {
            bytes[20..22].copy_from_slice(&from.1.to_be_bytes());
            bytes[22..24].copy_from_slice(&to.1.to_be_bytes());
        }
        let sum = checksum(&[&bytes[..HEADER]]);
        bytes[CHECKSUM..CHECKSUM + 2].copy_from_slice(&sum.to_be_bytes());
        let mut packet = Packet::parse(bytes).unwrap();
        if let Some(at) = sum_at {
            let sum = checksum(&[&pseudo(&packet), &packet.bytes[HEADER..]]);
            packet.bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        }
        packet
    }

    const ANN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const BOB: Ipv4Addr = Ipv4Addr::new(192, 168, 255, 254);
    const EVE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 77);

    #[test]
    fn addresses_ports_and_protocol_are_read() {
        let packet = packet(Protocol::Udp, (ANN, 1000), (BOB, 53), 60);
        assert_eq!((packet.source(), packet.destination()), (ANN, BOB));
        assert_eq!((packet.protocol(), packet.ports()), (Protocol::Udp, Some((1000, 53))));
        assert_eq!(packet.len(), 60);
    }

    #[test]
    fn checksums_are_right_after_an_address_has_changed() {
        for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Other] {
            for length in [64, 65, 1500] {
                let mut packet = packet(protocol, (ANN, 1), (BOB, 2), length);
                packet.set_source(EVE);
                packet.set_destination(ANN);
                assert_eq!((packet.source(), packet.destination()), (EVE, ANN));
                assert_eq!(checksum(&[&packet.bytes[..HEADER]]), 0);
                if protocol != Protocol::Other {
                    let sum = checksum(&[&pseudo(&packet), &packet.bytes[HEADER..]]);
                    assert_eq!(sum, 0, "{protocol:?} of {length} bytes");
                }
            }
        }
    }

    #[test]
    fn udp_without_a_checksum_stays_without() {
        let mut packet = packet(Protocol::Udp, (ANN, 1), (BOB, 2), 64);
        packet.bytes[HEADER + 6..HEADER + 8].fill(0);
        packet.set_source(EVE);
        assert_eq!(packet.bytes[HEADER + 6..HEADER + 8], [0, 0]);
    }

    #[test]
    fn a_later_fragment_has_no_ports_and_its_bytes_stay() {
        let mut packet = packet(Protocol::Udp, (ANN, 1), (BOB, 2), 64);
        packet.bytes[7] = 8;
        let payload = packet.bytes[HEADER..].to_vec();
        packet.set_source(EVE);
        assert_eq!(packet.ports(), None);
        assert_eq!(packet.bytes[HEADER..], payload);
    }

    #[test]
    fn what_is_no_ipv4_packet_is_none() {
        for bytes in [vec![], vec![0x60; 40], vec![0x45; 19], vec![0x44; 40], vec![0x4f; 40]] {
            assert_eq!(Packet::parse(bytes), None);
        }
    }
}
