//! What goes wrong, in the shape that OpenAI clients read.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::bounds::{LONGEST_USER, MOST_PICTURES};
use crate::picture::PictureError;
use crate::{BRIEF_MODEL, MODEL};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("The request is not valid: {}", shortened(.0))]
    Malformed(#[from] serde_json::Error),
    #[error("The model `{0}` does not exist; there are `{MODEL}` and `{BRIEF_MODEL}`")]
    UnknownModel(String),
    #[error("`messages` is empty")]
    NoMessages,
    #[error("No message holds a picture: send a part of type `image_url` with a `data:` URL")]
    NoPicture,
    #[error("The request holds {0} pictures; at most {max} are taken", max = MOST_PICTURES)]
    TooManyPictures(usize),
    #[error("`{0}` must be at least 1")]
    NoTokens(&'static str),
    #[error("`user` is longer than {max} bytes", max = LONGEST_USER)]
    LongUser,
    #[error("{0}")]
    Picture(#[from] PictureError),
    #[error("The request is larger than {0} bytes")]
    TooLarge(usize),
    #[error("The request did not arrive in time")]
    Slow,
    #[error("The request could not be read: {0}")]
    Broken(axum::Error),
    #[error("Too many requests are waiting; try again in {retry_after} s")]
    Overloaded { retry_after: u64 },
    #[error("The server is shutting down")]
    Closing,
    #[error("There is no such route")]
    NoRoute,
    #[error("This route does not take this method")]
    WrongMethod,
    #[error("The picture could not be measured")]
    Failed,
}

/// The parser quotes what it did not expect, which may be a whole picture.
fn shortened(error: &serde_json::Error) -> String {
    error.to_string().chars().take(200).collect()
}

impl ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_)
            | Self::NoMessages
            | Self::NoPicture
            | Self::TooManyPictures(_)
            | Self::NoTokens(_)
            | Self::LongUser
            | Self::Picture(_)
            | Self::Broken(_) => StatusCode::BAD_REQUEST,
            Self::UnknownModel(_) | Self::NoRoute => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Overloaded { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Closing => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Overloaded { .. } => "rate_limit_error",
            Self::Closing | Self::Failed => "server_error",
            _ => "invalid_request_error",
        }
    }

    fn param(&self) -> Option<&'static str> {
        match self {
            Self::UnknownModel(_) => Some("model"),
            Self::NoMessages | Self::NoPicture | Self::TooManyPictures(_) | Self::Picture(_) => {
                Some("messages")
            }
            Self::NoTokens(param) => Some(param),
            Self::LongUser => Some("user"),
            _ => None,
        }
    }

    fn code(&self) -> Option<&'static str> {
        match self {
            Self::UnknownModel(_) => Some("model_not_found"),
            Self::Picture(error) => Some(error.code()),
            Self::TooLarge(_) => Some("request_too_large"),
            Self::Overloaded { .. } => Some("overloaded"),
            _ => None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let error = json!({
            "message": self.to_string(),
            "type": self.kind(),
            "param": self.param(),
            "code": self.code(),
        });
        let mut response = (self.status(), Json(json!({ "error": error }))).into_response();
        if let Self::Overloaded { retry_after } = self {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
        }
        response
    }
}
