//! Why a question has no answer.

use std::time::Duration;

use live_vlm_dispatch::NoTurn;
use vlm_client::{Error, ErrorKind};

/// Why a question has no answer.
#[derive(Debug)]
pub struct Failure {
    /// One word: that of [`ErrorKind::name`], `limit`, `unavailable`, `full`, or one of whoever asks.
    pub kind: &'static str,
    /// What happened and what to do.
    pub message: String,
    /// Whether asking again later may help.
    pub passing: bool,
    /// Whether it may help to ask about the same frame.
    pub same_frame: bool,
    /// When to ask again, if that is known.
    pub retry_after: Option<Duration>,
    /// Which limit was reached, and its value.
    pub limit: Option<(String, u64)>,
    /// What the server did, if it was the server.
    pub error: Option<Box<Error>>,
    /// Whether it may be over when the server is seen again.
    pub is_servers: bool,
    /// Whether the server does not have the model that was chosen of its list.
    pub is_model_unknown: bool,
}

impl Failure {
    /// One that is no server's, and may pass or not.
    pub fn new(kind: &'static str, message: String, passing: bool) -> Self {
        Self {
            kind,
            message,
            passing,
            same_frame: true,
            retry_after: None,
            limit: None,
            error: None,
            is_servers: false,
            is_model_unknown: false,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let failure = Self {
            retry_after: error.retry_after(),
            is_servers: error.is_servers_fault(),
            is_model_unknown: matches!(
                error.kind,
                ErrorKind::Reply(vlm_client::Failure::ModelUnknown { .. })
            ),
            ..Self::new(error.kind.name(), error.to_string(), error.is_passing())
        };
        Self { error: Some(Box::new(error)), ..failure }
    }
}

impl From<NoTurn> for Failure {
    fn from(none: NoTurn) -> Self {
        let message = none.to_string();
        match none {
            NoTurn::Denied(denied) => Self {
                retry_after: Some(denied.retry_after),
                limit: Some((denied.limit.to_owned(), denied.value)),
                ..Self::new("limit", message, true)
            },
            NoTurn::Unavailable { retry_after, .. } => Self {
                retry_after: Some(retry_after),
                is_servers: true,
                ..Self::new("unavailable", message, true)
            },
            _ => Self::new("unavailable", message, true),
        }
    }
}
