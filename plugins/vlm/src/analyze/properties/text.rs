//! What the text pad says.

use gst::{glib, prelude::*};

use super::{super::settings::TextFormat, Effect, Property};

pub(super) fn properties() -> Vec<Property> {
    vec![Property {
        spec: glib::ParamSpecEnum::builder_with_default("text-format", TextFormat::default())
            .nick("Text format")
            .blurb("What the pad text gets")
            .mutable_playing()
            .build(),
        set: |settings, value| {
            settings.text_format = value.get().unwrap_or_default();
            Effect::NextQuestion
        },
        get: Some(|settings| settings.text_format.to_value()),
    }]
}
