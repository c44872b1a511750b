//! Packets with video (RFC 3550) that nearly are in order.

/// Packets that are left alone at first, of every other peer: a decoder that has begun is another.
const BEGINNING: usize = 40;
/// Payloads that are kept to be put into other packets.
const KEPT: usize = 32;
/// Bytes that are the edge of something, in one codec or another.
const EDGES: [u8; 12] = [0, 1, 2, 0x10, 0x1F, 0x20, 0x7F, 0x80, 0x81, 0xC0, 0xFE, 0xFF];
/// Where the headers of payloads end, at the latest.
const HEADERS: usize = 24;

/// Changes some packets of one peer. The same seed changes the same packets in the same way.
#[derive(Debug)]
pub(crate) struct Mutation {
    random: fastrand::Rng,
    /// One packet of so many is changed.
    rarity: usize,
    left_alone: usize,
    /// Whether headers stay as they are, so that a decoder gets to see the rest.
    is_deep: bool,
    kept: Vec<Vec<u8>>,
}

impl Mutation {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let rarity = [1, 2, 5, 20][random.usize(..4)];
        let left_alone = if random.bool() { BEGINNING } else { 0 };
        let is_deep = random.bool();
        Self { random, rarity, left_alone, is_deep, kept: Vec::new() }
    }

    /// Changes the packet, perhaps; whether it did.
    pub(crate) fn change(&mut self, packet: &mut Vec<u8>) -> bool {
        let Some(begin) = payload(packet) else { return false };
        let mut own = packet.split_off(begin);
        self.keep(&own);
        let changes = match self.left_alone.checked_sub(1) {
            Some(left) => {
                self.left_alone = left;
                0
            }
            None if self.random.usize(..self.rarity) == 0 => self.random.usize(1..4),
            None => 0,
        };
        for _ in 0..changes {
            self.change_payload(&mut own);
        }
        if changes > 0 && self.random.usize(..8) == 0 {
            self.change_header(packet);
        }
        packet.append(&mut own);
        changes > 0
    }

    fn keep(&mut self, payload: &[u8]) {
        if self.kept.len() < KEPT {
            self.kept.push(payload.to_vec());
        } else {
            let place = self.random.usize(..KEPT);
            self.kept[place] = payload.to_vec();
        }
    }

    fn change_payload(&mut self, payload: &mut Vec<u8>) {
        let at = self.place(payload);
        let to = self.random.usize(at..=payload.len());
        match self.random.u8(..10) {
            0 | 1 => payload.iter_mut().skip(at).take(1).for_each(|byte| {
                *byte ^= 1 << self.random.u8(..8);
            }),
            2 | 3 => payload.iter_mut().skip(at).take(1).for_each(|byte| {
                *byte = EDGES[self.random.usize(..EDGES.len())];
            }),
            4 => payload[at..to].iter_mut().for_each(|byte| *byte = self.random.u8(..)),
            5 => payload.truncate(at),
            6 => drop(payload.drain(at..to)),
            7 => {
                let again = payload[at..to].to_vec();
                payload.splice(at..at, again);
            }
            8 if !self.is_deep => *payload = self.other(),
            _ => {
                let other = self.other();
                payload.truncate(at);
                payload.extend_from_slice(&other[at.min(other.len())..]);
            }
        }
        // So that it still fits into a packet.
        payload.truncate(1400);
    }

    /// A place in it, and more often than not in its headers, unless those stay as they are.
    fn place(&mut self, payload: &[u8]) -> usize {
        let headers = HEADERS.min(payload.len());
        if self.is_deep {
            return self.random.usize(headers..=payload.len());
        }
        let end = if self.random.usize(..3) == 0 { payload.len() } else { headers };
        self.random.usize(..=end)
    }

    fn other(&mut self) -> Vec<u8> {
        let place = self.random.usize(..self.kept.len().max(1));
        self.kept.get(place).cloned().unwrap_or_default()
    }

    /// The marker, the sequence number, or the time.
    fn change_header(&mut self, header: &mut [u8]) {
        match self.random.u8(..3) {
            0 => header[1] ^= 0x80,
            1 => header[3] = header[3].wrapping_add(self.random.u8(..)),
            _ => header[4..8].iter_mut().for_each(|byte| *byte = self.random.u8(..)),
        }
    }
}

/// Where the payload begins.
fn payload(packet: &[u8]) -> Option<usize> {
    let fixed = 12 + 4 * usize::from(packet.first()? & 0x0F);
    if packet[0] & 0x10 == 0 {
        return (packet.len() >= fixed).then_some(fixed);
    }
    let length = packet.get(fixed + 2..fixed + 4)?;
    let begin = fixed + 4 + 4 * usize::from(u16::from_be_bytes([length[0], length[1]]));
    (packet.len() >= begin).then_some(begin)
}
