//! Fields of a request that are the user's own: what one server knows and others do not.

use std::fmt;

use serde_json::{Map, Value};

/// Longer than anybody writes by hand.
const MAX_BYTES: usize = 64 << 10;
/// What makes a request ours: an answer would not be read, or not be about the video, without.
const RESERVED: [&str; 3] = ["model", "messages", "stream"];
/// What may only be left out: without it a server may not count tokens, and that is all.
const OPTIONAL: &str = "stream_options";

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
    /// It has a value for a field that is ours, and may only be left out.
    #[error("it may have {0:?} only as null, which leaves it out")]
    NotNull(String),
    /// It is too long.
    #[error("it has more than {MAX_BYTES} bytes")]
    TooLong,
}

impl ExtraBody {
    /// Reads a JSON object of at most 64 KiB; an empty text has no fields.
    ///
    /// # Errors
    /// When it is something else, or has `model`, `messages` or `stream`, or `stream_options` as
    /// anything but `null`.
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
        Self::of(fields)
    }

    /// These fields.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn of(fields: Map<String, Value>) -> Result<Self, BadExtraBody> {
        if let Some(name) = fields.keys().find(|name| RESERVED.contains(&name.as_str())) {
            return Err(BadExtraBody::Reserved(name.clone()));
        }
        match fields.get(OPTIONAL) {
            Some(value) if !value.is_null() => Err(BadExtraBody::NotNull(OPTIONAL.to_owned())),
            _ => Ok(Self(fields)),
        }
    }

    /// The same with those fields of `others` that it says nothing of.
    #[must_use]
    pub fn over(&self, others: &Self) -> Self {
        let mut fields = others.0.clone();
        fields.extend(self.0.iter().map(|(name, value)| (name.clone(), value.clone())));
        Self(fields)
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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

/// As JSON, as [`ExtraBody::parse`] reads it.
impl fmt::Display for ExtraBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().enumerate();
        f.write_str("{")?;
        for (at, (name, value)) in names {
            let comma = if at > 0 { "," } else { "" };
            write!(f, "{comma}{}:{value}", Value::from(name.as_str()))?;
        }
        f.write_str("}")
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
    fn what_is_said_nearer_goes_before_what_is_said_further_off() {
        let parse = |text: &str| ExtraBody::parse(text).unwrap();
        let both = parse(r#"{"a": 1, "b": null}"#).over(&parse(r#"{"b": 2, "c": 3}"#));
        assert_eq!(both, parse(r#"{"a": 1, "b": null, "c": 3}"#));
        assert_eq!(both.to_string(), r#"{"a":1,"b":null,"c":3}"#);
    }

    #[test]
    fn what_cannot_be_merged_is_refused_with_the_reason() {
        let refused = |text: &str| ExtraBody::parse(text).unwrap_err();
        assert!(matches!(refused("top_p: 0.9"), BadExtraBody::Syntax(_)));
        assert_eq!(refused("[1]"), BadExtraBody::NoObject);
        assert_eq!(refused(r#"{"messages": []}"#), BadExtraBody::Reserved("messages".into()));
        let options = r#"{"stream_options": {"include_usage": false}}"#;
        assert_eq!(refused(options), BadExtraBody::NotNull("stream_options".into()));
        assert!(ExtraBody::parse(r#"{"stream_options": null}"#).unwrap().has("stream_options"));
        assert_eq!(refused(&" ".repeat(MAX_BYTES + 1)), BadExtraBody::TooLong);
    }
}
