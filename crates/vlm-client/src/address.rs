//! The base address of an API, from what people write for one. Pure.

use url::{Host, Url};

use crate::error::Error;

/// The parts of an API's address that come after its base, the longest first: whoever copies an
/// address out of a documentation copies them along.
const ENDS: [&str; 6] =
    ["/chat/completions", "/completions", "/responses", "/embeddings", "/models", "/chat"];
/// The one query that belongs to an address: Azure's.
const API_VERSION: &str = "api-version";
const DEPLOYMENTS: &str = "/openai/deployments/";
/// Names that lead nowhere in public.
const PRIVATE_ENDINGS: [&str; 7] =
    [".localhost", ".local", ".lan", ".home", ".internal", ".home.arpa", ".localdomain"];
/// What is shown of an address that is none.
const SHOWN: usize = 80;

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
    /// It could be either, and a key should not go in the clear.
    #[error("{given:?} does not say how it is asked; write https://{given} or http://{given}")]
    NoScheme {
        /// What was given.
        given: String,
    },
    /// Azure refuses a request without one.
    #[error(
        "an address of an Azure deployment needs the version of its API: put \
         ?api-version=2024-10-21, or a newer one, at its end"
    )]
    NoVersion,
    /// Keys in URLs end up in logs.
    #[error(
        "a VLM server's address must not carry a user name, password, fragment or query other than \
         Azure's api-version; cut it off, and give the key separately"
    )]
    Decorated,
    /// It is, or its name says that it is, where this one may not reach.
    #[error("{0}")]
    Forbidden(Box<Error>),
}

/// The base address that `given` means: with a scheme, without slashes too many, and without the
/// end of a single request.
pub(crate) fn base_of(given: &str) -> Result<Url, BadEndpoint> {
    let given = given.trim();
    let mut url = parsed(given)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(BadEndpoint::Scheme { scheme: url.scheme().to_owned() });
    }
    let has_version = match url.query() {
        None | Some("") => false,
        Some(_) if url.query_pairs().all(|(name, _)| name == API_VERSION) => true,
        Some(_) => return Err(BadEndpoint::Decorated),
    };
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(BadEndpoint::Decorated);
    }
    if !has_version {
        url.set_query(None);
    }
    let path = plain_path(url.path(), has_version);
    url.set_path(&path);
    if deployment(&url).is_some() && !has_version {
        return Err(BadEndpoint::NoVersion);
    }
    Ok(url)
}

/// The model's name at Azure where the address says it (`/openai/deployments/NAME`).
pub(crate) fn deployment(base: &Url) -> Option<&str> {
    let path = base.path();
    let (_, name) = path.split_at_checked(path.to_ascii_lowercase().find(DEPLOYMENTS)?)?;
    let name = name.get(DEPLOYMENTS.len()..)?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// Whether the name leads nowhere in public, as far as that can be told without a look-up.
fn is_private_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    !name.contains('.') || PRIVATE_ENDINGS.iter().any(|end| name.ends_with(end))
}

/// Whether it has a public name, and is asked through TLS: somebody's service for many.
pub(crate) fn is_service(base: &Url) -> bool {
    let has_public_name = |host| matches!(host, Host::Domain(name) if !is_private_name(name));
    base.scheme() == "https" && base.host().is_some_and(has_public_name)
}

/// Whether the server is Azure's: it has a header of its own for keys.
pub(crate) fn is_azure(base: &Url) -> bool {
    base.query_pairs().any(|(name, _)| name == API_VERSION)
}

/// The address of something below a base.
pub(crate) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}

fn plain_path(path: &str, has_version: bool) -> String {
    let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
    let mut path: String = steps.iter().map(|step| format!("/{step}")).collect();
    // With a version, `/models` may be where Azure has its API.
    let is_end = |end: &&str| !(has_version && *end == "/models");
    let ends = || ENDS.iter().copied().filter(is_end);
    // A base stays what it is when it is read again.
    while let Some(end) = ends().find(|end| path.to_ascii_lowercase().ends_with(end)) {
        path.truncate(path.len() - end.len());
    }
    path
}

