//! Which RTP packets a depayloader may see (RFC 3550).

use crate::Codec;

/// Types of packets with H.264 in them (RFC 6184, section 5.2).
const STAP_A: u8 = 24;
const STAP_B: u8 = 25;
const FU_A: u8 = 28;
const FU_B: u8 = 29;
/// NAL units with parts of a picture.
const SLICES: std::ops::RangeInclusive<u8> = 1..=5;

/// Whether a depayloader can take it. That of H.264 reads and writes beyond fragments that end too
/// early (seen in GStreamer 1.22): one packet ended the process.
pub(crate) fn is_whole(codec: Codec, packet: &[u8]) -> bool {
    match (codec, payload(packet)) {
        (Codec::H264, Some(payload)) => has_whole_units(payload),
        // The others look themselves.
        (_, payload) => payload.is_some(),
    }
}

/// What is between header and padding; none where nobody can tell.
fn payload(packet: &[u8]) -> Option<&[u8]> {
    let (fixed, rest) = packet.split_first_chunk::<12>()?;
    let has = |bit: u8| fixed[0] & bit != 0;
    let mut rest = rest.get(4 * usize::from(fixed[0] & 0x0F)..)?;
    if has(0x10) {
        let (extension, behind) = rest.split_first_chunk::<4>()?;
        let words = u16::from_be_bytes([extension[2], extension[3]]);
        rest = behind.get(4 * usize::from(words)..)?;
    }
    let padding = if has(0x20) { usize::from(*rest.last()?) } else { 0 };
    rest.get(..rest.len().checked_sub(padding)?)
}

fn has_whole_units(payload: &[u8]) -> bool {
    let Some(first) = payload.first() else { return true };
    match first & 0x1F {
        STAP_A => payload.get(1..).is_some_and(are_whole),
        STAP_B => payload.get(3..).is_some_and(are_whole),
        FU_A | FU_B => payload.len() > 2,
        _ => is_unit(payload),
    }
}

/// Units that lie behind each other, each behind its length. The last may be cut off.
fn are_whole(mut units: &[u8]) -> bool {
    while let [high, low, rest @ ..] = units
        && !rest.is_empty()
    {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        if !is_unit(&rest[..length]) {
            return false;
        }
        units = &rest[length..];
    }
    true
}

fn is_unit(unit: &[u8]) -> bool {
    match unit {
        [] => false,
        // Some have no content, such as the end of a sequence.
        [header] => !SLICES.contains(&(header & 0x1F)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(first: u8, between: &[u8], payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; 12];
        packet[0] = first;
        [&packet, between, payload].concat()
    }

    fn is_taken(payload: &[u8]) -> bool {
        is_whole(Codec::H264, &packet(0x80, &[], payload))
    }

    #[test]
    fn fragments_without_content_are_not_taken() {
        for (payload, taken) in [
            (&[0x7C][..], false),
            (&[0x7C, 0x85], false),
            (&[0x7C, 0x05], false),
            (&[0x7C, 0x05, 1], true),
            (&[0x7D], false),
            (&[0x41], false),
            (&[0x41, 1], true),
            // The end of a sequence, and a packet with nothing in it.
            (&[0x0A], true),
            (&[], true),
        ] {
            assert_eq!(is_taken(payload), taken, "{payload:?}");
        }
    }

    #[test]
    fn every_unit_of_several_in_a_packet_must_be_whole() {
        for (payload, taken) in [
            (&[0x78, 0, 2, 0x41, 1, 0, 2, 0x41, 1][..], true),
            (&[0x78, 0, 2, 0x41, 1, 0, 1, 0x41], false),
            (&[0x78, 0, 9, 0x41, 1], true),
            (&[0x78, 0, 9, 0x41], false),
            (&[0x78, 0, 0, 0x41], false),
            (&[0x78], true),
            (&[0x78, 0, 2], true),
            (&[0x79], false),
            (&[0x79, 0, 0, 0, 2, 0x41, 1], true),
            (&[0x79, 0, 0, 0, 1, 0x41], false),
        ] {
            assert_eq!(is_taken(payload), taken, "{payload:?}");
        }
    }

    #[test]
    fn the_payload_is_what_is_between_header_and_padding() {
        let sources = [0; 8];
        let extension = [0xBE, 0xDE, 0, 1, 0, 0, 0, 0];
        assert_eq!(payload(&packet(0x82, &sources, &[7])), Some(&[7][..]));
        assert_eq!(payload(&packet(0x90, &extension, &[7])), Some(&[7][..]));
        assert_eq!(payload(&packet(0xA0, &[], &[7, 0, 2])), Some(&[7][..]));
        for broken in [
            packet(0x82, &[0; 7], &[]),
            packet(0x90, &extension[..6], &[]),
            packet(0xA0, &[], &[7, 0, 4]),
            packet(0xA0, &[], &[]),
            vec![0x80; 11],
        ] {
            assert_eq!(payload(&broken), None, "{broken:?}");
            assert!(!is_whole(Codec::Vp8, &broken));
        }
        let padded = packet(0xA0, &[], &[0x7C, 0x05, 9, 2]);
        assert!(!is_whole(Codec::H264, &padded));
    }
}
