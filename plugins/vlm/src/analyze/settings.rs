use std::{sync::Arc, time::Duration};

use gst::glib;
use vlm_client::{ApiKey, BadEndpoint, Endpoint, ExtraBody, Reach};

use super::{sampler::Rule, window::ClipRule};
use crate::{
    jpeg::{EncoderDescription, JpegOptions},
    overlay::OverlaySettings,
    structured::Schema,
};

pub(crate) const DEFAULT_API_BASE: &str = "http://localhost:11434/v1";
pub(crate) const DEFAULT_PROMPT: &str = "Describe what you see in this image in one sentence.";
pub(crate) const DEFAULT_MAX_TOKENS: u32 = 512;
/// Stands for the server's own default, which no value of the range can.
pub(crate) const DEFAULT_TEMPERATURE: f64 = -1.0;
pub(crate) const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);
pub(crate) const DEFAULT_EVERY_N_FRAMES: u32 = 0;
pub(crate) const DEFAULT_FRAMES: u32 = 1;
/// More than a VLM takes in one question, and as many frames as are held.
pub(crate) const MOST_FRAMES: u32 = 32;
pub(crate) const DEFAULT_FRAME_SPACING: Duration = Duration::from_millis(500);
pub(crate) const DEFAULT_MIN_CHANGE: f64 = 0.0;
pub(crate) const DEFAULT_RETRIES: u32 = 2;
pub(crate) const DEFAULT_MAX_AGE: Duration = Duration::ZERO;
pub(crate) const DEFAULT_MAX_SIZE: u32 = 768;
pub(crate) const DEFAULT_JPEG_QUALITY: u32 = 80;
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// What happens to samples while the VLM is busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstVlmBusy")]
#[repr(i32)]
pub enum Busy {
    /// Never wait; the newest sample takes the place of the one before.
    #[default]
    #[enum_value(name = "Latest: never hold the stream; the newest sample wins", nick = "latest")]
    Latest = 0,
    /// Hold the stream until the sample is answered, so that every sample is asked about.
    #[enum_value(name = "Wait: hold the stream so that every sample is answered", nick = "wait")]
    Wait = 1,
}

/// What becomes of the pipeline when a question is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstVlmErrorPolicy")]
#[repr(i32)]
pub enum ErrorPolicy {
    /// The stream flows on, and the next sample is asked about.
    #[default]
    #[enum_value(name = "Keep going: post vlm-error, the stream flows on", nick = "keep-going")]
    KeepGoing = 0,
    /// The element posts an error, which ends most pipelines.
    #[enum_value(name = "Fail: post an ERROR as well and stop the stream", nick = "fail")]
    Fail = 1,
}

/// What is written on the text pad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstVlmTextFormat")]
#[repr(i32)]
pub enum TextFormat {
    /// The answer's text, as a caption.
    #[default]
    #[enum_value(name = "Text: captions", nick = "text")]
    Text = 0,
    /// The answer with all that is known of it, as one line of JSON.
    #[enum_value(name = "Json: a line of JSON for each answer", nick = "json")]
    Json = 1,
}

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) api_base: String,
    pub(crate) api_key: Option<ApiKey>,
    /// Whether the key is the user's own, not the environment's.
    pub(crate) key_was_set: bool,
    /// What the server's name may lead to, if somebody else named it.
    pub(crate) reach: Option<Arc<Reach>>,
    pub(crate) model: String,
    pub(crate) prompt: String,
    pub(crate) system_prompt: String,
    pub(crate) max_tokens: u32,
    pub(crate) temperature: f64,
    /// As it was written, and what it means.
    pub(crate) extra_body: (String, ExtraBody),
    pub(crate) response_schema: Option<Schema>,
    pub(crate) interval: Duration,
    pub(crate) every_n_frames: u32,
    pub(crate) frames: u32,
    pub(crate) frame_spacing: Duration,
    pub(crate) min_change: f64,
    pub(crate) on_demand: bool,
    pub(crate) busy: Busy,
    pub(crate) max_age: Duration,
    pub(crate) max_size: u32,
    pub(crate) jpeg_quality: u32,
    /// `None`: chosen by memory.
    pub(crate) jpeg_encoder: Option<EncoderDescription>,
    pub(crate) timeout: Duration,
    pub(crate) retries: u32,
    pub(crate) error_policy: ErrorPolicy,
    pub(crate) text_format: TextFormat,
    pub(crate) overlay: OverlaySettings,
}

