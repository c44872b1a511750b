//! The element's properties: what they are called, their ranges and defaults, and which setting
//! each one reads and writes.

use std::{sync::LazyLock, time::Duration};

use gst::{glib, prelude::*};
use vlm_client::ApiKey;

use super::{
    settings::{self, Busy},
    shared::Shared,
};

/// What a changed property means for the asking task.
pub(crate) enum Effect {
    /// An answer in flight is worthless.
    Question,
    /// The same, and the key that the user had set was dropped with the server it was for.
    KeyDropped,
    /// When to ask has changed.
    Schedule,
    /// The next question is asked differently.
    NextQuestion,
}

pub(crate) static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
    let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    vec![
        glib::ParamSpecString::builder("api-base")
            .nick("API base")
            .blurb(
                "Base address of the OpenAI-compatible VLM server (environment: VLM_API_BASE). \
                 Setting another server drops the key: set api-key after it",
            )
            .default_value(settings::DEFAULT_API_BASE)
            .mutable_playing()
            .build(),
        glib::ParamSpecString::builder("api-key")
            .nick("API key")
            .blurb(
                "Key for the server at api-base; sent to no other and never read back \
                 (environment: VLM_API_KEY)",
            )
            .write_only()
            .mutable_playing()
            .build(),
        glib::ParamSpecString::builder("model")
            .nick("Model")
            .blurb(
                "Model to ask; empty = the first vision model that the server lists \
                 (environment: VLM_MODEL)",
            )
            .default_value("")
            .mutable_playing()
            .build(),
        glib::ParamSpecString::builder("prompt")
            .nick("Prompt")
            .blurb("What to ask about each sample; a change cancels the question in flight")
            .default_value(settings::DEFAULT_PROMPT)
            .mutable_playing()
            .build(),
        glib::ParamSpecString::builder("system-prompt")
            .nick("System prompt")
            .blurb("Instructions that go before the prompt; empty = none")
            .default_value("")
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt::builder("max-tokens")
            .nick("Max tokens")
            .blurb("The most tokens that an answer may have")
            .minimum(1)
            .default_value(settings::DEFAULT_MAX_TOKENS)
            .mutable_playing()
            .build(),
        glib::ParamSpecDouble::builder("temperature")
            .nick("Temperature")
            .blurb("Sampling temperature; negative = the server's default")
            .minimum(-1.0)
            .maximum(2.0)
            .default_value(settings::DEFAULT_TEMPERATURE)
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt64::builder("interval")
            .nick("Interval")
            .blurb("Time between two samples, by the video's timestamps, in ns; 0 = every frame")
            .default_value(nanos(settings::DEFAULT_INTERVAL))
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt::builder("every-n-frames")
            .nick("Every n frames")
            .blurb("Take every n-th frame as a sample instead of going by interval; 0 = off")
            .default_value(settings::DEFAULT_EVERY_N_FRAMES)
            .mutable_playing()
            .build(),
        glib::ParamSpecBoolean::builder("on-demand")
            .nick("On demand")
            .blurb(
                "Frames come only when asked for: request a key frame upstream before each \
                 question, and keep the interval by the clock",
            )
            .default_value(false)
            .mutable_playing()
            .build(),
        glib::ParamSpecEnum::builder_with_default("busy", Busy::default())
            .nick("Busy")
            .blurb("What to do with samples while the VLM is busy")
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt64::builder("max-age")
            .nick("Max age")
            .blurb(
                "A sample older than this when its turn comes is not asked about, in ns; 0 = off",
            )
            .default_value(nanos(settings::DEFAULT_MAX_AGE))
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt::builder("max-size")
            .nick("Max size")
            .blurb("Longest edge of the picture that is sent, in pixels; 0 = as it comes")
            .default_value(settings::DEFAULT_MAX_SIZE)
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt::builder("jpeg-quality")
            .nick("JPEG quality")
            .blurb("Quality of the picture that is sent")
            .minimum(1)
            .maximum(100)
            .default_value(settings::DEFAULT_JPEG_QUALITY)
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt64::builder("timeout")
            .nick("Timeout")
            .blurb("Longest time that a question may take, to its last token, in ns")
            .minimum(1_000_000)
            .default_value(nanos(settings::DEFAULT_TIMEOUT))
            .mutable_playing()
            .build(),
        glib::ParamSpecString::builder("last-answer")
            .nick("Last answer")
            .blurb("Text of the newest complete answer")
            .read_only()
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
            .nick("Statistics")
            .blurb("Counts of frames, samples, questions, answers and errors since the start")
            .read_only()
            .build(),
    ]
});

