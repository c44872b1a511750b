use super::Refusal;

/// Reads bits from the most significant one of the first byte on, as VP9 and H.264 write them.
pub(super) struct Bits<I> {
    bytes: I,
    byte: u8,
    /// Bits of `byte` that are still to be read.
    left: u32,
}

impl<I: Iterator<Item = u8>> Bits<I> {
    pub(super) fn new(bytes: I) -> Self {
        Self { bytes, byte: 0, left: 0 }
    }

    pub(super) fn flag(&mut self) -> Result<bool, Refusal> {
        if self.left == 0 {
            self.byte = self.bytes.next().ok_or(Refusal::Unreadable)?;
            self.left = 8;
        }
        self.left -= 1;
        Ok(self.byte >> self.left & 1 == 1)
    }

    /// An unsigned number of so many bits, 32 at most.
    pub(super) fn number(&mut self, bits: u32) -> Result<u32, Refusal> {
        (0..bits).try_fold(0, |number, _| Ok(number << 1 | u32::from(self.flag()?)))
    }

    /// An Exp-Golomb code, `ue(v)` (ITU-T H.264, 9.1).
    pub(super) fn golomb(&mut self) -> Result<u32, Refusal> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return Err(Refusal::Unreadable);
            }
        }
        Ok((1 << zeros) - 1 + self.number(zeros)?)
    }

    /// A signed Exp-Golomb code, `se(v)` (ITU-T H.264, 9.1.1).
    pub(super) fn signed_golomb(&mut self) -> Result<i64, Refusal> {
        let code = i64::from(self.golomb()?);
        Ok(if code % 2 == 1 { (code + 1) / 2 } else { -code / 2 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(bytes: &[u8]) -> Bits<impl Iterator<Item = u8>> {
        Bits::new(bytes.iter().copied())
    }

    #[test]
    fn numbers_go_over_the_ends_of_bytes() {
        let mut bits = bits(&[0b1010_0000, 0b1111_1111, 0b0000_0001]);
        assert!(bits.flag().unwrap());
        assert_eq!(bits.number(7), Ok(0b010_0000));
        assert_eq!(bits.number(16), Ok(0xFF01));
        assert_eq!(bits.flag(), Err(Refusal::Unreadable));
    }

    #[test]
    fn golomb_codes_are_read_as_the_standards_tables_have_them() {
        // 1, 010, 011, 00100, 00111, 0001000
        let codes = [0b1010_0110, 0b0100_0011, 0b1000_1000];
        let mut unsigned = bits(&codes);
        let read: Vec<u32> = (0..6).map(|_| unsigned.golomb().unwrap()).collect();
        assert_eq!(read, [0, 1, 2, 3, 6, 7]);
        let mut signed = bits(&codes);
        let read: Vec<i64> = (0..6).map(|_| signed.signed_golomb().unwrap()).collect();
        assert_eq!(read, [0, 1, -1, 2, -3, 4]);
        // The largest there is, and one more zero.
        let largest = [0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF];
        assert_eq!(bits(&largest).golomb(), Ok(u32::MAX - 1));
        assert_eq!(bits(&[0, 0, 0, 0, 0x80]).golomb(), Err(Refusal::Unreadable));
    }
}
