use std::time::Duration;

use crate::AddressKind;

/// Why a VLM server gave no (whole) answer. The message says what happened and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody listens there.
    #[error("no VLM server answers at {base} (connection refused); start it or change api-base")]
    Refused {
        /// The base address of the server.
        base: String,
    },
    /// Whoever named the server may not reach it.
    #[error(
        "{base} may not be asked from here: {reason}; if it should be, have this server's operator \
         add it to allowed_api_bases"
    )]
    Forbidden {
        /// The base address of the server.
        base: String,
        /// Why, for whoever named it: of a name nothing that they did not know.
        reason: String,
        /// What is there, for the operator alone.
        inside: AddressKind,
    },
    /// The network failed before an answer came.
    #[error("cannot reach the VLM server at {base}: {reason}")]
    Network {
        /// The base address of the server.
        base: String,
        /// What the network said.
        reason: String,
    },
    /// The connection was there, and ended before an answer came.
    #[error("the VLM server at {base} broke off before it answered ({reason}); see its log")]
    Dropped {
        /// The base address of the server.
        base: String,
        /// What the network said.
        reason: String,
    },
    /// The server's certificate or TLS itself is at fault.
    #[error("no secure connection to {base}: {reason}")]
    Tls {
        /// The base address of the server.
        base: String,
        /// What is wrong, and what to do about it.
        reason: String,
    },
    /// 401 or 403.
    #[error(
        "the VLM server at {base} refused the key (HTTP {status}: {reason}); check the api-key \
         for this server"
    )]
    Unauthorized {
        /// The base address of the server.
        base: String,
        /// The HTTP status.
        status: u16,
        /// What the server said.
        reason: String,
    },
    /// The same where no key was shown.
    #[error(
        "the VLM server at {base} wants a key, and none was given (HTTP {status}: {reason}); set \
         api-key"
    )]
    NoKey {
        /// The base address of the server.
        base: String,
        /// The HTTP status.
        status: u16,
        /// What the server said.
        reason: String,
    },
    /// 404 with a model asked for, or an error of that code.
    #[error(
        "the VLM server at {base} does not have the model {model:?} ({reason}); choose one that \
         it lists"
    )]
    ModelUnknown {
        /// The base address of the server.
        base: String,
        /// The model asked for.
        model: String,
        /// What the server said.
        reason: String,
    },
    /// The model takes no pictures, whatever the status that the server says so with.
    #[error(
        "the model {model:?} of the VLM server at {base} takes no pictures ({reason}); choose a \
         vision model"
    )]
    NoVision {
        /// The base address of the server.
        base: String,
        /// The model asked for.
        model: String,
        /// What the server said.
        reason: String,
    },
    /// 404 for a path that every OpenAI-compatible server has.
    #[error(
        "{base} has no OpenAI-compatible API (HTTP {status}: {reason}); {}",
        crate::trouble::where_else(.base)
    )]
    NoApi {
        /// The base address of the server.
        base: String,
        /// The HTTP status; LM Studio says it with 200.
        status: u16,
        /// What the server said.
        reason: String,
    },
    /// The server lists no model.
    #[error("the VLM server at {base} lists no model; load one, or name it with the model setting")]
    NoModel {
        /// The base address of the server.
        base: String,
    },
    /// 413.
    #[error(
        "the picture is too large for the VLM server at {base} (HTTP 413); lower max-size or \
         jpeg-quality"
    )]
    TooLarge {
        /// The base address of the server.
        base: String,
    },
    /// 429.
    #[error("the VLM server at {base} has too much to do (HTTP 429: {reason}); asking later")]
    RateLimited {
        /// The base address of the server.
        base: String,
        /// What the server said.
        reason: String,
        /// Its `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// Another 4xx.
    #[error("the VLM server at {base} refused the question (HTTP {status}: {reason})")]
    BadRequest {
        /// The base address of the server.
        base: String,
        /// The HTTP status.
        status: u16,
        /// What the server said.
        reason: String,
    },
    /// 5xx.
    #[error("the VLM server at {base} failed (HTTP {status}: {reason}); see its log")]
    Server {
        /// The base address of the server.
        base: String,
        /// The HTTP status.
        status: u16,
        /// What the server said.
        reason: String,
        /// Its `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// 3xx. Following it would carry the key and the picture elsewhere.
    #[error(
        "the VLM server at {base} sends us elsewhere (HTTP {status}); set api-base to the final \
         address"
    )]
    Redirect {
        /// The base address of the server.
        base: String,
        /// The HTTP status.
        status: u16,
    },
    /// The answer was not complete in time.
    #[error(
        "the VLM server at {base} did not finish within {} s; raise the timeout, lower \
         max-tokens or use a smaller model", .after.as_secs_f64()
    )]
    Timeout {
        /// The base address of the server.
        base: String,
        /// The time allowed.
        after: Duration,
    },
    /// The body is not what the API promises.
    #[error("{base} does not answer like an OpenAI-compatible server: {reason}")]
    Protocol {
        /// The base address of the server.
        base: String,
        /// What was wrong.
        reason: String,
    },
    /// The answer ended in the middle.
    #[error("the VLM server at {base} broke off in the middle of its answer ({reason})")]
    Cut {
        /// The base address of the server.
        base: String,
        /// What the network said.
        reason: String,
    },
}

impl Error {
    /// One word for messages and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::Forbidden { .. } => "not-allowed",
            Self::Network { .. } | Self::Dropped { .. } => "network",
            Self::Tls { .. } => "tls",
            Self::Unauthorized { .. } | Self::NoKey { .. } => "unauthorized",
            Self::ModelUnknown { .. } => "model-unknown",
            Self::NoVision { .. } => "no-vision",
            Self::NoApi { .. } => "no-api",
            Self::NoModel { .. } => "no-model",
            Self::TooLarge { .. } => "too-large",
            Self::RateLimited { .. } => "rate-limited",
            Self::BadRequest { .. } => "bad-request",
            Self::Server { .. } => "server",
            Self::Redirect { .. } => "redirect",
            Self::Timeout { .. } => "timeout",
            Self::Protocol { .. } => "protocol",
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
            Self::Forbidden { .. }
                | Self::ModelUnknown { .. }
                | Self::NoVision { .. }
                | Self::TooLarge { .. }
                | Self::BadRequest { .. }
        )
    }

    /// Whether it tells that the server is in trouble, whoever asks it for whatever model: it is not
    /// there, or fails.
    pub fn concerns_everybody(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::Network { .. }
                | Self::Dropped { .. }
                | Self::Tls { .. }
                | Self::Server { .. }
        )
    }

    /// Whether asking again later may help although no setting changed.
    pub fn is_passing(&self) -> bool {
        !matches!(
            self,
            Self::Forbidden { .. }
                | Self::Unauthorized { .. }
                | Self::NoKey { .. }
                | Self::ModelUnknown { .. }
                | Self::NoVision { .. }
                | Self::NoApi { .. }
                | Self::TooLarge { .. }
                | Self::BadRequest { .. }
                | Self::Redirect { .. }
                | Self::Tls { .. }
        )
    }
}
