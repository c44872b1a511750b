//! How a request is refused: one type for HTTP and WebSocket.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use live_vlm_access::{
    limits::{Limit, LimitReached},
    log_limit::LogLimit,
    sign_in::{CannotSignIn, NotRemembered},
};
use live_vlm_backends::own::CannotAsk;
use live_vlm_media_processes::{OfferError, OfferFailure};
use live_vlm_observe::overload::Overloaded;
use serde::{Deserialize, Serialize};
use vlm_client::{AddressKind, BadEndpoint, BadKey};

use crate::choices::BadChoice;

/// Failures a minute of our own that are logged.
const FAILURES_LOGGED: u64 = 10;
/// When to try again after a refusal for want of CPU time or memory.
const OVERLOADED_RETRY: Duration = Duration::from_secs(10);

/// Why a request was not carried out: one word for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Code {
    /// The text is no JSON object.
    BadJson,
    /// The message's `type` is unknown.
    UnknownType,
    /// A field is missing, of the wrong type or out of range.
    BadField,
    /// The request is larger than is read.
    TooLarge,
    /// The session id can be guessed.
    BadSessionId,
    /// The session belongs to somebody else.
    SessionTaken,
    /// The offer has no video.
    NoVideo,
    /// The offer has no video codec that can be decoded.
    UnsupportedCodec,
    BadOffer,
    /// The server is one that this client may not ask.
    NotAllowed,
    /// Pages send pictures to this server, and no video.
    PicturesOnly,
    /// The binary message is no picture that can be used.
    NotAPicture,
    /// The picture was not asked for.
    Unasked,
    /// As many sessions run as may, or the server ends.
    TooManySessions,
    /// The server has no CPU time or memory for another session.
    Overloaded,
    /// A limit allows no more; `limit` says which.
    LimitReached,
    NotImplemented,
    /// The request comes from another site's page.
    ForeignOrigin,
    SignInRequired,
    /// The key or token that was shown signs nobody in.
    SignInFailed,
    /// There is nothing at this address.
    NotFound,
    /// The session ended before it could answer.
    SessionEnded,
    /// Our fault; the log has more.
    Internal,
}

/// A refused request, as the client gets it: over HTTP as the body, over the WebSocket as an
/// `error` message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    /// Why, in one word.
    pub(crate) code: Code,
    /// The field at fault.
    pub(crate) field: Option<String>,
    /// What happened and what to do.
    pub(crate) message: String,
    /// What would have been right.
    pub(crate) allowed: Option<String>,
    /// When to try again, in seconds.
    pub(crate) retry_after_s: Option<f64>,
    /// The limit that allows no more.
    pub(crate) limit: Option<Limit>,
    pub(crate) value: Option<u64>,
    /// What is at the address that was named. For the log alone, and never sent.
    #[serde(skip)]
    pub(crate) inside: Option<AddressKind>,
}

/// What of a refusal is counted and logged: nothing that the client wrote.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Refused {
    pub(crate) code: Code,
    /// What was wrong.
    pub(crate) field: Option<String>,
    /// The limit, if it was one.
    pub(crate) limit: Option<Limit>,
    /// What is at the address that was named, if that is why.
    pub(crate) inside: Option<AddressKind>,
}