impl Default for Settings {
    fn default() -> Self {
        let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            api_base: env("VLM_API_BASE").unwrap_or_else(|| DEFAULT_API_BASE.into()),
            api_key: env("VLM_API_KEY").as_deref().and_then(ApiKey::new),
            key_was_set: false,
            reach: None,
            model: env("VLM_MODEL").unwrap_or_default(),
            prompt: DEFAULT_PROMPT.into(),
            system_prompt: String::new(),
            max_tokens: DEFAULT_MAX_TOKENS,
            temperature: DEFAULT_TEMPERATURE,
            extra_body: Default::default(),
            response_schema: None,
            interval: DEFAULT_INTERVAL,
            every_n_frames: DEFAULT_EVERY_N_FRAMES,
            frames: DEFAULT_FRAMES,
            frame_spacing: DEFAULT_FRAME_SPACING,
            min_change: DEFAULT_MIN_CHANGE,
            on_demand: false,
            busy: Busy::default(),
            max_age: DEFAULT_MAX_AGE,
            max_size: DEFAULT_MAX_SIZE,
            jpeg_quality: DEFAULT_JPEG_QUALITY,
            jpeg_encoder: None,
            timeout: DEFAULT_TIMEOUT,
            retries: DEFAULT_RETRIES,
            error_policy: ErrorPolicy::default(),
            text_format: TextFormat::default(),
            overlay: OverlaySettings::default(),
        }
    }
}

impl Settings {
    pub(crate) fn endpoint(&self) -> Result<Endpoint, BadEndpoint> {
        let key = self.api_key.clone();
        match &self.reach {
            Some(reach) => Endpoint::foreign(&self.api_base, key, Arc::clone(reach)),
            None => Endpoint::new(&self.api_base, key),
        }
    }

    /// Changes the server and its key; false if both are as they were.
    pub(crate) fn set_endpoint(&mut self, endpoint: &Endpoint) -> bool {
        if self.endpoint().is_ok_and(|own| own == *endpoint) {
            return false;
        }
        self.api_base = endpoint.base().to_owned();
        self.api_key = endpoint.key().cloned();
        self.key_was_set = self.api_key.is_some();
        self.reach = endpoint.reach().cloned();
        true
    }

    /// Changes the server. The key belongs to the server it was given for, so it goes; true if
    /// the user had set it.
    pub(crate) fn set_api_base(&mut self, api_base: String) -> bool {
        let base = |text: &str| Endpoint::new(text, None).map(|e| e.base().to_owned());
        let goes = base(&api_base).ok() != base(&self.api_base).ok();
        self.api_base = api_base;
        if goes {
            self.api_key = None;
            self.reach = None;
        }
        goes && std::mem::take(&mut self.key_was_set)
    }

    pub(crate) fn set_api_key(&mut self, key: Option<ApiKey>) {
        self.key_was_set = key.is_some();
        self.api_key = key;
    }

    pub(crate) fn rule(&self) -> Rule {
        match self.every_n_frames {
            0 => Rule::Every(self.interval),
            n => Rule::EveryNth(n),
        }
    }

    /// How far apart captions are at least; 0 if that is not known.
    pub(crate) fn captions_apart(&self) -> Duration {
        match self.rule() {
            Rule::Every(interval) => interval,
            Rule::EveryNth(_) if self.on_demand => self.interval,
            Rule::EveryNth(_) => Duration::ZERO,
        }
    }

    pub(crate) fn clip(&self) -> ClipRule {
        ClipRule {
            frames: usize::try_from(self.frames.max(1)).unwrap_or(1),
            spacing: self.frame_spacing,
        }
    }

    pub(crate) fn jpeg(&self) -> JpegOptions {
        let quality = u8::try_from(self.jpeg_quality).unwrap_or(100).clamp(1, 100);
        JpegOptions { max_size: self.max_size, quality, encoder: self.jpeg_encoder.clone() }
    }

    pub(crate) fn max_age(&self) -> Option<Duration> {
        (!self.max_age.is_zero()).then_some(self.max_age)
    }

    pub(crate) fn temperature(&self) -> Option<f64> {
        (self.temperature >= 0.0).then_some(self.temperature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_somebody_else_named_stays_that() {
        let reach = Arc::new(Reach::Public(Vec::new()));
        let foreign = Endpoint::foreign("https://vlm.example/v1", None, reach).unwrap();
        let mut settings = Settings::default();
        assert!(settings.set_endpoint(&foreign));
        assert_eq!(settings.endpoint().unwrap(), foreign);
        assert!(!settings.set_endpoint(&foreign));
        // Whoever sets the property is the application itself.
        settings.set_api_base("http://localhost:8000/v1".into());
        assert!(settings.endpoint().unwrap().reach().is_none());
    }

    #[test]
    fn a_key_does_not_follow_to_another_server() {
        let mut settings = Settings { api_key: ApiKey::new("sk-1"), ..Settings::default() };
        settings.set_api_base(format!("{}/", settings.api_base));
        assert!(settings.api_key.is_some(), "it is the same server");
        settings.set_api_base("http://elsewhere.invalid/v1".into());
        assert!(settings.api_key.is_none());
    }
}