/// Writes a property. GObject has checked its type and range.
pub(crate) fn set(shared: &Shared, name: &str, value: &glib::Value) -> Option<Effect> {
    let text = || value.get::<Option<String>>().ok().flatten().unwrap_or_default();
    let number = || value.get::<u32>().unwrap_or_default();
    let time = || Duration::from_nanos(value.get::<u64>().unwrap_or_default());
    shared.change(|settings| {
        Some(match name {
            "api-base" => {
                let api_base = text();
                let same = settings.api_base == api_base;
                match settings.set_api_base(api_base) {
                    true => Effect::KeyDropped,
                    false if same => Effect::NextQuestion,
                    false => Effect::Question,
                }
            }
            "api-key" => {
                let key = ApiKey::new(&text());
                let same = settings.api_key == key;
                settings.set_api_key(key);
                if same { Effect::NextQuestion } else { Effect::Question }
            }
            "model" => replace(&mut settings.model, text()),
            "prompt" => replace(&mut settings.prompt, text()),
            "system-prompt" => replace(&mut settings.system_prompt, text()),
            "max-tokens" => {
                settings.max_tokens = number();
                Effect::NextQuestion
            }
            "temperature" => {
                settings.temperature = value.get().unwrap_or(settings::DEFAULT_TEMPERATURE);
                Effect::NextQuestion
            }
            "interval" => {
                settings.interval = time();
                Effect::Schedule
            }
            "every-n-frames" => {
                settings.every_n_frames = number();
                Effect::Schedule
            }
            "on-demand" => {
                settings.on_demand = value.get().unwrap_or_default();
                Effect::Schedule
            }
            "busy" => {
                settings.busy = value.get().unwrap_or_default();
                Effect::Schedule
            }
            "max-age" => {
                settings.max_age = time();
                Effect::NextQuestion
            }
            "max-size" => {
                settings.max_size = number();
                Effect::NextQuestion
            }
            "jpeg-quality" => {
                settings.jpeg_quality = number();
                Effect::NextQuestion
            }
            "timeout" => {
                settings.timeout = time();
                Effect::NextQuestion
            }
            _ => return None,
        })
    })
}

/// A question is worthless only if what it asks has really changed.
fn replace(setting: &mut String, value: String) -> Effect {
    let changed = *setting != value;
    *setting = value;
    if changed { Effect::Question } else { Effect::NextQuestion }
}

/// Reads a property that is a setting.
pub(crate) fn get(shared: &Shared, name: &str) -> Option<glib::Value> {
    let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    shared.with_settings(|settings| {
        Some(match name {
            "api-base" => settings.api_base.to_value(),
            "model" => settings.model.to_value(),
            "prompt" => settings.prompt.to_value(),
            "system-prompt" => settings.system_prompt.to_value(),
            "max-tokens" => settings.max_tokens.to_value(),
            "temperature" => settings.temperature.to_value(),
            "interval" => nanos(settings.interval).to_value(),
            "every-n-frames" => settings.every_n_frames.to_value(),
            "on-demand" => settings.on_demand.to_value(),
            "busy" => settings.busy.to_value(),
            "max-age" => nanos(settings.max_age).to_value(),
            "max-size" => settings.max_size.to_value(),
            "jpeg-quality" => settings.jpeg_quality.to_value(),
            "timeout" => nanos(settings.timeout).to_value(),
            _ => return None,
        })
    })
}
