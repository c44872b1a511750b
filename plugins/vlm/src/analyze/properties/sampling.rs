//! Which frames are asked about.

use gst::{glib, prelude::*};

use super::{
    super::settings::{self, Busy},
    Effect, Property, nanos, time,
};

pub(super) fn properties() -> Vec<Property> {
    vec![
        Property {
            spec: glib::ParamSpecBoolean::builder("ask")
                .nick("Ask")
                .blurb(
                    "Whether the element asks. With FALSE the video passes, a question that waits \
                     for its turn is given up, and one in flight is still answered",
                )
                .default_value(true)
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.ask = value.get().unwrap_or(true);
                Effect::Schedule
            },
            get: Some(|settings| settings.ask.to_value()),
        },
        Property {
            spec: glib::ParamSpecUInt64::builder("interval")
                .nick("Interval")
                .blurb(
                    "Time between two samples, by the video's timestamps, in ns; 0 = every frame",
                )
                .default_value(nanos(settings::DEFAULT_INTERVAL))
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.interval = time(value);
                Effect::Schedule
            },
            get: Some(|settings| nanos(settings.interval).to_value()),
        },
        Property {
            spec: glib::ParamSpecUInt::builder("every-n-frames")
                .nick("Every n frames")
                .blurb("Take every n-th frame as a sample instead of going by interval; 0 = off")
                .default_value(settings::DEFAULT_EVERY_N_FRAMES)
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.every_n_frames = value.get().unwrap_or_default();
                Effect::Schedule
            },
            get: Some(|settings| settings.every_n_frames.to_value()),
        },
        Property {
            spec: glib::ParamSpecUInt::builder("frames")
                .nick("Frames")
                .blurb(
                    "How many frames one question shows, oldest first. With more than 1, the \
                     element holds as many in memory",
                )
                .minimum(1)
                .maximum(settings::MOST_FRAMES)
                .default_value(settings::DEFAULT_FRAMES)
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.frames = value.get().unwrap_or(settings::DEFAULT_FRAMES);
                Effect::Schedule
            },
            get: Some(|settings| settings.frames.to_value()),
        },
        Property {
            spec: glib::ParamSpecUInt64::builder("frame-spacing")
                .nick("Frame spacing")
                .blurb("Time between the frames of one question, by their timestamps, in ns")
                .minimum(1_000_000)
                .default_value(nanos(settings::DEFAULT_FRAME_SPACING))
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.frame_spacing = time(value);
                Effect::Schedule
            },
            get: Some(|settings| nanos(settings.frame_spacing).to_value()),
        },
        Property {
            spec: glib::ParamSpecDouble::builder("min-change")
                .nick("Minimum change")
                .blurb(
                    "Do not ask while less than this share of the picture has changed since the \
                     last frame that was asked about; 0.02 = something as large as 2% of the \
                     picture; 0 = off. Only frames in ordinary memory are compared",
                )
                .minimum(0.0)
                .maximum(1.0)
                .default_value(settings::DEFAULT_MIN_CHANGE)
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.min_change = value.get().unwrap_or(settings::DEFAULT_MIN_CHANGE);
                Effect::NextQuestion
            },
            get: Some(|settings| settings.min_change.to_value()),
        },
        Property {
            spec: glib::ParamSpecBoolean::builder("on-demand")
                .nick("On demand")
                .blurb(
                    "Request a key frame upstream before each question, for sources that send \
                     frames only on request. The interval then goes by the clock",
                )
                .default_value(false)
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.on_demand = value.get().unwrap_or_default();
                Effect::Schedule
            },
            get: Some(|settings| settings.on_demand.to_value()),
        },
        Property {
            spec: glib::ParamSpecEnum::builder_with_default("busy", Busy::default())
                .nick("Busy")
                .blurb("What to do with samples while the VLM is busy")
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.busy = value.get().unwrap_or_default();
                Effect::Schedule
            },
            get: Some(|settings| settings.busy.to_value()),
        },
        Property {
            spec: glib::ParamSpecUInt64::builder("max-age")
                .nick("Max age")
                .blurb(
                    "Do not ask about a sample that is older than this when its turn comes, in ns; \
                     0 = off",
                )
                .default_value(nanos(settings::DEFAULT_MAX_AGE))
                .mutable_playing()
                .build(),
            set: |settings, value| {
                settings.max_age = time(value);
                Effect::NextQuestion
            },
            get: Some(|settings| nanos(settings.max_age).to_value()),
        },
    ]
}
