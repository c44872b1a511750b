//! The parts of a JPEG (ITU-T T.81, annex B): markers, and what follows them.

use crate::NotAPicture;

/// Start of image.
pub(crate) const SOI: u8 = 0xD8;
/// End of image.
pub(crate) const EOI: u8 = 0xD9;
/// Start of scan.
pub(crate) const SOS: u8 = 0xDA;

/// Goes from part to part.
#[derive(Debug)]
pub(crate) struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Segments<'a> {
    /// Of what begins as a JPEG does.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, NotAPicture> {
        match bytes {
            [0xFF, SOI, ..] => Ok(Self { bytes, at: 2 }),
            _ => Err(NotAPicture::NoJpeg),
        }
    }

    /// The next marker. Any number of 0xFF may be before it.
    pub(crate) fn marker(&mut self) -> Result<u8, NotAPicture> {
        if self.next()? != 0xFF {
            return Err(NotAPicture::Malformed("there is something between its segments"));
        }
        loop {
            let marker = self.next()?;
            if marker != 0xFF {
                return Ok(marker);
            }
        }
    }

    /// What a segment has after its marker and its length.
    pub(crate) fn body(&mut self) -> Result<&'a [u8], NotAPicture> {
        let length = usize::from(self.next()?) << 8 | usize::from(self.next()?);
        let Some(length) = length.checked_sub(2) else {
            return Err(NotAPicture::Malformed("a segment is shorter than its own length"));
        };
        let body = self.bytes.get(self.at..self.at + length).ok_or(NotAPicture::CutOff)?;
        self.at += length;
        Ok(body)
    }

    /// What a scan has after its header: all up to the next marker that is none of a scan.
    pub(crate) fn scan(&mut self) -> Result<&'a [u8], NotAPicture> {
        let began = self.at;
        loop {
            let rest = self.bytes.get(self.at..).ok_or(NotAPicture::CutOff)?;
            let found = memchr::memchr(0xFF, rest).ok_or(NotAPicture::CutOff)?;
            match rest.get(found + 1).ok_or(NotAPicture::CutOff)? {
                // Stuffed, and the marks at which a decoder begins anew.
                0 | 0xD0..=0xD7 => self.at += found + 2,
                0xFF => self.at += found + 1,
                _ => {
                    self.at += found;
                    return Ok(&self.bytes[began..self.at]);
                }
            }
        }
    }

    fn next(&mut self) -> Result<u8, NotAPicture> {
        let byte = *self.bytes.get(self.at).ok_or(NotAPicture::CutOff)?;
        self.at += 1;
        Ok(byte)
    }
}
