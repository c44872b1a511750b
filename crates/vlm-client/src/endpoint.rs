use std::sync::Arc;

use reqwest::{RequestBuilder, header};
use url::Url;
use vlm_replies::{Failure, Secrets};

use crate::{
    address::{self, BadEndpoint},
    authority::Authority,
    error::{Error, ErrorKind},
    headers::ExtraHeaders,
    key::ApiKey,
    kind::ServerKind,
    reach::{Blocked, Gate, Reach, is_this_host},
};

/// A service takes many questions at once; so many are soon more.
const SERVICE_SLOTS: usize = 8;

/// Azure's own name for a key.
const API_KEY: header::HeaderName = header::HeaderName::from_static("api-key");

/// Where a VLM server is reached, together with the key and the headers that belong to it.
///
/// A request takes its address and its key from one endpoint, so that a key is only ever sent to
/// the server it was given for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    base: Url,
    key: Option<ApiKey>,
    headers: Arc<ExtraHeaders>,
    /// Who may vouch for it beside those whom the system trusts.
    authority: Option<Arc<Authority>>,
    /// What it may reach, if somebody else named it.
    reach: Option<Arc<Reach>>,
}

impl Endpoint {
    /// An endpoint from the base address of its API (`http://localhost:8000/v1`) and its key.
    ///
    /// What people write is understood: `localhost:8000/v1` without a scheme, the address of a
    /// request (`.../v1/chat/completions`, `.../v1/models`), slashes too many, and that of an Azure
    /// deployment (`.../openai/deployments/NAME?api-version=...`).
    ///
    /// # Errors
    /// When `base` is not the address of an HTTP server, or carries credentials.
    pub fn new(base: &str, key: Option<ApiKey>) -> Result<Self, BadEndpoint> {
        let base = address::base_of(base)?;
        Ok(Self { base, key, headers: Arc::default(), authority: None, reach: None })
    }

    /// The same with these headers in each request, in place of ours where they have the same name.
    #[must_use]
    pub fn with_headers(self, headers: ExtraHeaders) -> Self {
        Self { headers: Arc::new(headers), ..self }
    }

    /// The same server, for whose certificate this authority may vouch, too.
    #[must_use]
    pub fn with_authority(self, authority: Option<Arc<Authority>>) -> Self {
        Self { authority, ..self }
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
        Error::new(self.base(), ErrorKind::Forbidden { reason, inside: blocked.0 })
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

    /// How many questions at once to begin with, where nobody says how many the server takes: as
    /// many as its kind takes by itself. A service for many that is found on the internet takes
    /// several; of any other server that does not say what it is one is sure.
    pub fn first_slots(&self, kind: Option<ServerKind>) -> usize {
        let by_address = || if address::is_service(&self.base) { SERVICE_SLOTS } else { 1 };
        kind.map_or_else(by_address, ServerKind::slots)
    }

    /// Whether somebody else named it than the operator.
    pub(crate) fn is_foreign(&self) -> bool {
        self.reach.is_some()
    }

    /// Whether a key belongs to this endpoint.
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        address::below(&self.base, path)
    }

    /// Where it lists its models. Azure lists them for all deployments.
    pub(crate) fn models_url(&self) -> Url {
        let mut url = self.url("models");
        if let Some(at) = self.deployment().and_then(|_| self.base.path().find("/deployments/")) {
            url.set_path(&format!("{}/models", &self.base.path()[..at]));
        }
        url
    }

    /// Where its figures are. The key goes no further than to the server that it is for.
    pub(crate) fn metrics_url(&self) -> Url {
        let path = self.base.path().trim_end_matches('/');
        let mut url = self.base.clone();
        url.set_query(None);
        url.set_path(&format!("{}/metrics", path.strip_suffix("/v1").unwrap_or(path)));
        url
    }

    /// The model that it answers for, where the address says so (Azure).
    pub(crate) fn deployment(&self) -> Option<&str> {
        address::deployment(&self.base)
    }

