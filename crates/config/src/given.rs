//! What goes with each request to one VLM server: its key, headers and fields.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de};
use vlm_client::{ApiKey, BadExtraBody, BadKey, ExtraBody, ExtraHeaders};

/// A key as it was given, empty ones included. Its `Debug` form does not show it.
///
/// On the command line it is checked later, as `clap` repeats what it refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenKey(Result<Option<ApiKey>, BadKey>);

impl GivenKey {
    /// The key, if it is not blank.
    ///
    /// # Errors
    /// When it cannot be one.
    pub fn get(&self) -> Result<Option<ApiKey>, BadKey> {
        self.0.clone()
    }

    /// Whether there is one, be it good or bad.
    pub fn is_given(&self) -> bool {
        self.0 != Ok(None)
    }
}

impl FromStr for GivenKey {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(ApiKey::parse(text)))
    }
}

impl<'de> Deserialize<'de> for GivenKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = SecretText::deserialize(from)?;
        let key = ApiKey::parse(&text.0).map_err(de::Error::custom)?;
        Ok(Self(Ok(key)))
    }
}

/// A text that no error shows. serde's own would show one that somebody wrote without quotes.
struct SecretText(String);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;

        impl de::Visitor<'_> for Text {
            type Value = SecretText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<SecretText, E> {
                Ok(SecretText(text.to_owned()))
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<SecretText, E> {
                Err(E::custom("must be a text in quotes"))
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<SecretText, E> {
                Err(E::custom("must be a text in quotes"))
            }
        }

        from.deserialize_any(Text)
    }
}

/// Headers for one VLM server. Their values are never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenHeaders(ExtraHeaders);

impl GivenHeaders {
    /// The headers.
    pub fn get(&self) -> &ExtraHeaders {
        &self.0
    }
}

impl<'de> Deserialize<'de> for GivenHeaders {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let headers = BTreeMap::<String, SecretText>::deserialize(from)?;
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.0.as_str()));
        ExtraHeaders::new(headers).map(Self).map_err(de::Error::custom)
    }
}

/// Fields for each request to one VLM server: a table, or JSON in a text, as TOML has no `null`.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenFields(ExtraBody);

impl GivenFields {
    /// The fields.
    pub fn get(&self) -> &ExtraBody {
        &self.0
    }
}

impl<'de> Deserialize<'de> for GivenFields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let fields = match serde_json::Value::deserialize(from)? {
            serde_json::Value::Object(fields) => ExtraBody::of(fields),
            serde_json::Value::String(text) => ExtraBody::parse(&text),
            _ => Err(BadExtraBody::NoObject),
        };
        fields.map(Self).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_key_is_not_printed() {
        let key: GivenKey = "sk-very-secret".parse().unwrap();
        assert!(key.is_given() && key.get().unwrap().is_some());
        assert!(!format!("{key:?}").contains("secret"));
        let bad: GivenKey = "sk-very\nsecret".parse().unwrap();
        assert!(bad.is_given() && bad.get().is_err());
        assert!(!format!("{bad:?}").contains("secret"));
        assert!(!GivenKey::from_str(" ").unwrap().is_given());
    }
}
