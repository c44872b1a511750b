//! An encoder that the user has named.

use std::sync::Arc;

use gst::prelude::*;

use super::EncodeError;

/// A part of a pipeline that makes JPEG of frames, in `gst-launch-1.0`'s language. It is used as
/// it is; none of its properties is touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncoderDescription(Arc<str>);

impl EncoderDescription {
    /// `None` if nothing is written.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.into()))
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Makes the elements and drops them again.
    ///
    /// # Errors
    /// When it does not parse, when an element is not installed, or when what comes out cannot be
    /// JPEG.
    pub fn check(&self) -> Result<(), EncodeError> {
        self.make().map(drop)
    }

    /// A bin of the elements, with the pads `sink` and `src`.
    pub(super) fn make(&self) -> Result<gst::Element, EncodeError> {
        let bad = |reason: &str| EncodeError::BadDescription {
            description: self.text().to_owned(),
            reason: reason.to_owned(),
        };
        let bin = gst::parse::bin_from_description_full(
            self.text(),
            true,
            None,
            gst::ParseFlags::FATAL_ERRORS,
        )
        .map_err(|error| bad(error.message()))?;
        if bin.static_pad("sink").is_none() {
            return Err(bad("it takes no frames: no element has a free input"));
        }
        let Some(out) = bin.static_pad("src") else {
            return Err(bad("it gives nothing: no element has a free output"));
        };
        let jpeg = gst::Caps::new_empty_simple("image/jpeg");
        let gives = out.query_caps(None);
        if !gives.can_intersect(&jpeg) {
            let kind = gives.structure(0).map_or("nothing", |gives| gives.name().as_str());
            return Err(bad(&format!("it gives {kind}, not image/jpeg; end it with jpegenc")));
        }
        Ok(bin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        gst::init().unwrap();
        EncoderDescription::new(text).unwrap().check().unwrap_err().to_string()
    }

    #[test]
    fn what_makes_jpeg_is_taken() {
        gst::init().unwrap();
        for text in ["jpegenc", " jpegenc quality=50 ", "videoconvert ! queue ! jpegenc name=a"] {
            EncoderDescription::new(text).unwrap().check().unwrap();
        }
    }

    #[test]
    fn nothing_is_none() {
        assert_eq!(EncoderDescription::new(" "), None);
    }

    #[test]
    fn what_cannot_make_jpeg_is_refused_with_the_reason() {
        for (text, reason) in [
            ("videoscale ! ! jpegenc", "syntax"),
            ("!", "syntax"),
            ("no-such-element ! jpegenc", "no-such-element"),
            ("jpegenc no-such-property=1", "no-such-property"),
            ("jpegenc ! fakesink", "no element has a free output"),
            ("videotestsrc ! jpegenc", "no element has a free input"),
            ("videoconvert ! pngenc", "image/png"),
            ("videoscale ! videoconvert", "not image/jpeg"),
            ("pngenc ! jpegenc", "link"),
        ] {
            let error = refused(text);
            assert!(error.contains(reason) && error.contains(text), "{text}: {error}");
        }
    }
}
