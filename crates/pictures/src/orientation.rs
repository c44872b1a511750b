//! Which way is up, as a camera has written it beside the picture (Exif 2.32, tag 0x0112).

const TAG: u16 = 0x0112;
const SHORT: u16 = 3;
/// The tag is in the first list, among a few dozen.
const MOST_TAGS: u16 = 512;

/// The orientation in what follows `Exif\0\0`, 1 to 8; `None` if it has none.
pub(crate) fn read(tiff: &[u8]) -> Option<u8> {
    let number = match tiff.first_chunk()? {
        b"II" => Number { short: u16::from_le_bytes, long: u32::from_le_bytes },
        b"MM" => Number { short: u16::from_be_bytes, long: u32::from_be_bytes },
        _ => return None,
    };
    if number.short(tiff, 2)? != 42 {
        return None;
    }
    let list = usize::try_from(number.long(tiff, 4)?).ok()?;
    let tags = number.short(tiff, list)?.min(MOST_TAGS);
    let mut tags = (0..usize::from(tags)).map_while(|nth| list.checked_add(2 + 12 * nth));
    let at = tags.find(|at| number.short(tiff, *at) == Some(TAG))?;
    if number.short(tiff, at + 2)? != SHORT || number.long(tiff, at + 4)? != 1 {
        return None;
    }
    let orientation = u8::try_from(number.short(tiff, at + 8)?).ok()?;
    (1..=8).contains(&orientation).then_some(orientation)
}

/// How numbers are written.
struct Number {
    short: fn([u8; 2]) -> u16,
    long: fn([u8; 4]) -> u32,
}

impl Number {
    fn short(&self, bytes: &[u8], at: usize) -> Option<u16> {
        bytes.get(at..)?.first_chunk().copied().map(self.short)
    }

    fn long(&self, bytes: &[u8], at: usize) -> Option<u32> {
        bytes.get(at..)?.first_chunk().copied().map(self.long)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// As a phone writes it: another tag before it.
    pub(crate) fn tiff(orientation: u16) -> Vec<u8> {
        let mut tiff = b"MM\0\x2A\0\0\0\x08\0\x02".to_vec();
        tiff.extend(b"\x01\x0F\0\x02\0\0\0\x04abc\0");
        tiff.extend(b"\x01\x12\0\x03\0\0\0\x01");
        tiff.extend(orientation.to_be_bytes());
        tiff.extend(b"\0\0");
        tiff
    }

    #[test]
    fn the_orientation_is_read_in_both_byte_orders() {
        assert_eq!(read(&tiff(6)), Some(6));
        let little = b"II\x2A\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0";
        assert_eq!(read(little), Some(3));
    }

    #[test]
    fn what_is_none_is_none() {
        assert_eq!((read(&tiff(0)), read(&tiff(9)), read(&tiff(262))), (None, None, None));
        let whole = tiff(6);
        for length in 0..whole.len() - 2 {
            assert_eq!(read(&whole[..length]), None, "{length}");
        }
        assert_eq!(read(b"II\x2A\0\xFF\xFF\xFF\xFF"), None);
    }
}
