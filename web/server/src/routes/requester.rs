//! Who makes a request, and from which page.

use std::net::SocketAddr;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::header;
use crate::{
    forwarded::{Origin, TrustedProxies},
    listen::Peer,
    refusal::{Code, Refusal},
    session::Requester,
};

/// The cookie by which a browser is known again. It is random and stands for nothing else.
pub(super) const COOKIE: &str = "live_vlm";
/// 32 hexadecimal digits.
const COOKIE_LENGTH: usize = 32;

impl<S: Send + Sync> FromRequestParts<S> for Requester {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let peer = parts
            .extensions
            .get::<Peer>()
            .ok_or_else(|| Refusal::internal(&"a connection has no address"))?;
        Ok(Self {
            cookie: cookie(&parts.headers).map(str::to_owned),
            address: peer.address.ip().to_canonical(),
        })
    }
}

/// Our cookie, if the request has one that we could have set.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)
        .filter(|value| {
            value.len() == COOKIE_LENGTH && value.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

/// Puts the client in the place of the proxy that brings its request.
pub(super) async fn seen_through_proxies(
    State(proxies): State<TrustedProxies>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(peer) = request.extensions().get::<Peer>().copied() {
        let nearest = Origin { address: peer.address.ip(), tls: peer.tls };
        let origin = proxies.origin(nearest, request.headers());
        // Of a client behind a proxy nobody knows the port.
        let port = if origin == nearest { peer.address.port() } else { 0 };
        let address = SocketAddr::new(origin.address, port);
        request.extensions_mut().insert(Peer { address, tls: origin.tls });
    }
    next.run(request).await
}

/// Refuses what pages of other sites ask in their visitors' name: a WebSocket is not bound by the
/// browser's same-origin policy, and a server on localhost is reached by every page.
pub(super) async fn same_origin(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host =
        header(headers, &header::HOST).or_else(|| request.uri().authority().map(|a| a.as_str()));
    match header(headers, &header::ORIGIN) {
        Some(origin) if !is_same(origin, host) => Refusal::new(
            Code::ForeignOrigin,
            format!("pages of {origin:.80} may not use this server; open its own page"),
        )
        .into_response(),
        _ => next.run(request).await,
    }
}

fn is_same(origin: &str, host: Option<&str>) -> bool {
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
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
        assert!(is_same("https://box:8090", Some("box:8090")));
        assert!(is_same("http://LOCALHOST:8090", Some("localhost:8090")));
        for origin in ["https://evil.example", "null", "", "https://box:8090.evil.example"] {
            assert!(!is_same(origin, Some("box:8090")), "{origin}");
        }
        assert!(!is_same("https://box", None));
    }

    #[test]
    fn our_cookie_is_found_among_others_and_others_are_not_taken_for_it() {
        let headers = |text: &str| HeaderMap::from_iter([(header::COOKIE, text.parse().unwrap())]);
        let value = "0123456789abcdef0123456789abcdef";
        assert_eq!(cookie(&headers(&format!("a=b; live_vlm={value}; c=d"))), Some(value));
        assert_eq!(cookie(&headers("live_vlm=short")), None);
        assert_eq!(cookie(&headers(&format!("xlive_vlm={value}"))), None);
    }
}
