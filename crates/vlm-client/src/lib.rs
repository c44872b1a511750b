//! Asks OpenAI-compatible VLM servers: [`Client`] sends one question to an [`Endpoint`] and gives its
//! answer as it is written.
//!
//! Nothing in here knows GStreamer, sessions of a web server, or pictures: a question carries a
//! picture that somebody else has encoded.

#![forbid(unsafe_code)]

mod adapt;
mod adaptations;
mod address;
mod answer;
mod ask_headers;
mod authority;
mod body;
mod client;
mod endpoint;
mod error;
mod extra;
mod figures;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod headers;
mod kept;
mod key;
mod kind;
mod lock;
mod models;
mod names;
mod question;
mod reach;
mod tls;
mod trouble;
mod trusting;
mod wire;

pub use address::BadEndpoint;
pub use answer::AnswerStream;
pub use ask_headers::AskHeaders;
pub use authority::{Authority, BadAuthority};
pub use client::{Client, Listed};
pub use endpoint::Endpoint;
pub use error::{Error, ErrorKind};
pub use extra::{BadExtraBody, ExtraBody};
pub use figures::Figures;
pub use headers::{BadHeaders, ExtraHeaders};
pub use key::{ApiKey, BadKey};
pub use kind::ServerKind;
pub use models::{Model, choose_model, looks_like_vision};
pub use names::LookedUp;
pub use question::{ChatRequest, Picture};
pub use reach::{AddressKind, Allowed, BadAllowed, Reach, is_this_host};
pub use trouble::Trouble;
pub use vlm_replies::{AnswerEvent, Failure, Summary, Usage};
