use std::sync::Arc;

use url::Url;

use crate::{
    ApiKey, Error,
    reach::{Blocked, Gate, Reach, is_this_host},
};

/// Where a VLM server is reached, together with the key that belongs to it.
///
/// A request takes its address and its key from one endpoint, so that a key is only ever sent to
/// the server it was given for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    base: Url,
    key: Option<ApiKey>,
    /// What it may reach, if somebody else named it.
    reach: Option<Arc<Reach>>,
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
    /// It is, or its name says that it is, where this one may not reach.
    #[error("{0}")]
    Forbidden(Box<Error>),
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
        Ok(Self { base, key, reach: None })
    }

    /// An endpoint that somebody named who may not ask everything that this host can. Only what
    /// `reach` allows is ever connected to, whatever the name leads to by then.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when the address itself is not allowed.
    pub fn foreign(
        base: &str,
        key: Option<ApiKey>,
        reach: Arc<Reach>,
    ) -> Result<Self, BadEndpoint> {
        let endpoint = Self { reach: Some(reach), ..Self::new(base, key)? };
        match endpoint.gate() {
            Ok(_) => Ok(endpoint),
            Err(error) => Err(BadEndpoint::Forbidden(Box::new(error))),
        }
    }

    /// What it may reach, if somebody else named it.
    pub fn reach(&self) -> Option<&Arc<Reach>> {
        self.reach.as_ref()
    }

    /// What to check the addresses of its name with before connecting; `None` = nothing. An
    /// error if the host may not be asked at all.
    pub(crate) fn gate(&self) -> Result<Option<Gate>, Error> {
        let port = self.base.port_or_known_default().unwrap_or_default();
        let Some(gate) = self.reach.as_ref().and_then(|reach| reach.at_port(port)) else {
            return Ok(None);
        };
        match self.base.host().map_or(Ok(()), |host| gate.check_host(&host)) {
            Ok(()) => Ok(Some(gate)),
            // They wrote it themselves, and learn nothing.
            Err(blocked) => Err(self.forbidden(blocked, blocked.to_string())),
        }
    }

    /// Its name leads where it may not reach. Whoever named it is not told what is there: they
    /// could find out about every name inside.
    pub(crate) fn leads_astray(&self, blocked: Blocked) -> Error {
        tracing::debug!(base = self.base(), inside = %blocked.0, "an endpoint was refused");
        let reason = "its name leads neither to a public address nor to one that is allowed";
        self.forbidden(blocked, reason.to_owned())
    }

    fn forbidden(&self, blocked: Blocked, reason: String) -> Error {
        Error::Forbidden { base: self.base().to_owned(), reason, inside: blocked.0 }
    }

    /// The base address, without a slash at its end. Two endpoints with the same base are the
    /// same server.
    pub fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Whether the server is on this host, as far as its address says without a look-up.
    pub fn is_this_host(&self) -> bool {
        self.base.host().is_some_and(|host| is_this_host(&host))
    }

    /// Whether somebody else named it than the operator.
    pub(crate) fn is_foreign(&self) -> bool {
        self.reach.is_some()
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
        for here in [
            "http://localhost:8000/v1",
            "http://LOCALHOST./v1",
            "http://vlm.localhost/v1",
            "http://127.0.0.1:8000/v1",
            "http://127.8.9.10/v1",
            "http://0.0.0.0:8000/v1",
            "http://0/v1",
            "http://[::1]/v1",
            "http://[::]/v1",
            "http://[::ffff:127.0.0.1]/v1",
            "http://[::ffff:0.0.0.0]/v1",
        ] {
            assert!(is_this_host(here), "{here}");
        }
        for elsewhere in [
            "http://localhost.example/v1",
            "http://notlocalhost/v1",
            "http://192.0.2.1",
            "http://[::ffff:192.0.2.1]/v1",
            "http://[2001:db8::1]/v1",
        ] {
            assert!(!is_this_host(elsewhere), "{elsewhere}");
        }
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
    fn every_way_to_write_an_address_is_seen_through() {
        let reach = Arc::new(Reach::Public(Vec::new()));
        for bad in [
            "http://127.0.0.1:11434/v1",
            "http://2130706433/v1",
            "http://0x7f000001/v1",
            "http://0177.0.0.1/v1",
            "http://127.1/v1",
            "http://①②⑦.0.0.1/v1",
            "http://[::ffff:127.0.0.1]/v1",
            "http://[::ffff:7f00:1]/v1",
            "http://LOCALHOST/v1",
            "http://localhost./v1",
            "http://169.254.169.254/latest/meta-data",
            "https://2852039166/",
            "http://0/v1",
        ] {
            let error = Endpoint::foreign(bad, None, Arc::clone(&reach)).unwrap_err();
            assert!(matches!(error, BadEndpoint::Forbidden(_)), "{bad}: {error:?}");
        }
        for good in ["https://api.example/v1", "http://93.184.216.34/v1"] {
            assert!(Endpoint::foreign(good, None, Arc::clone(&reach)).is_ok(), "{good}");
        }
        let anything = Arc::new(Reach::Anything);
        assert!(Endpoint::foreign("http://localhost:11434/v1", None, anything).is_ok());
    }

    #[test]
    fn an_endpoint_prints_without_its_key() {
        let endpoint = Endpoint::new("http://host/v1", ApiKey::new("sk-secret")).unwrap();
        assert!(!format!("{endpoint:?}").contains("secret"));
        assert_eq!(endpoint.without_key("bad key sk-secret"), "bad key (key)");
    }
}
