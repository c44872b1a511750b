//! What the server refuses, and why.

use reqwest::{Response, header};
use serde_json::Value;

/// A refused request.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// Its HTTP status.
    pub status: u16,
    /// The `Retry-After` header.
    pub retry_after: Option<String>,
    /// The body, `null` if it is no JSON.
    pub body: Value,
}

impl Refused {
    /// A response that is taken for a refusal.
    pub async fn of(response: Response) -> Self {
        let status = response.status().as_u16();
        let header = response.headers().get(header::RETRY_AFTER);
        let retry_after = header.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = response.json().await.unwrap_or_default();
        Self { status, retry_after, body }
    }

    /// What it says is wrong: the code and the field.
    pub fn about(&self) -> (&str, &str) {
        about(&self.body)
    }
}

/// The code and the field of an `error` message.
pub fn about(error: &Value) -> (&str, &str) {
    let text = |name: &str| error[name].as_str().unwrap_or_default();
    (text("code"), text("field"))
}
