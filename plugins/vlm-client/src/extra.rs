//! Fields of a request that are the user's own: what one server knows and others do not.

use serde_json::{Map, Value};

/// Longer than anybody writes by hand.
const MAX_BYTES: usize = 64 << 10;
/// What makes a request ours: an answer would not be read, or not be about the video, without.
const RESERVED: [&str; 4] = ["model", "messages", "stream", "stream_options"];

/// Fields that go into each request beside ours, or in place of one of ours; `null` leaves ours
/// out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExtraBody(Map<String, Value>);

/// Why a text is no [`ExtraBody`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadExtraBody {
    /// It is not JSON.
    #[error("it is not JSON ({0}); write an object such as {{\"top_p\": 0.9}}")]
    Syntax(String),
    /// It is another kind of JSON.
    #[error("it is not a JSON object; write one such as {{\"top_p\": 0.9}}")]
    NoObject,
    /// It has a field that is ours.
    #[error("it may not have {0:?}, which this client sets itself")]
    Reserved(String),
    /// It is too long.
    #[error("it has more than {MAX_BYTES} bytes")]
    TooLong,
}

impl ExtraBody {
    /// Reads a JSON object of at most 64 KiB; an empty text has no fields.
    ///
    /// # Errors
    /// When it is something else, or has `model`, `messages`, `stream` or `stream_options`.
    pub fn parse(text: &str) -> Result<Self, BadExtraBody> {
        if text.len() > MAX_BYTES {
            return Err(BadExtraBody::TooLong);
        }
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let value =
            serde_json::from_str(text).map_err(|error| BadExtraBody::Syntax(error.to_string()))?;
        let Value::Object(fields) = value else { return Err(BadExtraBody::NoObject) };
        match fields.keys().find(|name| RESERVED.contains(&name.as_str())) {
            Some(name) => Err(BadExtraBody::Reserved(name.clone())),
            None => Ok(Self(fields)),
        }
    }

    /// Whether it says something of this field.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The fields to send.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter().filter(|(_, value)| !value.is_null())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_taken_and_nothing_is_no_field() {
        let extra = ExtraBody::parse(r#"{"top_p": 0.9, "max_tokens": null}"#).unwrap();
        assert!(extra.has("top_p") && extra.has("max_tokens"));
        assert_eq!(extra.fields().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["top_p"]);
        assert_eq!(ExtraBody::parse(" \n").unwrap(), ExtraBody::default());
    }

    #[test]
    fn what_cannot_be_merged_is_refused_with_the_reason() {
        let refused = |text: &str| ExtraBody::parse(text).unwrap_err();
        assert!(matches!(refused("top_p: 0.9"), BadExtraBody::Syntax(_)));
        assert_eq!(refused("[1]"), BadExtraBody::NoObject);
        assert_eq!(refused(r#"{"messages": []}"#), BadExtraBody::Reserved("messages".into()));
        assert_eq!(refused(&" ".repeat(MAX_BYTES + 1)), BadExtraBody::TooLong);
    }
}
