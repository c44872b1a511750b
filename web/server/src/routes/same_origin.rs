//! Which pages may ask for what. A WebSocket is not bound by the browser's same-origin policy, and
//! a server on localhost is reached by every page.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, Method, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use live_vlm_backends::own::Askers;
use live_vlm_listen::Peer;
use url::Host;

use crate::refusal::{Code, Refusal};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses what pages of other sites ask in their visitors' name, and a name of this machine that
/// is none. What only reads is open to links: a browser says of those, too, that they are another
/// site's.
pub(super) async fn same_origin(
    State(askers): State<Askers>,
    request: Request,
    next: Next,
) -> Response {
    let tls = request.extensions().get::<Peer>().is_some_and(|peer| peer.tls);
    let only_reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let checked = host(&request).and_then(|host| {
        check_host(host, askers)?;
        check_origin(request.headers(), host, tls)?;
        if only_reads { Ok(()) } else { check_site(request.headers()) }
    });
    match checked {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Refuses, whatever the method, what a browser says is asked by another site's page: for routes
/// that no link leads to.
pub(super) async fn own_pages_only(request: Request, next: Next) -> Result<Response, Refusal> {
    check_site(request.headers())?;
    Ok(next.run(request).await)
}

/// The only one of this name as text. One that is no text, or stands there twice, is not one that
/// a browser sends, and must not pass for one that is absent.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut all = headers.get_all(name).iter();
    let value = all.next().map(|value| value.to_str()).transpose();
    match (value, all.next()) {
        (Ok(value), None) => Ok(value),
        _ => Err(foreign(format!("{name} cannot be read; send it once, as plain ASCII"))),
    }
}

fn host(request: &Request) -> Result<Option<&str>, Refusal> {
    let named = one(request.headers(), &header::HOST)?;
    Ok(named.or_else(|| request.uri().authority().map(Authority::as_str)))
}

fn check_host(host: Option<&str>, askers: Askers) -> Result<(), Refusal> {
    if askers == Askers::ThisMachine && host.is_some_and(|host| !is_this_machine(host)) {
        return Err(foreign(
            "this server is for its own host alone, and is not known by that name; open it at \
             localhost, or name the proxy before it with --trusted-proxy",
        ));
    }
    Ok(())
}

fn check_origin(headers: &HeaderMap, host: Option<&str>, tls: bool) -> Result<(), Refusal> {
    let Some(origin) = one(headers, &header::ORIGIN)? else { return Ok(()) };
    match is_same(origin, host, tls) {
        true => Ok(()),
        // The page of somebody whose proxy the server does not know.
        false if !tls && is_same(origin, host, true) => Err(foreign(format!(
            "the page came from {origin:.80}, and this server does not know that it is reached by \
             https; name the proxy before it with --trusted-proxy, and have that send \
             X-Forwarded-Proto: https"
        ))),
        false => Err(foreign(format!(
            "pages of {origin:.80} may not use this server; open its own page"
        ))),
    }
}

/// Browsers that leave the origin out still say this; nobody but a browser can be misled.
fn check_site(headers: &HeaderMap) -> Result<(), Refusal> {
    match one(headers, &SEC_FETCH_SITE)? {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => Err(foreign("another site's page may not use this server; open its own page")),
    }
}

fn foreign(message: impl Into<String>) -> Refusal {
    Refusal::new(Code::ForeignOrigin, message)
}

/// Any name can be made to lead here; a page at such a name would be our own by its origin.
fn is_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    match Host::parse(authority.host()) {
        Ok(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(&name);
            name == "localhost" || name.ends_with(".localhost")
        }
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        Err(_) => false,
    }
}

/// Whether a page of this origin (RFC 6454) came from here: a page of the same name without TLS
/// could be anybody's on the way.
fn is_same(origin: &str, host: Option<&str>, tls: bool) -> bool {
    let authority = origin.strip_prefix(if tls { "https://" } else { "http://" });
    match (authority, host) {
        (Some(authority), Some(host)) => authority.eq_ignore_ascii_case(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_servers_own_page_is_the_same_origin() {
        assert!(is_same("https://box:8090", Some("box:8090"), true));
        assert!(is_same("http://LOCALHOST:8090", Some("localhost:8090"), false));
        for tls in [true, false] {
            for origin in ["https://evil.example", "null", "", "https://box:8090.evil.example"] {
                assert!(!is_same(origin, Some("box:8090"), tls), "{origin}");
            }
            assert!(!is_same("https://box", None, tls));
        }
        assert!(!is_same("http://box:8090", Some("box:8090"), true));
        assert!(!is_same("https://box:8090", Some("box:8090"), false));
    }

    #[test]
    fn a_page_behind_an_unknown_proxy_is_told_to_name_it() {
        let headers =
            |origin: &str| HeaderMap::from_iter([(header::ORIGIN, origin.parse().unwrap())]);
        let told = |origin: &str, tls| check_origin(&headers(origin), Some("box"), tls);
        let message = told("https://box", false).unwrap_err().message;
        assert!(message.contains("--trusted-proxy"), "{message}");
        assert_eq!(told("https://box", true), Ok(()));
        for (origin, tls) in [("http://box", true), ("https://evil.example", false)] {
            let message = told(origin, tls).unwrap_err().message;
            assert!(!message.contains("proxy") && message.contains(origin), "{message}");
        }
    }

    #[test]
    fn what_no_browser_sends_does_not_pass_for_what_is_absent() {
        let of = |values: &[&[u8]]| -> HeaderMap {
            let value = |value: &&[u8]| header::HeaderValue::from_bytes(value).unwrap();
            values.iter().map(|bytes| (SEC_FETCH_SITE, value(bytes))).collect()
        };
        assert_eq!(check_site(&HeaderMap::new()), Ok(()));
        assert_eq!(check_site(&of(&[b"none"])), Ok(()));
        assert_eq!(check_site(&of(&[b"same-origin"])), Ok(()));
        for values in [
            &[&b"cross-site"[..]][..],
            &[b"same-site"],
            &[b"none\xff"],
            &[b""],
            &[b"none", b"none"],
        ] {
            let refused = check_site(&of(values)).unwrap_err();
            assert_eq!(refused.code, Code::ForeignOrigin, "{values:?}");
        }
    }

    #[test]
    fn only_addresses_and_localhost_are_names_of_this_machine() {
        for host in [
            "localhost",
            "localhost:8090",
            "a.localhost:1",
            "LOCALHOST.",
            "127.0.0.1:8090",
            "[::1]:8090",
            "192.168.1.7",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["evil.example:8090", "localhost.evil.example", "", "a b", "box:8090"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
