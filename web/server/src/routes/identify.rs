//! Finds out who makes a request: its [`Requester`].

use std::net::SocketAddr;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{Extensions, HeaderMap, header, request::Parts},
    middleware::Next,
    response::Response,
};
use live_vlm_access::{sign_in::SignIn, user::User};
use live_vlm_listen::{
    Peer,
    forwarded::{Origin, TrustedProxies},
};

use super::header;
use crate::{app::App, refusal::Refusal, requester::Requester};

/// The cookie by which a browser is known again. It is random and stands for nothing else.
pub(super) const COOKIE: &str = "live_vlm";
/// The cookies of those who signed in: over TLS, and without. Browsers let nobody set the first but
/// this host itself, over TLS (RFC 6265bis, section 4.1.3.2). The second can come from another port
/// or from plain HTTP, so each counts only where it is set.
pub(super) const SIGN_IN_COOKIES: [&str; 2] = ["__Host-live_vlm_sign_in", "live_vlm_sign_in"];
/// 32 hexadecimal digits.
const COOKIE_LENGTH: usize = 32;

impl<S: Send + Sync> FromRequestParts<S> for Requester {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let found = parts.extensions.get::<Self>().cloned();
        found.ok_or_else(|| Refusal::internal(&"a route for users is open to everybody"))
    }
}

/// Lets those pass who are signed in, or everybody where nobody needs to be. Handlers then find
/// who it is as a [`Requester`].
pub(super) async fn signed_in(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let requester = identify(&app.sign_in, request.headers(), request.extensions()).await?;
    request.extensions_mut().insert(requester);
    Ok(next.run(request).await)
}

async fn identify(
    sign_in: &SignIn,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<Requester, Refusal> {
    let peer = extensions.get::<Peer>();
    let peer = peer.ok_or_else(|| Refusal::internal(&"a connection has no address"))?;
    let address = peer.address.ip().to_canonical();
    if !sign_in.is_on() {
        let user = cookie(headers).map_or_else(|| User::address(address), User::browser);
        return Ok(Requester { user, address, credential: None });
    }
    let pass = match bearer(headers) {
        Some(secret) => sign_in.check(secret, address).await?,
        None => sign_in_cookies(headers, peer.tls)
            .find_map(|cookie| sign_in.by_cookie(cookie))
            .ok_or_else(Refusal::sign_in_required)?,
    };
    Ok(Requester { user: pass.user, address, credential: Some(pass.credential) })
}

/// The key or token of an `Authorization: Bearer` header. Others are for a proxy before us.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, secret) = header(headers, &header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

/// Our cookie, if the request has one that we could have set.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    cookies(headers).find(|(name, _)| *name == COOKIE).map(|(_, value)| value).filter(|value| {
        value.len() == COOKIE_LENGTH && value.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// What the cookie of those who signed in is called, over TLS or without.
pub(super) fn sign_in_cookie(tls: bool) -> &'static str {
    let [secure, plain] = SIGN_IN_COOKIES;
    if tls { secure } else { plain }
}

/// The cookies by which a browser may be signed in. One that somebody else has set may stand
/// before ours.
fn sign_in_cookies(headers: &HeaderMap, tls: bool) -> impl Iterator<Item = &str> {
    let ours = sign_in_cookie(tls);
    cookies(headers).filter(move |(name, _)| *name == ours).map(|(_, value)| value)
}

/// The cookies by which a browser may be signed in over TLS or without, wherever it is now.
pub(super) fn all_sign_in_cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    [true, false].into_iter().flat_map(|tls| sign_in_cookies(headers, tls))
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_cookie_is_found_among_others_and_others_are_not_taken_for_it() {
        let headers = |text: &str| HeaderMap::from_iter([(header::COOKIE, text.parse().unwrap())]);
        let value = "0123456789abcdef0123456789abcdef";
        assert_eq!(cookie(&headers(&format!("a=b; live_vlm={value}; c=d"))), Some(value));
        assert_eq!(cookie(&headers("live_vlm=short")), None);
        assert_eq!(cookie(&headers(&format!("xlive_vlm={value}"))), None);
    }
}
