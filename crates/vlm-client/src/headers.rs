//! Headers that one server, or the gateway before it, wants beside ours.

use std::fmt;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

/// More than any gateway wants, and longer than any key.
const MOST: usize = 32;
const LONGEST: usize = 8 << 10;
/// What a request is made of: these are the connection's.
const OURS: [&str; 9] = [
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "te",
    "trailer",
    "upgrade",
    "expect",
];

/// Headers for requests to one server. Their values may be keys: as a key, they have no way to be
/// printed or serialised, and leave the process only with a request to the
/// [`Endpoint`](crate::Endpoint) that they were given with.
#[derive(Clone, Default)]
pub struct ExtraHeaders(Vec<(HeaderName, SecretString)>);

/// Why these are no [`ExtraHeaders`]. Never shows a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadHeaders {
    /// The text is no object of texts.
    #[error("write a JSON object of texts, such as {{\"x-portkey-provider\": \"openai\"}}")]
    NoObject,
    /// No header is called so.
    #[error("{0:?} is no name of a header")]
    Name(String),
    /// The header is the connection's.
    #[error("{0:?} may not be set, as the request needs its own")]
    Ours(String),
    /// It has a value that no header can have.
    #[error("the value of {0:?} has a line break or another character that no header has")]
    Value(String),
    /// There are too many, or they are too long.
    #[error("there may be {MOST} headers, of {LONGEST} bytes each")]
    TooMany,
}

impl ExtraHeaders {
    /// These names and values.
    ///
    /// # Errors
    /// When one of them cannot be a header, or may not be set.
    pub fn new<'a>(
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, BadHeaders> {
        let mut taken: Vec<(HeaderName, SecretString)> = Vec::new();
        for (name, value) in headers {
            let bad = || BadHeaders::Name(name.chars().take(80).collect());
            let parsed = HeaderName::try_from(name.trim()).map_err(|_| bad())?;
            if OURS.contains(&parsed.as_str()) {
                return Err(BadHeaders::Ours(parsed.to_string()));
            }
            let value = value.trim();
            if HeaderValue::try_from(value).is_err() || !value.is_ascii() {
                return Err(BadHeaders::Value(parsed.to_string()));
            }
            if taken.len() >= MOST || value.len() > LONGEST {
                return Err(BadHeaders::TooMany);
            }
            taken.retain(|(own, _)| *own != parsed);
            taken.push((parsed, value.into()));
        }
        taken.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
        Ok(Self(taken))
    }

    /// Reads a JSON object of texts; an empty text has no headers.
    ///
    /// # Errors
    /// When it is something else, or as [`new`](Self::new).
    pub fn parse(text: &str) -> Result<Self, BadHeaders> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        if text.len() > MOST * LONGEST {
            return Err(BadHeaders::TooMany);
        }
        // serde's own error could show a value.
        let fields: std::collections::BTreeMap<String, String> =
            serde_json::from_str(text).map_err(|_| BadHeaders::NoObject)?;
        Self::new(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What they are called, in lower case.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// As they are sent.
    pub(crate) fn to_map(&self) -> HeaderMap {
        let values = self.0.iter().filter_map(|(name, value)| {
            let mut value = HeaderValue::try_from(value.expose_secret()).ok()?;
            value.set_sensitive(true);
            Some((name.clone(), value))
        });
        values.collect()
    }

    pub(crate) fn has(&self, name: &HeaderName) -> bool {
        self.0.iter().any(|(own, _)| own == name)
    }

    /// The values that may be secrets. What is none, such as a provider's name, would blot half a
    /// sentence out.
    pub(crate) fn values(&self) -> impl Iterator<Item = &str> {
        let values = self.0.iter().map(|(_, value)| value.expose_secret());
        values.filter(|value| value.len() >= 8)
    }
}

impl PartialEq for ExtraHeaders {
    fn eq(&self, other: &Self) -> bool {
        let same =
            |((a, b), (c, d)): (&(HeaderName, SecretString), &(HeaderName, SecretString))| {
                a == c && b.expose_secret() == d.expose_secret()
            };
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(same)
    }
}

impl Eq for ExtraHeaders {}

impl fmt::Debug for ExtraHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.names().map(|name| (name, "…"))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_and_their_values_are_never_printed() {
        let headers = ExtraHeaders::parse(
            r#"{"X-Portkey-Api-Key": " pk-secret ", "helicone-auth": "Bearer secret"}"#,
        )
        .unwrap();
        assert_eq!(headers.names().collect::<Vec<_>>(), ["helicone-auth", "x-portkey-api-key"]);
        assert_eq!(headers.to_map()["x-portkey-api-key"], "pk-secret");
        assert!(headers.to_map()["helicone-auth"].is_sensitive());
        assert!(!format!("{headers:?}").contains("secret"), "{headers:?}");
        assert_eq!(headers.values().collect::<Vec<_>>(), ["Bearer secret", "pk-secret"]);
        assert_eq!(
            headers,
            ExtraHeaders::parse(
                r#"{"helicone-auth": "Bearer secret", "x-portkey-api-key": "pk-secret"}"#
            )
            .unwrap()
        );
        assert!(ExtraHeaders::parse(" \n").unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_a_header_is_refused_without_its_value() {
        let refused = |text: &str| {
            let refused = ExtraHeaders::parse(text).unwrap_err();
            assert!(!refused.to_string().contains("secret"), "{refused}");
            refused
        };
        assert_eq!(refused("[1]"), BadHeaders::NoObject);
        assert_eq!(refused(r#"{"a": {"secret": 1}}"#), BadHeaders::NoObject);
        assert_eq!(refused(r#"{"a b": "secret"}"#), BadHeaders::Name("a b".into()));
        assert_eq!(refused(r#"{"Host": "secret"}"#), BadHeaders::Ours("host".into()));
        assert_eq!(refused(r#"{"a": "sec\nret"}"#), BadHeaders::Value("a".into()));
        let many: String = (0..40).map(|n| format!(r#""a{n}": "secret","#)).collect();
        assert_eq!(refused(&format!(r#"{{{many}"b": ""}}"#)), BadHeaders::TooMany);
    }
}