    /// The same server without TLS, at its port; `None` if it has none anyway.
    pub(crate) fn without_tls(&self) -> Option<Url> {
        let mut url = self.url("models");
        let port = url.port_or_known_default().filter(|_| url.scheme() == "https")?;
        url.set_scheme("http").ok()?;
        url.set_port(Some(port)).ok()?;
        Some(url)
    }

    /// What happened there, as it is for whoever set this endpoint up: a key can only be refused
    /// where one was shown.
    pub(crate) fn error(&self, kind: impl Into<ErrorKind>) -> Error {
        let shows_key = self.key.is_some() || !self.headers.is_empty();
        let kind = match kind.into() {
            ErrorKind::Reply(Failure::Unauthorized { status, reason }) if !shows_key => {
                ErrorKind::NoKey { status, reason }
            }
            kind => kind,
        };
        Error::new(self.base(), kind)
    }

    /// The request with what belongs to this endpoint.
    pub(crate) fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        let azure = address::is_azure(&self.base);
        let name = if azure { API_KEY } else { header::AUTHORIZATION };
        let request = match self.key.as_ref().filter(|_| !self.headers.has(&name)) {
            Some(key) if azure => {
                let value = header::HeaderValue::try_from(key.expose()).map(|mut value| {
                    value.set_sensitive(true);
                    value
                });
                match value {
                    Ok(value) => request.header(API_KEY, value),
                    Err(_) => request,
                }
            }
            Some(key) => request.bearer_auth(key.expose()),
            None => request,
        };
        request.headers(self.headers.to_map())
    }

    /// Who may vouch for it beside those whom the system trusts.
    pub fn authority(&self) -> Option<&Arc<Authority>> {
        self.authority.as_ref()
    }

    /// The headers that go with each request.
    pub fn headers(&self) -> &ExtraHeaders {
        &self.headers
    }

    /// The key, for setting up another client of the same server. It stays unreadable.
    pub fn key(&self) -> Option<&ApiKey> {
        self.key.as_ref()
    }

    /// What must not be shown of what the server says, as some quote it in their errors.
    pub(crate) fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        if let Some(key) = &self.key {
            secrets.add(key.expose(), "(key)");
        }
        self.headers.values().for_each(|value| secrets.add(value, "(header)"));
        secrets
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
        assert_eq!(with.url("models").as_str(), "http://localhost:8000/v1/models");
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
    fn everything_of_a_server_is_below_its_base() {
        let of = |base| Endpoint::new(base, None).unwrap();
        let plain = of("https://gate.example/openai/v1");
        assert_eq!(plain.models_url().as_str(), "https://gate.example/openai/v1/models");
        assert_eq!(plain.metrics_url().as_str(), "https://gate.example/openai/metrics");
        let azure = of("https://x.example/openai/deployments/gpt-4o?api-version=1");
        assert_eq!(azure.models_url().as_str(), "https://x.example/openai/models?api-version=1");
        assert_eq!(azure.deployment(), Some("gpt-4o"));
        // It is the same server when it is named by its base.
        assert_eq!(of(azure.base()), azure);
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
        assert_eq!(endpoint.secrets().blotted_out("bad key sk-secret"), "bad key (key)");
    }

    #[test]
    fn a_service_on_the_internet_is_asked_several_questions_to_begin_with_and_others_one() {
        for (base, slots) in [
            ("https://api.openai.com/v1", 8),
            ("http://api.openai.com/v1", 1),
            ("https://gpu-box/v1", 1),
            ("https://gpu-box.lan:8000/v1", 1),
            ("https://192.0.2.7/v1", 1),
            ("http://localhost:8000/v1", 1),
        ] {
            let endpoint = Endpoint::new(base, None).unwrap();
            assert_eq!(endpoint.first_slots(None), slots, "{base}");
            assert_eq!(endpoint.first_slots(Some(ServerKind::Ollama)), 1, "{base}");
            assert_eq!(endpoint.first_slots(Some(ServerKind::Vllm)), 8, "{base}");
        }
    }
}
