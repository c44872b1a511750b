use std::{mem, sync::Arc, time::Duration};

use gst::glib;
use gst_vlm_jpeg::{EncoderDescription, JpegOptions};
use gst_vlm_overlay::OverlaySettings;
use gst_vlm_structured::Schema;
use vlm_client::{ApiKey, Authority, BadEndpoint, Endpoint, ExtraBody, ExtraHeaders, Reach};

use super::{sampler::Rule, window::ClipRule};

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
    #[enum_value(name = "Keep going: post vlm-error and let the stream go on", nick = "keep-going")]
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

/// Whose key it is, and for which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum KeyFrom {
    /// Nobody's: there is none.
    #[default]
    Nowhere,
    /// The environment's, which names no server: it is for the first that is named.
    Environment,
    /// The environment's, for the server that it names, or for the first that was named.
    EnvironmentFor,
    /// The user's own.
    User,
}

/// A setting that is read back as it was written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written<T> {
    pub(crate) text: String,
    pub(crate) meaning: T,
}

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) api_base: String,
    pub(crate) api_key: Option<ApiKey>,
    pub(crate) key_from: KeyFrom,
    pub(crate) headers: ExtraHeaders,
    /// What is in the file that is written there.
    pub(crate) authority: Written<Option<Arc<Authority>>>,
    /// What the server's name may lead to, if somebody else named it.
    pub(crate) reach: Option<Arc<Reach>>,
    pub(crate) model: String,
    pub(crate) prompt: String,
    pub(crate) system_prompt: String,
    pub(crate) max_tokens: u32,
    pub(crate) temperature: f64,
    pub(crate) extra_body: Written<ExtraBody>,
    pub(crate) response_schema: Option<Schema>,
    /// Whether anything is asked.
    pub(crate) ask: bool,
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

impl Settings {
    /// What a new element begins with: the defaults, and what the environment says.
    pub(crate) fn from_environment() -> Self {
        let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let api_base = env("VLM_API_BASE");
        // One that cannot be a key is told of when the element starts.
        let api_key = env("VLM_API_KEY").and_then(|key| ApiKey::parse(&key).ok().flatten());
        let key_from = match (&api_key, &api_base) {
            (None, _) => KeyFrom::Nowhere,
            (Some(_), None) => KeyFrom::Environment,
            (Some(_), Some(_)) => KeyFrom::EnvironmentFor,
        };
        Self {
            api_base: api_base.unwrap_or_else(|| DEFAULT_API_BASE.into()),
            api_key,
            key_from,
            model: env("VLM_MODEL").unwrap_or_default(),
            ..Self::default()
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            api_base: DEFAULT_API_BASE.into(),
            api_key: None,
            key_from: KeyFrom::default(),
            headers: ExtraHeaders::default(),
            authority: Written::default(),
            reach: None,
            model: String::new(),
            prompt: DEFAULT_PROMPT.into(),
            system_prompt: String::new(),
            max_tokens: DEFAULT_MAX_TOKENS,
            temperature: DEFAULT_TEMPERATURE,
            extra_body: Written::default(),
            response_schema: None,
            ask: true,
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

/// What is wrong with the key in the environment, if it cannot be one.
pub(crate) fn bad_environment() -> Option<String> {
    let key = std::env::var("VLM_API_KEY").ok()?;
    let error = ApiKey::parse(&key).err()?;
    Some(format!("VLM_API_KEY: {error}; none is sent"))
}

impl Settings {
    pub(crate) fn endpoint(&self) -> Result<Endpoint, BadEndpoint> {
        let key = self.api_key.clone();
        let endpoint = match &self.reach {
            Some(reach) => Endpoint::foreign(&self.api_base, key, Arc::clone(reach))?,
            None => Endpoint::new(&self.api_base, key)?,
        };
        Ok(endpoint
            .with_headers(self.headers.clone())
            .with_authority(self.authority.meaning.clone()))
    }

    /// Changes the server and what belongs to it; false if all is as it was.
    pub(crate) fn set_endpoint(&mut self, endpoint: &Endpoint) -> bool {
        if self.endpoint().is_ok_and(|own| own == *endpoint) {
            return false;
        }
        self.api_base = endpoint.base().to_owned();
        self.set_api_key(endpoint.key().cloned());
        self.headers = endpoint.headers().clone();
        let authority = endpoint.authority().cloned();
        let file = authority.as_ref().map(|authority| authority.file().display().to_string());
        self.authority = Written { text: file.unwrap_or_default(), meaning: authority };
        self.reach = endpoint.reach().cloned();
        true
    }

    /// Changes the server. Key and headers belong to the server that they were given for, so they
    /// go; the words say so.
    pub(crate) fn set_api_base(&mut self, api_base: String) -> Option<String> {
        let base = |text: &str| Endpoint::new(text, None).map(|e| e.base().to_owned());
        let before = mem::replace(&mut self.api_base, api_base);
        let goes = base(&self.api_base).ok() != base(&before).ok();
        if goes {
            self.reach = None;
        }
        if self.key_from == KeyFrom::Environment {
            self.key_from = KeyFrom::EnvironmentFor;
            return None;
        }
        if !goes {
            return None;
        }
        self.api_key = None;
        let headers = mem::take(&mut self.headers);
        match mem::take(&mut self.key_from) {
            KeyFrom::EnvironmentFor => Some(format!(
                "VLM_API_KEY is for {before} and not sent to {}; set api-key after api-base",
                self.api_base
            )),
            KeyFrom::User => Some(
                "The api-key was for another server and is dropped; set api-key after api-base"
                    .to_owned(),
            ),
            KeyFrom::Nowhere | KeyFrom::Environment if !headers.is_empty() => Some(
                "The headers were for another server and are dropped; set headers after api-base"
                    .to_owned(),
            ),
            KeyFrom::Nowhere | KeyFrom::Environment => None,
        }
    }

    pub(crate) fn set_api_key(&mut self, key: Option<ApiKey>) {
        self.key_from = if key.is_some() { KeyFrom::User } else { KeyFrom::Nowhere };
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
        settings.key_from = KeyFrom::User;
        settings.headers = ExtraHeaders::new([("x-key", "secret")]).unwrap();
        assert_eq!(settings.set_api_base(format!("{}/", settings.api_base)), None);
        assert!(settings.api_key.is_some(), "it is the same server");
        let said = settings.set_api_base("http://elsewhere.invalid/v1".into()).unwrap();
        assert!(said.contains("set api-key after api-base"), "{said}");
        assert!(settings.api_key.is_none() && settings.headers.is_empty());
        assert_eq!(settings.set_api_base("http://third.invalid/v1".into()), None);
    }

    #[test]
    fn the_environments_key_is_for_the_first_server_that_is_named() {
        let key = || ApiKey::new("sk-1");
        let mut settings =
            Settings { api_key: key(), key_from: KeyFrom::Environment, ..Settings::default() };
        assert_eq!(settings.set_api_base("http://named.invalid/v1".into()), None);
        assert_eq!(settings.api_key, key());
        let said = settings.set_api_base("http://other.invalid/v1".into()).unwrap();
        assert!(said.starts_with("VLM_API_KEY is for http://named.invalid/v1"), "{said}");
        assert!(settings.api_key.is_none());
    }
}
