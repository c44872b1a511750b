//! The OpenAI chat-completions types, as far as a picture description needs them.

use serde::{Deserialize, Serialize};

use crate::bounds::{LONGEST_USER, MOST_PICTURES};
use crate::error::ApiError;
use crate::{BRIEF_MODEL, MODEL, picture};

#[derive(Debug, Deserialize)]
struct Request {
    model: String,
    messages: Vec<Message>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    user: Option<String>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Message {
    role: String,
    content: Option<Content>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "`content` is a string or a list of parts with their `type`")]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    Text {
        text: String,
    },
    ImageUrl {
        image_url: ImageUrl,
    },
    #[serde(other)]
    Other,
}

/// Some clients send the URL without the object around it.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "`image_url` is an object with a `url`")]
enum ImageUrl {
    Object { url: String },
    Bare(String),
}

/// A request that makes sense, though its pictures are yet to be decoded.
#[derive(Debug, PartialEq)]
pub(crate) struct Question {
    pub(crate) model: &'static str,
    /// The text of the last message of the user.
    pub(crate) prompt: String,
    /// `data:` URLs, oldest first.
    pub(crate) pictures: Vec<String>,
    pub(crate) user: Option<String>,
    pub(crate) max_tokens: Option<usize>,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
    /// Tokens of all text in the request.
    pub(crate) text_tokens: usize,
}

impl Question {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let request: Request = serde_json::from_slice(body)?;
        let model = [MODEL, BRIEF_MODEL]
            .into_iter()
            .find(|known| *known == request.model)
            .ok_or_else(|| ApiError::UnknownModel(request.model.chars().take(100).collect()))?;
        if request.messages.is_empty() {
            return Err(ApiError::NoMessages);
        }
        let max_tokens = [
            ("max_completion_tokens", request.max_completion_tokens),
            ("max_tokens", request.max_tokens),
        ]
        .into_iter()
        .find_map(|(field, limit)| limit.map(|limit| (field, limit)));
        if let Some((field, 0)) = max_tokens {
            return Err(ApiError::NoTokens(field));
        }
        if request.user.as_ref().is_some_and(|user| user.len() > LONGEST_USER) {
            return Err(ApiError::LongUser);
        }
        let mut question = Self {
            model,
            prompt: String::new(),
            pictures: Vec::new(),
            user: request.user.filter(|user| !user.is_empty()),
            max_tokens: max_tokens.map(|(_, limit)| usize::try_from(limit).unwrap_or(usize::MAX)),
            stream: request.stream.unwrap_or(false),
            include_usage: request
                .stream_options
                .and_then(|options| options.include_usage)
                .unwrap_or(false),
            text_tokens: 0,
        };
        question.take(request.messages);
        if question.pictures.is_empty() {
            return Err(ApiError::NoPicture);
        }
        if question.pictures.len() > MOST_PICTURES {
            return Err(ApiError::TooManyPictures(question.pictures.len()));
        }
        for url in &question.pictures {
            picture::payload(url)?;
        }
        Ok(question)
    }

    fn take(&mut self, messages: Vec<Message>) {
        for Message { role, content } in messages {
            let parts = match content {
                Some(Content::Text(text)) => vec![Part::Text { text }],
                Some(Content::Parts(parts)) => parts,
                None => Vec::new(),
            };
            let mut texts = Vec::new();
            for part in parts {
                match part {
                    Part::Text { text } => texts.push(text),
                    Part::ImageUrl { image_url } => self.pictures.push(match image_url {
                        ImageUrl::Object { url } | ImageUrl::Bare(url) => url,
                    }),
                    Part::Other => {}
                }
            }
            let text = texts.join(" ");
            self.text_tokens += crate::tokens::pieces(&text).len();
            if role == "user" && !text.trim().is_empty() {
                self.prompt = text;
            }
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Completion {
    pub(crate) id: String,
    pub(crate) object: &'static str,
    pub(crate) created: u64,
    pub(crate) model: &'static str,
    pub(crate) choices: Vec<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<Usage>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Choice {
    pub(crate) index: u32,
    #[serde(flatten)]
    pub(crate) said: Said,
    pub(crate) finish_reason: Option<&'static str>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Said {
    /// The whole answer.
    Message(Words),
    /// One piece of a streamed answer.
    Delta(Words),
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Words {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Usage {
    pub(crate) prompt_tokens: usize,
    pub(crate) completion_tokens: usize,
    pub(crate) total_tokens: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct Models {
    pub(crate) object: &'static str,
    pub(crate) data: Vec<Model>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Model {
    pub(crate) id: &'static str,
    pub(crate) object: &'static str,
    pub(crate) created: u64,
    pub(crate) owned_by: &'static str,
}

#[cfg(test)]
#[path = "api_tests.rs"]
mod tests;
