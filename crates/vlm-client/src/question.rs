//! One question: what a VLM is asked, and about which pictures.

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::extra::ExtraBody;

/// An encoded picture, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    pub(crate) data_url: String,
    pub(crate) label: String,
}

impl Picture {
    /// A picture from the bytes of a JPEG file.
    pub fn jpeg(bytes: &[u8]) -> Self {
        let prefix = "data:image/jpeg;base64,";
        let mut data_url = String::with_capacity(prefix.len() + bytes.len().div_ceil(3) * 4);
        data_url.push_str(prefix);
        BASE64_STANDARD.encode_string(bytes, &mut data_url);
        Self { data_url, label: String::new() }
    }

    /// The same picture with words that the model reads before it, as several need them to be told
    /// apart.
    #[must_use]
    pub fn labelled(self, label: String) -> Self {
        Self { label, ..self }
    }

    /// How much there is to be sent, in bytes.
    pub fn size(&self) -> usize {
        self.data_url.len()
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({} bytes)", self.data_url.len())
    }
}

/// One question, as `POST /chat/completions` takes it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChatRequest {
    /// The model's id, as the server lists it.
    pub model: String,
    /// What to ask about the pictures.
    pub prompt: String,
    /// Who the model is told to be; empty = no system message.
    pub system_prompt: String,
    /// The pictures, oldest first.
    pub pictures: Vec<Picture>,
    /// The most tokens an answer may have.
    pub max_tokens: u32,
    /// Sampling temperature; `None` = the server's default.
    pub temperature: Option<f64>,
    /// A JSON schema that the answer is to fit; `None` = free text.
    pub response_schema: Option<Arc<serde_json::Value>>,
    /// What this server knows and others do not.
    pub extra: ExtraBody,
    /// Whether the answer is wanted token by token.
    pub stream: bool,
    /// An opaque name of the asker, the same for all questions about one video. It is random and
    /// says nothing of the person. Empty = not sent.
    pub user: String,
}
