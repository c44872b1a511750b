//! What a server's reply is when it is no answer.

use std::time::Duration;

/// Why a reply has no (whole) answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// 401 or 403, or an error that says so.
    Unauthorized {
        /// The HTTP status, or a code like one; 200 if it was said in an answer.
        status: u16,
        /// What the server said.
        reason: String,
    },
    /// 404 with a model asked for, or an error of that code.
    ModelUnknown {
        /// The model asked for.
        model: String,
        /// What the server said.
        reason: String,
    },
    /// The model takes no pictures, whatever the status that the server says so with.
    NoVision {
        /// The model asked for.
        model: String,
        /// What the server said.
        reason: String,
    },
    /// 404 for a path that every OpenAI-compatible server has.
    NoApi {
        /// The HTTP status; LM Studio says it with 200.
        status: u16,
        /// What the server said.
        reason: String,
    },
    /// 413, or an error that says so.
    TooLarge {
        /// What the server said.
        reason: String,
    },
    /// 429, or a quota that is used up, whatever the status.
    RateLimited {
        /// What the server said.
        reason: String,
        /// When it wants to be asked again, if it says so.
        retry_after: Option<Duration>,
    },
    /// Another 4xx.
    BadRequest {
        /// The HTTP status, or a code like one.
        status: u16,
        /// What the server said.
        reason: String,
    },
    /// 5xx, a status that passes, or an error in the place of an answer.
    Server {
        /// The HTTP status, or a code like one; 200 if it was said in an answer.
        status: u16,
        /// What the server said.
        reason: String,
        /// When it wants to be asked again, if it says so.
        retry_after: Option<Duration>,
    },
    /// 3xx. Following it would carry the key and the picture elsewhere.
    Redirect {
        /// The HTTP status.
        status: u16,
    },
    /// The body is not what the API promises.
    Protocol {
        /// What was wrong.
        reason: String,
    },
    /// The model refused to answer, or a filter held the answer back.
    Declined {
        /// What the server or the model said.
        reason: String,
    },
    /// The answer is complete, and there is no text in it.
    Empty {
        /// What there was instead, and what to do.
        reason: String,
    },
    /// The answer ended in the middle.
    Cut {
        /// What the network said, or the server.
        reason: String,
    },
}

impl Failure {
    /// One word for messages and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unauthorized { .. } => "unauthorized",
            Self::ModelUnknown { .. } => "model-unknown",
            Self::NoVision { .. } => "no-vision",
            Self::NoApi { .. } => "no-api",
            Self::TooLarge { .. } => "too-large",
            Self::RateLimited { .. } => "rate-limited",
            Self::BadRequest { .. } => "bad-request",
            Self::Server { .. } => "server",
            Self::Redirect { .. } => "redirect",
            Self::Protocol { .. } => "protocol",
            Self::Declined { .. } => "declined",
            Self::Empty { .. } => "empty",
            Self::Cut { .. } => "cut",
        }
    }

    /// How long the server asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Server { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }

    /// Whether another server that has the same model may do better: this one, not the question,
    /// is at fault.
    pub fn is_servers_fault(&self) -> bool {
        !matches!(
            self,
            Self::ModelUnknown { .. }
                | Self::NoVision { .. }
                | Self::TooLarge { .. }
                | Self::BadRequest { .. }
                | Self::Declined { .. }
                | Self::Empty { .. }
        )
    }

    /// Whether it is said of this one answer alone: the server is well, and another picture may
    /// fare better.
    pub fn is_of_this_answer(&self) -> bool {
        matches!(self, Self::Declined { .. } | Self::Empty { .. })
    }

    /// Whether asking again later may help although no setting changed.
    pub fn is_passing(&self) -> bool {
        !matches!(
            self,
            Self::Unauthorized { .. }
                | Self::ModelUnknown { .. }
                | Self::NoVision { .. }
                | Self::NoApi { .. }
                | Self::TooLarge { .. }
                | Self::BadRequest { .. }
                | Self::Redirect { .. }
        )
    }
}
