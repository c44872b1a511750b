use std::time::Duration;

use live_vlm_access::rules::Rules;
use live_vlm_config::NOMINAL_FRAME_RATE;
use live_vlm_media_processes::SamplingSettings;
use vlm_client::Endpoint;

use super::asking::AskSettings;
use crate::{
    choices::Choices,
    protocol::{ChangedBy, FramesMode, ServerConfig, ServerMessage},
    relay::IceServer,
};

/// What every session begins with.
#[derive(Debug, Clone)]
pub(crate) struct Defaults {
    pub(crate) endpoint: Endpoint,
    pub(crate) model: String,
    /// Whether that is the built-in demo-vlm.
    pub(crate) stand_in: bool,
    pub(crate) prompt: String,
    pub(crate) max_tokens: u32,
    /// Between two questions.
    pub(crate) interval: Duration,
}

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Who is asked.
    pub(crate) endpoint: Endpoint,
    /// Which of its models.
    pub(crate) model: String,
    /// What, and when.
    pub(crate) choices: Choices,
    /// Whether more is told.
    pub(crate) debug: bool,
}

impl Settings {
    /// What a session begins with, by its user's rules or else by the server's defaults.
    pub(crate) fn new(defaults: &Defaults, rules: &Rules, model: String) -> Self {
        Self {
            endpoint: defaults.endpoint.clone(),
            model,
            choices: Choices {
                prompt: rules.prompt.as_ref().unwrap_or(&defaults.prompt).clone(),
                max_tokens: rules.max_tokens.unwrap_or(defaults.max_tokens),
                interval: rules.interval.unwrap_or(defaults.interval).into(),
                ..Choices::default()
            },
            debug: false,
        }
    }

    /// What the session's media process is told of them.
    pub(super) fn for_media(&self, asks: bool, frames: FramesMode) -> SamplingSettings {
        SamplingSettings {
            asks,
            interval: self.choices.interval.duration(),
            max_age: self.choices.max_latency.duration(),
            min_change: self.choices.min_change,
            max_size: self.choices.max_size,
            frames_on_demand: frames == FramesMode::OnDemand,
        }
    }

    /// The same for whoever asks about the video.
    pub(super) fn for_asking(&self, asks: bool) -> AskSettings {
        AskSettings {
            endpoint: self.endpoint.clone(),
            model: self.model.clone(),
            prompt: self.choices.prompt.clone(),
            system_prompt: self.choices.system_prompt.clone(),
            max_tokens: self.choices.max_tokens,
            interval: self.choices.interval.duration(),
            max_age: self.choices.max_latency.duration(),
            min_change: self.choices.min_change,
            asks,
        }
    }

    /// The same for the page.
    pub(crate) fn for_page(
        &self,
        session_id: String,
        ice_servers: Vec<IceServer>,
        stand_in: bool,
    ) -> ServerConfig {
        ServerConfig {
            session_id,
            model: self.model.clone(),
            api_base: self.endpoint.base().to_owned(),
            choices: self.choices.clone(),
            bounds: Choices::BOUNDS,
            process_every: self.process_every(),
            ice_servers,
            stand_in,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    pub(crate) fn confirmation(&self, by: ChangedBy) -> ServerMessage {
        let Choices { prompt, system_prompt, max_tokens, interval, max_latency, .. } =
            self.choices.clone();
        match by {
            ChangedBy::Prompt => ServerMessage::PromptUpdated { prompt, max_tokens, system_prompt },
            ChangedBy::Processing => ServerMessage::ProcessingUpdated {
                process_every: self.process_every(),
                interval: interval.0,
            },
            ChangedBy::MaxLatency => {
                ServerMessage::MaxLatencyUpdated { max_latency: max_latency.0 }
            }
            ChangedBy::Settings => ServerMessage::SettingsUpdated(self.choices.clone()),
        }
    }

    /// The interval in frames, at [`NOMINAL_FRAME_RATE`].
    pub(crate) fn process_every(&self) -> u32 {
        // At most an hour of frames, which fits.
        (self.choices.interval.0 * NOMINAL_FRAME_RATE).round().max(1.0) as u32
    }
}

#[cfg(test)]
mod tests {
    use live_vlm_config::{Interval, MAX_PROMPT, Whole};
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_documentation_has_each_setting_with_its_bounds_and_default() {
        let documentation = include_str!("../../../../docs/protocol.md");
        let bounds = serde_json::to_value(Choices::BOUNDS).unwrap();
        let defaults = serde_json::to_value(Choices::default()).unwrap();
        let number = |value: &Value| value.as_f64().map(|number| number.to_string());
        for (name, bound) in bounds.as_object().unwrap() {
            let [min, max] = ["min", "max"].map(|end| number(&bound[end]).unwrap());
            let default = number(&defaults[name]).unwrap_or_default();
            let row = format!("| `{name}` | {min} to {max} | {default} |").replace("|  |", "| |");
            assert!(documentation.contains(&row), "docs/protocol.md has no row {row}");
        }
    }

    #[test]
    fn configuration_and_messages_have_the_same_bounds() {
        let bounds = Choices::BOUNDS;
        assert!((bounds.prompt.max - MAX_PROMPT as f64).abs() < 0.5);
        let is_interval = |seconds: f64| seconds.to_string().parse::<Interval>().is_ok();
        assert!(is_interval(bounds.interval.min) && is_interval(bounds.interval.max));
        assert!(
            !is_interval(bounds.interval.min - 0.01) && !is_interval(bounds.interval.max + 0.01)
        );
        let is_tokens = |tokens: f64| tokens.to_string().parse::<Whole<1, 32768>>().is_ok();
        assert!(is_tokens(bounds.max_tokens.min) && is_tokens(bounds.max_tokens.max));
    }
}
