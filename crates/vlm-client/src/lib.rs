//! Asks OpenAI-compatible VLM servers, and decides who is asked next.
//!
//! - [`Client`] sends one question to an [`Endpoint`] and gives its answer as it is written.
//! - [`Dispatcher`] shares the slots of such servers fairly among many sessions.
//!
//! Nothing in here knows GStreamer, sessions of a web server, or pictures: a question carries a
//! picture that somebody else has encoded.

#![forbid(unsafe_code)]

mod account;
mod adapt;
mod adaptations;
mod address;
mod answer;
mod authority;
mod client;
mod dispatch;
mod endpoint;
mod error;
mod extra;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod headers;
mod kept;
mod key;
mod kind;
mod models;
mod names;
mod reach;
mod reading;
mod report;
mod scope;
mod tls;
mod trouble;
mod trusting;
mod wire;

pub use account::{Account, Denied};
pub use answer::{AnswerEvent, AnswerStream, Summary};
pub use authority::{Authority, BadAuthority};
pub use client::{AskHeaders, Client, Figures, Listed};
pub use dispatch::{
    Backend, BackendSnapshot, Dispatcher, DispatcherConfig, Full, Hurry, Member, NoTurn, Turn,
    Want,
    core::{
        BackendId, BackendState, Core, CoreConfig, Event, MemberId, RouteId, Scope, Slots, UserId,
        Verdict,
    },
};
pub use endpoint::{BadEndpoint, Endpoint};
pub use error::Error;
pub use extra::{BadExtraBody, ExtraBody};
pub use headers::{BadHeaders, ExtraHeaders};
pub use key::{ApiKey, BadKey};
pub use kind::ServerKind;
pub use models::{Model, choose_model, looks_like_vision};
pub use names::LookedUp;
pub use reach::{AddressKind, Allowed, BadAllowed, Reach, is_this_host};
pub use report::{QuestionOutcome, QuestionReport};
pub use trouble::Trouble;
pub use wire::{ChatRequest, Picture, Usage};
