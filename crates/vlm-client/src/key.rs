use std::hash::{Hash, Hasher};

use secrecy::{ExposeSecret, SecretString};

/// A key of a VLM server. It has no way to be printed or serialised, and its memory is wiped when
/// it is dropped.
///
/// A key only leaves the process inside a request to the [`Endpoint`](crate::Endpoint) that it
/// was given with.
#[derive(Clone)]
pub struct ApiKey(SecretString);

/// Why a text is no key. Never shows the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadKey {
    /// It goes over several lines: two keys, or a whole file.
    #[error("the key has a line break inside; give the key alone, on one line")]
    LineBreak,
    /// It has a character that no header can have.
    #[error(
        "the key has a character that no key has, such as a space, a typographic quote or an \
         invisible one; copy it anew"
    )]
    Character,
}

impl ApiKey {
    /// Takes a key as a user wrote it: with blanks around it, with the `Bearer` that goes before it
    /// in a request. Empty keys, and `EMPTY` (what users of vLLM write where a key is demanded and
    /// none is needed), are no key.
    ///
    /// # Errors
    /// When it cannot be a key.
    pub fn parse(key: &str) -> Result<Option<Self>, BadKey> {
        // Editors put the last one before the text of a file, and env files quotes around values.
        let is_around = |c: char| c.is_whitespace() || "\u{feff}\"'".contains(c);
        let key = key.trim_matches(is_around);
        let key = match key.split_at_checked("bearer".len()) {
            Some((word, rest))
                if word.eq_ignore_ascii_case("bearer") && rest.starts_with([' ', '\t']) =>
            {
                rest.trim()
            }
            _ => key,
        };
        if key.is_empty() || key == "EMPTY" || key.eq_ignore_ascii_case("bearer") {
            return Ok(None);
        }
        if key.contains(['\n', '\r']) {
            return Err(BadKey::LineBreak);
        }
        match key.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Some(Self(key.into()))),
            false => Err(BadKey::Character),
        }
    }

    /// The same where what cannot be a key is none.
    pub fn new(key: &str) -> Option<Self> {
        Self::parse(key).ok().flatten()
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for ApiKey {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for ApiKey {}

/// For maps by key. What it gives is as secret as the key.
impl Hash for ApiKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expose().hash(state);
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_printed() {
        let key = ApiKey::new("sk-very-secret").unwrap();
        assert!(!format!("{key:?}").contains("secret"));
    }

    #[test]
    fn a_key_may_be_written_as_it_is_sent() {
        for text in
            ["sk-1", " sk-1\r\n", "\u{feff}sk-1", "\"sk-1\"", "Bearer sk-1", "bearer   sk-1 "]
        {
            assert_eq!(ApiKey::parse(text).unwrap().unwrap().expose(), "sk-1", "{text:?}");
        }
        assert_eq!(ApiKey::new("bearer-1").unwrap().expose(), "bearer-1");
    }

    #[test]
    fn an_empty_key_is_no_key() {
        for text in ["", "  ", "EMPTY", "Bearer ", "Bearer EMPTY"] {
            assert_eq!(ApiKey::parse(text), Ok(None), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_and_not_shown() {
        for text in ["sk-secret\nsk-other", "sk-secret\r\nx", "Bearer sk-\nsecret"] {
            assert_eq!(ApiKey::parse(text), Err(BadKey::LineBreak), "{text:?}");
        }
        for text in ["sk secret", "“sk-secret”", "sk-\u{200b}secret", "sk-\0secret"] {
            assert_eq!(ApiKey::parse(text), Err(BadKey::Character), "{text:?}");
        }
        assert!(!BadKey::LineBreak.to_string().contains("secret"));
    }
}
