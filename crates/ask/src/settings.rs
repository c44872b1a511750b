use std::{sync::Arc, time::Duration};

use vlm_client::{Endpoint, ExtraBody};

/// What one question is asked with.
#[derive(Debug, Clone)]
pub struct QuestionSettings {
    /// The VLM server and its key.
    pub endpoint: Endpoint,
    /// The model's name; empty = the first vision model that the server lists.
    pub model: String,
    /// What to ask about the pictures.
    pub prompt: String,
    /// Who the model is told to be; empty = no system message.
    pub system_prompt: String,
    /// The most tokens that an answer may have.
    pub max_tokens: u32,
    /// Sampling temperature; `None` = the server's default.
    pub temperature: Option<f64>,
    /// A JSON schema that the answer is to fit; `None` = free text.
    pub response_schema: Option<Arc<serde_json::Value>>,
    /// Fields that are added to the request, over those of the pool.
    pub extra: ExtraBody,
    /// The longest time that a question may take, up to its last token.
    pub timeout: Duration,
}

impl QuestionSettings {
    /// What a question is asked with that says no more than this.
    pub fn new(endpoint: Endpoint, prompt: impl Into<String>) -> Self {
        Self {
            endpoint,
            model: String::new(),
            prompt: prompt.into(),
            system_prompt: String::new(),
            max_tokens: 512,
            temperature: None,
            response_schema: None,
            extra: ExtraBody::default(),
            timeout: Duration::from_secs(60),
        }
    }
}