fn parsed(given: &str) -> Result<Url, BadEndpoint> {
    let not_a_url = |reason: &str| BadEndpoint::NotAUrl {
        given: given.chars().take(SHOWN).collect(),
        reason: reason.to_owned(),
    };
    let parse = |text: &str| Url::parse(text).map_err(|error| not_a_url(&error.to_string()));
    if given.contains("://") {
        return parse(given);
    }
    let authority = given.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        // The colons of an IPv6 address are in brackets.
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if let Some(port) = port
        && (port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return match parse(given) {
            Ok(url) => Err(BadEndpoint::Scheme { scheme: url.scheme().to_owned() }),
            Err(error) => Err(error),
        };
    }
    if ["http", "https"].iter().any(|scheme| host.eq_ignore_ascii_case(scheme)) {
        return Err(not_a_url("its scheme has no ://"));
    }
    // One word alone is rather a mistake than a host.
    if host.is_empty() || port.is_none() && authority == given && !host.contains(['.', '[']) {
        return Err(not_a_url("it names no port"));
    }
    let http = parse(&format!("http://{given}"))?;
    let is_near = match http.host() {
        Some(Host::Domain(name)) => is_private_name(name),
        _ => true,
    };
    match (is_near, port) {
        (true, _) => Ok(http),
        (false, None | Some("443")) => parse(&format!("https://{given}")),
        // A key must not go in the clear to wherever that is.
        (false, Some(_)) => {
            Err(BadEndpoint::NoScheme { given: given.chars().take(SHOWN).collect() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(given: &str) -> String {
        let base = base_of(given).unwrap_or_else(|error| panic!("{given}: {error}"));
        base.as_str().trim_end_matches('/').to_owned()
    }

    #[test]
    fn an_address_may_be_written_as_people_write_it() {
        for (given, meant) in [
            ("http://localhost:8000/v1", "http://localhost:8000/v1"),
            (" http://localhost:8000/v1/ \n", "http://localhost:8000/v1"),
            ("HTTP://LOCALHOST:8000/v1", "http://localhost:8000/v1"),
            ("http://localhost:8000//v1", "http://localhost:8000/v1"),
            ("http://localhost:8000/v1//", "http://localhost:8000/v1"),
            ("http://gpu:8000/v1/chat/completions", "http://gpu:8000/v1"),
            ("http://gpu:8000/v1/chat/completions/", "http://gpu:8000/v1"),
            ("http://gpu:8000/v1/models", "http://gpu:8000/v1"),
            ("http://gpu:8000/v1/completions", "http://gpu:8000/v1"),
            ("http://gpu:8000/v1/models/chat/completions", "http://gpu:8000/v1"),
            ("http://gpu:8000", "http://gpu:8000"),
            ("https://api.example/openai/v1?", "https://api.example/openai/v1"),
            ("localhost:8000/v1", "http://localhost:8000/v1"),
            ("localhost:8000", "http://localhost:8000"),
            ("gpu-box:8000/v1/models", "http://gpu-box:8000/v1"),
            ("192.168.1.5:1234/v1", "http://192.168.1.5:1234/v1"),
            ("[::1]:8000/v1", "http://[::1]:8000/v1"),
            ("[fd00::1]/v1", "http://[fd00::1]/v1"),
            ("gpu.lan:8000/v1", "http://gpu.lan:8000/v1"),
            ("localhost/v1", "http://localhost/v1"),
            ("api.example.com/v1", "https://api.example.com/v1"),
            ("api.example.com:443/v1", "https://api.example.com/v1"),
            ("api.example.com", "https://api.example.com"),
        ] {
            assert_eq!(base(given), meant, "{given}");
            assert_eq!(base(meant), meant, "{given}");
        }
    }

    #[test]
    fn azures_address_keeps_its_version() {
        let meant = "https://x.openai.azure.com/openai/deployments/gpt-4o?api-version=2024-10-21";
        let plain = "https://x.openai.azure.com/openai/deployments/gpt-4o";
        for given in [
            meant.to_owned(),
            format!("{plain}/chat/completions?api-version=2024-10-21"),
            format!("{plain}/?api-version=2024-10-21"),
        ] {
            let url = base_of(&given).unwrap();
            assert_eq!(url.as_str(), meant, "{given}");
            assert_eq!(deployment(&url), Some("gpt-4o"));
            assert!(is_azure(&url));
            assert_eq!(
                below(&url, "chat/completions").as_str(),
                format!("{plain}/chat/completions?api-version=2024-10-21")
            );
        }
        assert_eq!(base_of(plain).unwrap_err(), BadEndpoint::NoVersion);
        let models = "https://x.services.ai.azure.com/models?api-version=2024-05-01-preview";
        assert_eq!(base_of(models).unwrap().as_str(), models);
        assert_eq!(deployment(&base_of("http://gpu:8000/v1").unwrap()), None);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in
            ["", "localhost", "nonsense", "not a url", "http://", ":8000", "/v1", "http:8000"]
        {
            assert!(matches!(base_of(bad), Err(BadEndpoint::NotAUrl { .. })), "{bad:?}");
        }
        for bad in ["ftp://host/v1", "file:///etc/passwd", "file:/etc/passwd", "ws://host/v1"] {
            assert!(matches!(base_of(bad), Err(BadEndpoint::Scheme { .. })), "{bad:?}");
        }
        for bad in [
            "http://me:pw@host/v1",
            "http://host/v1?key=1",
            "https://host/v1?api-version=1&key=2",
            "http://host/v1#key",
            "me:pw@host:8000/v1",
        ] {
            let refused = base_of(bad).unwrap_err();
            assert!(!matches!(refused, BadEndpoint::NoScheme { .. }), "{bad:?}: {refused}");
        }
        let refused = base_of("api.example.com:8000/v1").unwrap_err();
        assert!(refused.to_string().contains("https://api.example.com:8000/v1"), "{refused}");
    }
}
