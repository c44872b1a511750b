use live_vlm_media_link::SamplingSettings;

use crate::{choices::Choices, gate::DecodeMode};

/// Who is asked about a peer's video, and what and how often. Each connection has its own.
#[derive(Debug, Clone)]
pub struct PeerSettings {
    /// The model's name; empty = the first vision model that the server lists.
    pub model: String,
    /// The VLM server and its key; `None` = the element's own. Default: `None`.
    pub endpoint: Option<vlm_client::Endpoint>,
    /// Whether anything is asked. Default: true.
    pub asks: bool,
    /// The rest.
    pub choices: Choices,
}

impl Default for PeerSettings {
    fn default() -> Self {
        Self { model: String::new(), endpoint: None, asks: true, choices: Choices::default() }
    }
}

impl PeerSettings {
    /// What must be decoded for these settings.
    pub fn decode_mode(&self) -> DecodeMode {
        DecodeMode::for_interval(self.choices.interval.duration())
    }
}

impl From<SamplingSettings> for PeerSettings {
    /// Who is asked what is nothing that a media process knows.
    fn from(settings: SamplingSettings) -> Self {
        let SamplingSettings { asks, interval, max_age, min_change } = settings;
        let choices = Choices {
            interval: interval.into(),
            max_latency: max_age.into(),
            min_change,
            ..Choices::default()
        };
        Self { asks, choices, ..Self::default() }
    }
}
