//! The message in which a page sends a picture.

use std::time::Duration;

/// A page's binary message: 4 bytes of the number that it answers, 4 bytes of the picture's age in
/// ms when it was sent, both with the highest byte first, then the JPEG.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureMessage<'a> {
    /// The number of the `frame_wanted` that it answers.
    pub seq: u32,
    /// How old the picture was when it was sent.
    pub age: Duration,
    /// What is to be a JPEG.
    pub jpeg: &'a [u8],
}

/// The message is too short to say what it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a picture comes after 8 bytes: the number of its frame_wanted, and its age in milliseconds"
)]
pub struct NoHeader;

impl<'a> PictureMessage<'a> {
    /// The bytes before the JPEG.
    pub const HEADER: usize = 8;

    /// Reads a message.
    ///
    /// # Errors
    /// When it is shorter than its header.
    pub fn read(bytes: &'a [u8]) -> Result<Self, NoHeader> {
        let (seq, rest) = bytes.split_first_chunk().ok_or(NoHeader)?;
        let (age, jpeg) = rest.split_first_chunk().ok_or(NoHeader)?;
        let age = Duration::from_millis(u32::from_be_bytes(*age).into());
        Ok(Self { seq: u32::from_be_bytes(*seq), age, jpeg })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_age_are_read_highest_byte_first() {
        let message = PictureMessage::read(&[0, 0, 1, 2, 0, 0, 0, 40, 0xFF, 0xD8]).unwrap();
        let age = Duration::from_millis(40);
        assert_eq!(message, PictureMessage { seq: 258, age, jpeg: &[0xFF, 0xD8] });
        assert_eq!(PictureMessage::read(&[0; 8]).unwrap().jpeg, [0; 0]);
    }

    #[test]
    fn a_message_without_its_header_is_refused() {
        for length in 0..8 {
            assert_eq!(PictureMessage::read(&vec![0; length]), Err(NoHeader));
        }
    }
}
