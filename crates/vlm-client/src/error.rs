use std::{borrow::Cow, time::Duration};

use crate::reach::AddressKind;

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
    /// 401 or 403, or an error that says so.
    #[error(
        "the VLM server at {base} refused the key ({}); check the api-key for this server",
        told(*.status, .reason)
    )]
    Unauthorized {
        /// The base address of the server.
        base: String,
        /// The HTTP status, or a code like one; 200 if it was said in an answer.
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
        "{base} has no OpenAI-compatible API ({}); {}",
        told(*.status, .reason),
        where_else(.base)
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
    /// 413, or an error that says so.
    #[error(
        "the picture is too large for the VLM server at {base} ({reason}); lower max-size or \
         jpeg-quality"
    )]
    TooLarge {
        /// The base address of the server.
        base: String,
        /// What the server said.
        reason: String,
    },
    /// 429, or a quota that is used up, whatever the status.
    #[error(
        "the VLM server at {base} has too much to do, or a quota is used up ({reason}); asking \
         later"
    )]
    RateLimited {
        /// The base address of the server.
        base: String,
        /// What the server said.
        reason: String,
        /// When it wants to be asked again, if it says so.
        retry_after: Option<Duration>,
    },
    /// Another 4xx.
    #[error("the VLM server at {base} refused the question ({})", told(*.status, .reason))]
    BadRequest {
        /// The base address of the server.
        base: String,
        /// The HTTP status, or a code like one.
        status: u16,
        /// What the server said.
        reason: String,
    },
    /// 5xx, a status that passes, or an error in the place of an answer.
    #[error("the VLM server at {base} failed ({}); see its log", told(*.status, .reason))]
    Server {
        /// The base address of the server.
        base: String,
        /// The HTTP status, or a code like one; 200 if it was said in an answer.
        status: u16,
        /// What the server said.
        reason: String,
        /// When it wants to be asked again, if it says so.
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
    /// The model refused to answer, or a filter held the answer back.
    #[error(
        "the VLM server at {base} gives no answer to this question and picture: {reason}; ask \
         something else, or another model"
    )]
    Declined {
        /// The base address of the server.
        base: String,
        /// What the server or the model said.
        reason: String,
    },
    /// The answer is complete, and there is no text in it.
    #[error("the VLM server at {base} answered without any text: {reason}")]
    Empty {
        /// The base address of the server.
        base: String,
        /// What there was instead, and what to do.
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
            Self::Forbidden { .. }
                | Self::ModelUnknown { .. }
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

/// What the network says: the outer causes repeat the URL and say "error sending request".
pub(crate) fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// What a message says of an HTTP status and a server's words. What is told in an answer has none.
fn told(status: u16, reason: &str) -> Cow<'_, str> {
    match status {
        400.. => Cow::Owned(format!("HTTP {status}: {reason}")),
        _ => Cow::Borrowed(reason),
    }
}

/// Where an API may be that is not at this address, as the end of a sentence.
fn where_else(base: &str) -> String {
    let path = base.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    match path {
        None => format!("most servers have it at {base}/v1"),
        Some((_, path)) if path.ends_with("v1") => "check host, port and path".to_owned(),
        Some(_) => "check the path: at most servers it ends in /v1".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_left_v1_out_is_told_and_whoever_wrote_it_is_not() {
        assert_eq!(where_else("http://a:1"), "most servers have it at http://a:1/v1");
        assert_eq!(where_else("http://a:1/v1"), "check host, port and path");
        assert!(where_else("http://a:1/api").contains("ends in /v1"));
    }
}