impl Refusal {
    /// A refusal that concerns no field.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            field: None,
            message: message.into(),
            allowed: None,
            retry_after_s: None,
            limit: None,
            value: None,
            inside: None,
        }
    }

    /// A field that is not as it should be.
    pub(crate) fn field(field: &str, allowed: impl Into<String>) -> Self {
        let allowed = allowed.into();
        Self::new(Code::BadField, format!("{field} must be {allowed}"))
            .about(field)
            .allowing(allowed)
    }

    /// Names the field at fault.
    #[must_use]
    pub(crate) fn about(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    /// Says what would have been right.
    #[must_use]
    pub(crate) fn allowing(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }

    /// Who asks must sign in first.
    pub(crate) fn sign_in_required() -> Self {
        let message = "sign in first: open the server's page, or send a key or a token as \
                       Authorization: Bearer";
        Self::new(Code::SignInRequired, message)
    }

    /// The session ended before it could answer: its page went, or its user is signed out.
    pub(crate) fn session_ended() -> Self {
        let message = "the session ended before it could answer; trying again begins a new one";
        Self { retry_after_s: Some(2.0), ..Self::new(Code::SessionEnded, message) }
    }

    /// Whoever opened the session is not signed in any more.
    pub(crate) fn signed_out() -> Self {
        let message = "the session has ended, as what you signed in with has expired or was \
                       revoked; sign in again";
        Self::new(Code::SignInRequired, message)
    }

    /// What was shown signs nobody in. Does not say why: that helps only those who guess.
    pub(crate) fn sign_in_failed() -> Self {
        let message = "this key does not sign anybody in: it may be mistyped, expired or revoked. \
                       Whoever runs this server can give you another";
        Self::new(Code::SignInFailed, message)
    }

    /// Who asks may not bring a VLM server, or a key for one, of their own.
    pub(crate) fn no_own_endpoint() -> Self {
        let message = "you may use this server's own VLM only; leave api_base and api_key empty";
        Self::new(Code::NotAllowed, message).about("api_base")
    }

    /// The operator wants pictures from pages.
    pub(crate) fn pictures_only() -> Self {
        let message = "this server takes single pictures over the WebSocket, and no video by \
                       WebRTC: send send_pictures there";
        Self::new(Code::PicturesOnly, message)
    }

    /// The operator wants video from pages.
    pub(crate) fn no_pictures() -> Self {
        let message = "this server takes video by WebRTC only, and no single pictures";
        Self::new(Code::NotAllowed, message).about("type")
    }

    /// What was sent is no picture that can be used.
    pub(crate) fn not_a_picture(why: &dyn std::fmt::Display) -> Self {
        let message = format!("the picture cannot be used: {why}");
        Self::new(Code::NotAPicture, message)
            .allowing("8 bytes, then a baseline JPEG of up to 4096x2304 pixels")
    }

    /// A picture that nobody waits for.
    pub(crate) fn unasked(why: &str) -> Self {
        let message = format!("{why}; send one picture for each frame_wanted");
        Self::new(Code::Unasked, message)
    }

    /// RTSP sources are not built yet.
    pub(crate) fn no_rtsp() -> Self {
        let message = "RTSP sources are not built yet; send the camera from a browser";
        Self::new(Code::NotImplemented, message)
    }

    /// The `api_base` is, or leads to, where this client may not reach.
    pub(crate) fn not_allowed(error: &vlm_client::Error) -> Self {
        let allowed = "a public address, or one in allowed_api_bases";
        let inside = match error.kind {
            vlm_client::ErrorKind::Forbidden { inside, .. } => Some(inside),
            _ => None,
        };
        let refusal = Self::new(Code::NotAllowed, error.to_string()).about("api_base");
        Self { inside, ..refusal.allowing(allowed) }
    }

    /// Our fault. `why` goes to the log only.
    pub(crate) fn internal(why: &dyn std::fmt::Display) -> Self {
        static LOG: LazyLock<LogLimit<()>> = LazyLock::new(|| LogLimit::new(FAILURES_LOGGED));
        if let Some(before) = LOG.due((), Instant::now()) {
            let before = (before > 0).then_some(before);
            tracing::error!(%why, before, "a request failed");
        }
        let message = "the server failed; its log says why. Trying again may help";
        Self { retry_after_s: Some(2.0), ..Self::new(Code::Internal, message) }
    }
}

impl From<&Refusal> for Refused {
    fn from(refusal: &Refusal) -> Self {
        Self {
            code: refusal.code,
            field: refusal.field.clone(),
            limit: refusal.limit,
            inside: refusal.inside,
        }
    }
}

impl From<BadChoice> for Refusal {
    fn from(error: BadChoice) -> Self {
        Self::field(error.field, error.allowed)
    }
}

impl From<OfferError> for Refusal {
    fn from(error: OfferError) -> Self {
        let code = match &error {
            OfferError::TooLarge { .. } => Code::TooLarge,
            OfferError::Malformed { .. } => Code::BadOffer,
            OfferError::NoVideo => Code::NoVideo,
            OfferError::UnsupportedCodec { .. } => Code::UnsupportedCodec,
            _ => return Self::internal(&error),
        };
        let allowed = match &error {
            OfferError::UnsupportedCodec { allowed, .. } => {
                let names: Vec<_> = allowed.iter().map(|codec| codec.encoding_name()).collect();
                Some(names.join(", "))
            }
            OfferError::TooLarge { .. } => Some(format!("up to {} bytes", OfferError::MAX_BYTES)),
            _ => None,
        };
        Self { allowed, ..Self::new(code, error.to_string()) }.about("sdp")
    }
}

