//! How a request is refused: one type for HTTP and WebSocket.

use std::{sync::LazyLock, time::Instant};

use axum::{
    Json,
    extract::rejection::QueryRejection,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use live_vlm_pipelines::OfferError;
use serde::{Deserialize, Serialize};
use vlm_client::{AddressKind, BadEndpoint, BadKey};

use crate::{
    limits::{Limit, LimitReached},
    log_limit::LogLimit,
    protocol::ServerMessage,
    refusals::Refused,
};

/// Failures a minute of our own that are logged.
const FAILURES_LOGGED: u64 = 10;

/// Why a request was not carried out: one word for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
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
    /// The offer is unusable.
    BadOffer,
    /// The server is one that this client may not ask.
    NotAllowed,
    /// As many sessions run as may, or the server ends.
    TooManySessions,
    /// The server has no CPU time or memory for another session.
    Overloaded,
    /// A limit allows no more; `limit` says which.
    LimitReached,
    /// Not built yet.
    NotImplemented,
    /// The request comes from another site's page.
    ForeignOrigin,
    /// Nobody is signed in.
    SignInRequired,
    /// The key or token that was shown signs nobody in.
    SignInFailed,
    /// There is nothing at this address.
    NotFound,
    /// Our fault; the log has more.
    Internal,
}

/// A refused request, as the client gets it: over HTTP as the body, over the WebSocket as an
/// `error` message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why, in one word.
    pub code: Code,
    /// The field at fault.
    pub field: Option<String>,
    /// What happened and what to do.
    pub message: String,
    /// What would have been right.
    pub allowed: Option<String>,
    /// When to try again, in seconds.
    pub retry_after_s: Option<f64>,
    /// The limit that allows no more.
    pub limit: Option<Limit>,
    /// How much it allows.
    pub value: Option<u64>,
    /// What is at the address that was named. For the log alone, and never sent.
    #[serde(skip)]
    pub inside: Option<AddressKind>,
}

impl Refusal {
    /// A refusal that concerns no field.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
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
    pub fn field(field: &str, allowed: impl Into<String>) -> Self {
        let allowed = allowed.into();
        Self::new(Code::BadField, format!("{field} must be {allowed}"))
            .about(field)
            .allowing(allowed)
    }

    /// Names the field at fault.
    #[must_use]
    pub fn about(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    /// Says what would have been right.
    #[must_use]
    pub fn allowing(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }

    /// Who asks must sign in first.
    pub fn sign_in_required() -> Self {
        let message = "sign in first: open the server's page, or send a key or a token as \
                       Authorization: Bearer";
        Self::new(Code::SignInRequired, message)
    }

    /// Whoever opened the session is not signed in any more.
    pub fn signed_out() -> Self {
        let message = "the session has ended, as what you signed in with has expired or was \
                       revoked; sign in again";
        Self::new(Code::SignInRequired, message)
    }

    /// What was shown signs nobody in. Does not say why: that helps only those who guess.
    pub fn sign_in_failed() -> Self {
        let message = "this key does not sign anybody in: it may be mistyped, expired or revoked. \
                       Whoever runs this server can give you another";
        Self::new(Code::SignInFailed, message)
    }

    /// Who asks may not bring a VLM server, or a key for one, of their own.
    pub fn no_own_endpoint() -> Self {
        let message = "you may use this server's own VLM only; leave api_base and api_key empty";
        Self::new(Code::NotAllowed, message).about("api_base")
    }

    /// RTSP sources are not built yet.
    pub fn no_rtsp() -> Self {
        let message = "RTSP sources are not built yet; send the camera from a browser";
        Self::new(Code::NotImplemented, message)
    }

    /// The `api_base` is, or leads to, where this client may not reach.
    pub fn not_allowed(error: &vlm_client::Error) -> Self {
        let allowed = "a public address, or one in allowed_api_bases";
        let inside = match error.kind {
            vlm_client::ErrorKind::Forbidden { inside, .. } => Some(inside),
            _ => None,
        };
        let refusal = Self::new(Code::NotAllowed, error.to_string()).about("api_base");
        Self { inside, ..refusal.allowing(allowed) }
    }

    /// Our fault. `why` goes to the log only.
    pub fn internal(why: &dyn std::fmt::Display) -> Self {
        static LOG: LazyLock<LogLimit<()>> = LazyLock::new(|| LogLimit::new(FAILURES_LOGGED));
        if let Some(before) = LOG.due((), Instant::now()) {
            let before = (before > 0).then_some(before);
            tracing::error!(%why, before, "a request failed");
        }
        let message = "the server failed; its log says why. Trying again may help";
        Self { retry_after_s: Some(2.0), ..Self::new(Code::Internal, message) }
    }

    fn status(&self) -> StatusCode {
        match self.code {
            Code::BadJson
            | Code::UnknownType
            | Code::BadField
            | Code::BadSessionId
            | Code::NoVideo
            | Code::BadOffer => StatusCode::BAD_REQUEST,
            Code::UnsupportedCodec => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::SessionTaken | Code::ForeignOrigin | Code::NotAllowed => StatusCode::FORBIDDEN,
            Code::SignInRequired | Code::SignInFailed => StatusCode::UNAUTHORIZED,
            Code::LimitReached => StatusCode::TOO_MANY_REQUESTS,
            Code::TooManySessions | Code::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Code::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
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

impl From<QueryRejection> for Refusal {
    fn from(error: QueryRejection) -> Self {
        Self::new(Code::BadField, error.body_text())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, refused) = (self.status(), Refused::from(&self));
        let retry_after = self.retry_after_s.map(|seconds| format!("{:.0}", seconds.ceil()));
        // RFC 6750, section 3.
        let challenge = match self.code {
            Code::SignInRequired => Some("Bearer"),
            Code::SignInFailed => Some("Bearer error=\"invalid_token\""),
            _ => None,
        };
        let mut response = (status, Json(ServerMessage::Error(self))).into_response();
        response.extensions_mut().insert(refused);
        if let Some(challenge) = challenge {
            let challenge = HeaderValue::from_static(challenge);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(value) = retry_after.and_then(|seconds| seconds.parse().ok()) {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response
    }
}
