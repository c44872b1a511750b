use std::time::Duration;

use live_vlm_access::policy::Rules;
use live_vlm_config::NOMINAL_FRAME_RATE;
use live_vlm_pipelines::SessionSettings;
use vlm_client::Endpoint;

use crate::{protocol::ServerConfig, turn::IceServer};

/// What every session begins with.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// The server's VLM.
    pub endpoint: Endpoint,
    /// The model asked there.
    pub model: String,
    /// Whether that is the built-in demo-vlm.
    pub stand_in: bool,
    /// What is asked.
    pub prompt: String,
    /// The longest answer.
    pub max_tokens: u32,
    /// Between two questions.
    pub interval: Duration,
}

/// One session's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who is asked.
    pub endpoint: Endpoint,
    /// Which of its models.
    pub model: String,
    /// What.
    pub prompt: String,
    /// What the VLM is told about its part.
    pub system_prompt: String,
    /// The longest answer.
    pub max_tokens: u32,
    /// Between two questions.
    pub interval: Duration,
    /// How old a sample may be; zero = any.
    pub max_age: Duration,
    /// Whether more is told.
    pub debug: bool,
}

impl Settings {
    /// What a session begins with, by its user's rules or else by the server's defaults.
    pub fn new(defaults: &Defaults, rules: &Rules, model: String) -> Self {
        Self {
            endpoint: defaults.endpoint.clone(),
            model,
            prompt: rules.prompt.as_ref().unwrap_or(&defaults.prompt).clone(),
            system_prompt: String::new(),
            max_tokens: rules.max_tokens.unwrap_or(defaults.max_tokens),
            interval: rules.interval.unwrap_or(defaults.interval),
            max_age: Duration::ZERO,
            debug: false,
        }
    }

    /// The same for the session's pipeline.
    pub fn for_pipeline(&self) -> SessionSettings {
        SessionSettings {
            endpoint: Some(self.endpoint.clone()),
            model: self.model.clone(),
            prompt: self.prompt.clone(),
            system_prompt: self.system_prompt.clone(),
            max_tokens: self.max_tokens,
            asks: true,
            interval: self.interval,
            max_age: self.max_age,
        }
    }

    /// The same for the page.
    pub fn for_page(
        &self,
        session_id: String,
        ice_servers: Vec<IceServer>,
        stand_in: bool,
    ) -> ServerConfig {
        ServerConfig {
            session_id,
            model: self.model.clone(),
            api_base: self.endpoint.base().to_owned(),
            prompt: self.prompt.clone(),
            system_prompt: self.system_prompt.clone(),
            max_tokens: self.max_tokens,
            interval: self.interval.as_secs_f64(),
            process_every: self.process_every(),
            max_latency: self.max_age.as_secs_f64(),
            ice_servers,
            stand_in,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// The interval in frames, at [`NOMINAL_FRAME_RATE`].
    pub fn process_every(&self) -> u32 {
        // At most an hour of frames, which fits.
        (self.interval.as_secs_f64() * NOMINAL_FRAME_RATE).round().max(1.0) as u32
    }
}
