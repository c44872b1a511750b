//! How a refusal goes over HTTP.

use axum::{
    Json,
    extract::rejection::QueryRejection,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    protocol::ServerMessage,
    refusal::{Code, Refusal, Refused},
};

impl From<QueryRejection> for Refusal {
    fn from(error: QueryRejection) -> Self {
        Self::new(Code::BadField, error.body_text())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, refused) = (status(self.code), Refused::from(&self));
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

fn status(code: Code) -> StatusCode {
    match code {
        Code::BadJson
        | Code::UnknownType
        | Code::BadField
        | Code::BadSessionId
        | Code::NoVideo
        | Code::BadOffer
        | Code::NotAPicture
        | Code::Unasked => StatusCode::BAD_REQUEST,
        Code::UnsupportedCodec => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::SessionTaken | Code::ForeignOrigin | Code::NotAllowed | Code::PicturesOnly => {
            StatusCode::FORBIDDEN
        }
        Code::SignInRequired | Code::SignInFailed => StatusCode::UNAUTHORIZED,
        Code::LimitReached => StatusCode::TOO_MANY_REQUESTS,
        Code::TooManySessions | Code::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        Code::NotImplemented => StatusCode::NOT_IMPLEMENTED,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::SessionEnded => StatusCode::GONE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
