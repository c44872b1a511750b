use std::{borrow::Cow, time::Duration};

use vlm_replies::Failure;

use crate::reach::AddressKind;

/// Why a VLM server gave no (whole) answer. The message says what happened and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", message(.base, .kind))]
pub struct Error {
    /// The base address of the server.
    pub base: String,
    /// What happened there.
    pub kind: ErrorKind,
}

/// What happened when a server was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Nobody listens there.
    Refused,
    /// Whoever named the server may not reach it.
    Forbidden {
        /// Why, for whoever named it: of a name nothing that they did not know.
        reason: String,
        /// What is there, for the operator alone.
        inside: AddressKind,
    },
    /// The network failed before an answer came.
    Network {
        /// What the network said.
        reason: String,
    },
    /// The connection was there, and ended before an answer came.
    Dropped {
        /// What the network said.
        reason: String,
    },
    /// The server's certificate or TLS itself is at fault.
    Tls {
        /// What is wrong, and what to do about it.
        reason: String,
    },
    /// The answer was not complete in time.
    Timeout {
        /// The time allowed.
        after: Duration,
    },
    /// The key was refused ([`Failure::Unauthorized`]) where none was shown.
    NoKey {
        /// The HTTP status.
        status: u16,
        /// What the server said.
        reason: String,
    },
    /// The server lists no model.
    NoModel,
    /// The server's reply is no answer.
    Reply(Failure),
}

impl From<Failure> for ErrorKind {
    fn from(failure: Failure) -> Self {
        Self::Reply(failure)
    }
}

impl ErrorKind {
    /// One word for messages and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Forbidden { .. } => "not-allowed",
            Self::Network { .. } | Self::Dropped { .. } => "network",
            Self::Tls { .. } => "tls",
            Self::Timeout { .. } => "timeout",
            Self::NoKey { .. } => "unauthorized",
            Self::NoModel => "no-model",
            Self::Reply(failure) => failure.name(),
        }
    }
}

impl Error {
    /// What happened at the server with this base address.
    pub fn new(base: &str, kind: impl Into<ErrorKind>) -> Self {
        Self { base: base.to_owned(), kind: kind.into() }
    }

    /// How long the server asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.kind {
            ErrorKind::Reply(failure) => failure.retry_after(),
            _ => None,
        }
    }

    /// Whether another server that has the same model may do better: this one, not the question,
    /// is at fault.
    pub fn is_servers_fault(&self) -> bool {
        match &self.kind {
            ErrorKind::Reply(failure) => failure.is_servers_fault(),
            kind => !matches!(kind, ErrorKind::Forbidden { .. }),
        }
    }

    /// Whether it is said of this one answer alone: the server is well, and another picture may
    /// fare better.
    pub fn is_of_this_answer(&self) -> bool {
        matches!(&self.kind, ErrorKind::Reply(failure) if failure.is_of_this_answer())
    }

    /// Whether it tells that the server is in trouble, whoever asks it for whatever model: it is not
    /// there, or fails.
    pub fn concerns_everybody(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Refused
                | ErrorKind::Network { .. }
                | ErrorKind::Dropped { .. }
                | ErrorKind::Tls { .. }
                | ErrorKind::Reply(Failure::Server { .. })
        )
    }

    /// Whether asking again later may help although no setting changed.
    pub fn is_passing(&self) -> bool {
        match &self.kind {
            ErrorKind::Reply(failure) => failure.is_passing(),
            kind => !matches!(
                kind,
                ErrorKind::Forbidden { .. } | ErrorKind::NoKey { .. } | ErrorKind::Tls { .. }
            ),
        }
    }
}

fn message(base: &str, kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::Refused => format!(
            "no VLM server answers at {base} (connection refused); start it or change api-base"
        ),
        ErrorKind::Forbidden { reason, .. } => format!(
            "{base} may not be asked from here: {reason}; if it should be, have this server's \
             operator add it to allowed_api_bases"
        ),
        ErrorKind::Network { reason } => format!("cannot reach the VLM server at {base}: {reason}"),
        ErrorKind::Dropped { reason } => {
            format!("the VLM server at {base} broke off before it answered ({reason}); see its log")
        }
        ErrorKind::Tls { reason } => format!("no secure connection to {base}: {reason}"),
        ErrorKind::Timeout { after } => format!(
            "the VLM server at {base} did not finish within {} s; raise the timeout, lower \
             max-tokens or use a smaller model",
            after.as_secs_f64()
        ),
        ErrorKind::NoKey { status, reason } => format!(
            "the VLM server at {base} wants a key, and none was given (HTTP {status}: {reason}); \
             set api-key"
        ),
        ErrorKind::NoModel => format!(
            "the VLM server at {base} lists no model; load one, or name it with the model setting"
        ),
        ErrorKind::Reply(failure) => reply_message(base, failure),
    }
}

fn reply_message(base: &str, failure: &Failure) -> String {
    let server = format!("the VLM server at {base}");
    match failure {
        Failure::Unauthorized { status, reason } => format!(
            "{server} refused the key ({}); check the api-key for this server",
            told(*status, reason)
        ),
        Failure::ModelUnknown { model, reason } => format!(
            "{server} does not have the model {model:?} ({reason}); choose one that it lists"
        ),
        Failure::NoVision { model, reason } => format!(
            "the model {model:?} of {server} takes no pictures ({reason}); choose a vision model"
        ),
        Failure::NoApi { status, reason } => format!(
            "{base} has no OpenAI-compatible API ({}); {}",
            told(*status, reason),
            where_else(base)
        ),
        Failure::TooLarge { reason } => format!(
            "the picture is too large for {server} ({reason}); lower max-size or jpeg-quality"
        ),
        Failure::RateLimited { reason, .. } => {
            format!("{server} has too much to do, or a quota is used up ({reason}); asking later")
        }
        Failure::BadRequest { status, reason } => {
            format!("{server} refused the question ({})", told(*status, reason))
        }
        Failure::Server { status, reason, .. } => {
            format!("{server} failed ({}); see its log", told(*status, reason))
        }
        Failure::Redirect { status } => format!(
            "{server} sends us elsewhere (HTTP {status}); set api-base to the final address"
        ),
        Failure::Protocol { reason } => {
            format!("{base} does not answer like an OpenAI-compatible server: {reason}")
        }
        Failure::Declined { reason } => format!(
            "{server} gives no answer to this question and picture: {reason}; ask something else, \
             or another model"
        ),
        Failure::Empty { reason } => format!("{server} answered without any text: {reason}"),
        Failure::Cut { reason } => {
            format!("{server} broke off in the middle of its answer ({reason})")
        }
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
