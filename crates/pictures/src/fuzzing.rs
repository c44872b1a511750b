//! What `cargo fuzz` calls; see `docs/fuzzing.md`. The tests replay its corpus.

use crate::{Jpeg, MAX_EDGE, MAX_PIXELS, PictureMessage, Pixels};

/// A page's message with a picture.
///
/// # Panics
/// When one is taken that is larger than allowed, or that is not the same when it is read again;
/// when something is left in it that is not of the picture.
pub fn picture(data: &[u8]) {
    let Ok(message) = PictureMessage::read(data) else { return };
    let Ok(jpeg) = Jpeg::read(message.jpeg) else { return };
    assert!(jpeg.bytes().len() <= message.jpeg.len());
    assert!(jpeg.width().max(jpeg.height()) <= MAX_EDGE);
    assert!(jpeg.width() * jpeg.height() <= MAX_PIXELS);
    let Ok(again) = Jpeg::read(jpeg.bytes()) else { panic!("it is not read again") };
    assert_eq!(again.bytes(), jpeg.bytes());
    assert_eq!(again.orientation(), 1);
    // Not for so long that nothing else is tried.
    if jpeg.width() * jpeg.height() <= 256 * 256
        && let Ok(pixels) = Pixels::coloured(&jpeg)
    {
        pixels.thumbnail();
        assert!(pixels.fitted(16).is_ok());
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_corpus_is_read_as_it_should_be() {
        live_vlm_corpus::replay("picture", super::picture);
    }
}
