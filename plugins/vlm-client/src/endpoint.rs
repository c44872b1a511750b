use url::{Host, Url};

use crate::ApiKey;

/// Where a VLM server is reached, together with the key that belongs to it.
///
/// A request takes its address and its key from one endpoint, so that a key is only ever sent to
/// the server it was given for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    base: Url,
    key: Option<ApiKey>,
}

/// Why a text is not the address of a VLM server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadEndpoint {
    /// It is no URL at all.
    #[error("{given:?} is not a URL ({reason}); expected for example http://localhost:8000/v1")]
    NotAUrl {
        /// What was given.
        given: String,
        /// What the URL parser disliked.
        reason: String,
    },
    /// Only HTTP servers can be asked.
    #[error("the scheme {scheme:?} cannot be asked; use http:// or https://")]
    Scheme {
        /// The scheme given.
        scheme: String,
    },
    /// Keys in URLs end up in logs.
    #[error(
        "a VLM server's address must not carry a user name, password, query or fragment; \
         give the key separately"
    )]
    Decorated,
}

impl Endpoint {
    /// An endpoint from the base address of its API (`http://localhost:8000/v1`) and its key.
    ///
    /// # Errors
    /// When `base` is not an absolute http or https URL, or carries credentials.
    pub fn new(base: &str, key: Option<ApiKey>) -> Result<Self, BadEndpoint> {
        let given = base.trim();
        let mut base = Url::parse(given).map_err(|error| BadEndpoint::NotAUrl {
            given: given.chars().take(80).collect(),
            reason: error.to_string(),
        })?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(BadEndpoint::Scheme { scheme: base.scheme().to_owned() });
        }
        let decorated = !base.username().is_empty()
            || base.password().is_some()
            || base.query().is_some()
            || base.fragment().is_some();
        if decorated {
            return Err(BadEndpoint::Decorated);
        }
        let path = base.path().trim_end_matches('/').to_owned();
        base.set_path(&path);
        Ok(Self { base, key })
    }

    /// The base address, without a slash at its end. Two endpoints with the same base are the
    /// same server.
    pub fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Whether the server is on this host.
    pub fn is_this_host(&self) -> bool {
        match self.base.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// Whether a key belongs to this endpoint.
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base())
    }

    /// The key, for setting up another client of the same server. It stays unreadable.
    pub fn key(&self) -> Option<&ApiKey> {
        self.key.as_ref()
    }

    /// `text` with this endpoint's key blotted out, for servers that quote it in their errors.
    pub(crate) fn without_key(&self, text: &str) -> String {
        match &self.key {
            Some(key) => text.replace(key.expose(), "(key)"),
            None => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_at_the_end_makes_no_difference() {
        let with = Endpoint::new("http://localhost:8000/v1/", None).unwrap();
        let without = Endpoint::new("http://localhost:8000/v1", None).unwrap();
        assert_eq!(with.base(), without.base());
        assert_eq!(with.url("models"), "http://localhost:8000/v1/models");
    }

    #[test]
    fn this_host_is_known_by_its_names() {
        let is_this_host = |base| Endpoint::new(base, None).unwrap().is_this_host();
        assert!(is_this_host("http://localhost:8000/v1"));
        assert!(is_this_host("http://127.0.0.1:8000/v1") && is_this_host("http://[::1]/v1"));
        assert!(!is_this_host("http://localhost.example/v1") && !is_this_host("http://192.0.2.1"));
    }

    #[test]
    fn what_is_no_http_url_is_refused() {
        for bad in ["", "localhost", "ftp://host/v1", "file:///etc/passwd", "http://"] {
            assert!(Endpoint::new(bad, None).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn credentials_in_the_address_are_refused() {
        assert_eq!(
            Endpoint::new("http://me:pw@host/v1", None).unwrap_err(),
            BadEndpoint::Decorated
        );
        assert_eq!(
            Endpoint::new("http://host/v1?key=1", None).unwrap_err(),
            BadEndpoint::Decorated
        );
    }

    #[test]
    fn an_endpoint_prints_without_its_key() {
        let endpoint = Endpoint::new("http://host/v1", ApiKey::new("sk-secret")).unwrap();
        assert!(!format!("{endpoint:?}").contains("secret"));
        assert_eq!(endpoint.without_key("bad key sk-secret"), "bad key (key)");
    }
}
