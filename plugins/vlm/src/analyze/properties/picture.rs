//! How a frame becomes the picture that is sent.

use gst::{glib, prelude::*};

use super::{super::settings, Effect, Parsed, Property, text};
use gst_vlm_jpeg::EncoderDescription;

pub(super) fn properties() -> Vec<Property> {
    vec![
        Property {
            spec: glib::ParamSpecUInt::builder("max-size")
                .nick("Max size")
                .blurb("Longest edge of the picture that is sent, in pixels; 0 = the frame's size")
                .default_value(settings::DEFAULT_MAX_SIZE)
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.max_size = value.get().unwrap_or_default();
                Effect::NextQuestion
            },
            get: Some(|settings| settings.max_size.to_value()),
        },
        Property {
            spec: glib::ParamSpecUInt::builder("jpeg-quality")
                .nick("JPEG quality")
                .blurb("Quality of the picture that is sent")
                .minimum(1)
                .maximum(100)
                .default_value(settings::DEFAULT_JPEG_QUALITY)
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.jpeg_quality = value.get().unwrap_or(settings::DEFAULT_JPEG_QUALITY);
                Effect::NextQuestion
            },
            get: Some(|settings| settings.jpeg_quality.to_value()),
        },
    ]
}

/// The one whose value is tried before the settings are locked: that makes its elements.
pub(super) fn parsed() -> Vec<Parsed> {
    vec![Parsed {
        spec: glib::ParamSpecString::builder("jpeg-encoder")
            .nick("JPEG encoder")
            .blurb(
                "Elements that make the JPEG, as for gst-launch-1.0, such as \"jpegenc \
                 quality=50\". jpeg-quality does not apply to them, and max-size only for frames in \
                 ordinary memory; empty = chosen by the frames' memory",
            )
            .default_value("")
            .mutable_playing()
            .build(),
        parse: |value| {
            let encoder = EncoderDescription::new(&text(value));
            if let Some(encoder) = &encoder {
                encoder.check().map_err(|error| error.to_string())?;
            }
            Ok(Box::new(|settings| {
                let before = std::mem::replace(&mut settings.jpeg_encoder, encoder);
                (Effect::NextQuestion, Box::new(before))
            }))
        },
        get: Some(|settings| {
            let encoder = settings.jpeg_encoder.as_ref();
            encoder.map(EncoderDescription::text).unwrap_or_default().to_value()
        }),
    }]
}
