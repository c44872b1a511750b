//! How a frame becomes the picture that is sent.

use gst::{glib, prelude::*};

use super::{super::settings, Effect, Property};

pub(super) fn properties() -> Vec<Property> {
    vec![
        Property {
            spec: glib::ParamSpecUInt::builder("max-size")
                .nick("Max size")
                .blurb("Longest edge of the picture that is sent, in pixels; 0 = as it comes")
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