impl From<OfferFailure> for Refusal {
    fn from(failure: OfferFailure) -> Self {
        let message = failure.to_string();
        match failure {
            OfferFailure::Offer(error) => error.into(),
            OfferFailure::Refused { retry_after } => Self {
                retry_after_s: Some(retry_after.as_secs_f64().ceil()),
                ..Self::new(Code::NotAllowed, message)
            },
            OfferFailure::Full => Self {
                retry_after_s: Some(OVERLOADED_RETRY.as_secs_f64()),
                ..Self::new(Code::Overloaded, message)
            },
            OfferFailure::Gone(_) | OfferFailure::Closing => {
                Self { retry_after_s: Some(2.0), ..Self::new(Code::SessionEnded, message) }
            }
            _ => Self::internal(&failure),
        }
    }
}

impl From<BadKey> for Refusal {
    fn from(error: BadKey) -> Self {
        let allowed = "a key on one line, without spaces";
        Self { message: format!("api_key: {error}"), ..Self::field("api_key", allowed) }
    }
}

impl From<BadEndpoint> for Refusal {
    fn from(error: BadEndpoint) -> Self {
        if let BadEndpoint::Forbidden(error) = &error {
            return Self::not_allowed(error);
        }
        let allowed = "an http or https URL such as http://host:8000/v1";
        Self { message: format!("api_base: {error}"), ..Self::field("api_base", allowed) }
    }
}

impl From<CannotAsk> for Refusal {
    fn from(error: CannotAsk) -> Self {
        match error {
            CannotAsk::Endpoint(error) => error.into(),
            _ => Self::no_own_endpoint(),
        }
    }
}

impl From<CannotSignIn> for Refusal {
    fn from(error: CannotSignIn) -> Self {
        match error {
            CannotSignIn::TooOften(reached) => reached.into(),
            _ => Self::sign_in_failed(),
        }
    }
}

impl From<NotRemembered> for Refusal {
    fn from(error: NotRemembered) -> Self {
        match error {
            NotRemembered::Off => Self::sign_in_failed(),
            error => Self::internal(&error),
        }
    }
}

/// The refusal of a new session.
impl From<Overloaded> for Refusal {
    fn from(reached: Overloaded) -> Self {
        let (limit, value) = match reached {
            Overloaded::Cpu { most, .. } => (Limit::MaxCpu, (most * 100.0).round() as u64),
            Overloaded::Resident { most, .. } => (Limit::MaxMemory, most >> 20),
            Overloaded::Available { least, .. } => (Limit::FreeMemory, least >> 20),
        };
        let message = format!("this server has no room for another session: {reached}");
        Self {
            retry_after_s: Some(OVERLOADED_RETRY.as_secs_f64()),
            limit: Some(limit),
            value: Some(value),
            ..Self::new(Code::Overloaded, message)
        }
    }
}

impl From<LimitReached> for Refusal {
    fn from(reached: LimitReached) -> Self {
        Self {
            // To the millisecond, which is how long anybody waits.
            retry_after_s: Some((reached.retry_after.as_secs_f64() * 1000.0).ceil() / 1000.0),
            limit: Some(reached.limit),
            value: Some(reached.value),
            ..Self::new(Code::LimitReached, reached.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_of_an_overloaded_server_names_the_limit() {
        let refusal = Refusal::from(Overloaded::Resident { used: 2 << 20, most: 1 << 20 });
        assert_eq!((refusal.limit, refusal.value), (Some(Limit::MaxMemory), Some(1)));
        assert_eq!((refusal.code, refusal.retry_after_s), (Code::Overloaded, Some(10.0)));
    }

    #[test]
    fn what_is_behind_a_name_is_noted_for_the_log_and_not_sent() {
        let inside = AddressKind::Private;
        let forbidden = vlm_client::ErrorKind::Forbidden { reason: "its name".into(), inside };
        let error = vlm_client::Error::new("http://vlm.example", forbidden);
        let refusal = Refusal::not_allowed(&error);
        assert_eq!(Refused::from(&refusal).inside, Some(inside));
        let sent = serde_json::to_string(&refusal).unwrap();
        assert!(sent.contains("vlm.example") && !sent.contains("private"), "{sent}");
    }
}
