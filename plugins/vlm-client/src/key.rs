use secrecy::{ExposeSecret, SecretString};

/// A key of a VLM server. It has no way to be printed or serialised, and its memory is wiped when
/// it is dropped.
///
/// A key only leaves the process inside a request to the [`Endpoint`](crate::Endpoint) that it
/// was given with.
#[derive(Clone)]
pub struct ApiKey(SecretString);

impl ApiKey {
    /// Takes a key as a user wrote it. Empty keys, and `EMPTY` (what users of vLLM write where a
    /// key is demanded and none is needed), are no key.
    pub fn new(key: &str) -> Option<Self> {
        let key = key.trim();
        (!key.is_empty() && key != "EMPTY").then(|| Self(key.into()))
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
    fn an_empty_key_is_no_key() {
        assert!(ApiKey::new("  ").is_none());
        assert!(ApiKey::new("EMPTY").is_none());
    }
}
