//! What every answer tells a browser about itself, refusals among them: not to guess what it is,
//! not to keep it, and not to show it inside another page.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};
use url::Host;

use crate::{Peer, host};

/// What an answer says that says nothing else itself, as the page does.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    // Answers are somebody's, some of them with a cookie.
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Completes an answer. A layer for whole routers, as refusals come from anywhere.
pub async fn complete(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(value);
    }
    response
}

/// Tells browsers to come by https alone from now on (RFC 6797), where that is right: for half a
/// year, and this name alone.
pub async fn https_from_now_on(request: Request, next: Next) -> Response {
    let tls = request.extensions().get::<Peer>().is_some_and(|peer| peer.tls);
    let is_right = tls && is_site_of_its_name(request.headers());
    let mut response = next.run(request).await;
    if is_right {
        let value = HeaderValue::from_static("max-age=15768000");
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    response
}

/// Whether we are what answers at a name by https. At a port of our own we are not: what we say
/// would hold for the other ports of that name, too, where there may be something without TLS.
fn is_site_of_its_name(headers: &HeaderMap) -> bool {
    let Some(authority) = host::named(headers) else { return false };
    let is_default = matches!(authority.port_u16(), None | Some(443));
    match Host::parse(authority.host()) {
        Ok(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(&name);
            is_default && name != "localhost" && !name.ends_with(".localhost")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_an_address_and_this_host_are_no_site_of_a_name() {
        let is = |host: &str| {
            is_site_of_its_name(&HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]))
        };
        assert!(is("vlm.example") && is("vlm.example:443") && is("box"));
        for host in
            ["vlm.example:8090", "localhost", "a.localhost.", "192.0.2.7", "[2001:db8::7]", ""]
        {
            assert!(!is(host), "{host}");
        }
        assert!(!is_site_of_its_name(&HeaderMap::new()));
    }
}
