//! Answers as text over the picture.

use gst::{glib, prelude::*};

use super::{Effect, Property, text};
use gst_vlm_overlay::{OverlayMode, OverlayPosition, defaults};

pub(super) fn properties() -> Vec<Property> {
    vec![
        Property {
            spec: glib::ParamSpecEnum::builder_with_default("overlay", OverlayMode::default())
                .nick("Overlay")
                .blurb(
                    "How to show the newest answer, or the one that is being written, as text over \
                     the picture",
                )
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.overlay.mode = value.get().unwrap_or_default();
                Effect::Overlay
            },
            get: Some(|settings| settings.overlay.mode.to_value()),
        },
        Property {
            spec: glib::ParamSpecEnum::builder_with_default(
                "overlay-position",
                OverlayPosition::default(),
            )
            .nick("Overlay position")
            .blurb("Where in the picture the text is")
            .mutable_playing()
            .build(),
            set: |settings, value| {
                settings.overlay.look.position = value.get().unwrap_or_default();
                Effect::Overlay
            },
            get: Some(|settings| settings.overlay.look.position.to_value()),
        },
        Property {
            spec: glib::ParamSpecString::builder("overlay-font")
                .nick("Overlay font")
                .blurb(
                    "Pango font description, for example \"Sans Bold\"; a size in it overrides \
                     overlay-text-size",
                )
                .default_value(defaults::FONT)
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.overlay.look.font = text(value);
                Effect::Overlay
            },
            get: Some(|settings| settings.overlay.look.font.to_value()),
        },
        Property {
            spec: glib::ParamSpecDouble::builder("overlay-text-size")
                .nick("Overlay text size")
                .blurb(
                    "Size of the font as a share of the picture's shorter edge, at least 8 pixels",
                )
                .minimum(0.01)
                .maximum(0.5)
                .default_value(defaults::TEXT_SIZE)
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.overlay.look.text_size = value.get().unwrap_or(defaults::TEXT_SIZE);
                Effect::Overlay
            },
            get: Some(|settings| settings.overlay.look.text_size.to_value()),
        },
        Property {
            spec: glib::ParamSpecUInt::builder("overlay-max-lines")
                .nick("Overlay max lines")
                .blurb(
                    "The most lines of text. A longer answer shows its newest lines while it is \
                     being written, and its first lines when it is complete; 0 = as many as fit",
                )
                .default_value(defaults::MAX_LINES)
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.overlay.look.max_lines = value.get().unwrap_or(defaults::MAX_LINES);
                Effect::Overlay
            },
            get: Some(|settings| settings.overlay.look.max_lines.to_value()),
        },
        Property {
            spec: glib::ParamSpecDouble::builder("overlay-width")
                .nick("Overlay width")
                .blurb("The widest that the text may be, as a share of the picture's width")
                .minimum(0.1)
                .maximum(1.0)
                .default_value(defaults::WIDTH)
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.overlay.look.width = value.get().unwrap_or(defaults::WIDTH);
                Effect::Overlay
            },
            get: Some(|settings| settings.overlay.look.width.to_value()),
        },
        Property {
            spec: glib::ParamSpecUInt::builder("overlay-color")
                .nick("Overlay color")
                .blurb("Color of the text, as 0xAARRGGBB; its outline is black or white")
                .default_value(defaults::COLOR)
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.overlay.look.color = value.get().unwrap_or(defaults::COLOR);
                Effect::Overlay
            },
            get: Some(|settings| settings.overlay.look.color.to_value()),
        },
        Property {
            spec: glib::ParamSpecUInt::builder("overlay-background")
                .nick("Overlay background")
                .blurb("Color behind the text, as 0xAARRGGBB; 0 = none")
                .default_value(defaults::BACKGROUND)
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.overlay.look.background = value.get().unwrap_or(defaults::BACKGROUND);
                Effect::Overlay
            },
            get: Some(|settings| settings.overlay.look.background.to_value()),
        },
    ]
}
