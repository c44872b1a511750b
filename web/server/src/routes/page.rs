//! The page's files, which are part of the binary.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::LazyLock,
};

use axum::{
    Extension,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use live_vlm_listen::Peer;
use uuid::Uuid;

use super::identify;
use crate::refusal::{Code, Refusal};

static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page_files.rs"));

const SECURITY: [(HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
         media-src 'self' blob: mediastream:; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
    ),
    // The camera, or the screen in its place, is all that the page asks its visitor for.
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(self), display-capture=(self), accelerometer=(), geolocation=(), gyroscope=(), \
         hid=(), magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=()",
    ),
    // Another site's page that opens this one gets no hold of its window.
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    // The files change with the binary only, which the tag tells.
    (header::CACHE_CONTROL, "no-cache"),
];

struct File {
    content_type: &'static str,
    tag: HeaderValue,
    bytes: &'static [u8],
}

static BY_PATH: LazyLock<HashMap<String, File>> = LazyLock::new(|| {
    FILES
        .iter()
        .map(|(name, bytes)| {
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            let tag = HeaderValue::try_from(format!("\"{:016x}\"", hasher.finish()));
            let file = File {
                content_type: content_type(name),
                tag: tag.unwrap_or_else(|_| HeaderValue::from_static("\"\"")),
                bytes,
            };
            let path = if *name == "index.html" { "/".to_owned() } else { format!("/{name}") };
            (path, file)
        })
        .collect()
});

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

pub(super) async fn page(
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    Extension(peer): Extension<Peer>,
) -> Response {
    let Some(file) = BY_PATH.get(uri.path()) else {
        return Refusal::new(Code::NotFound, "there is nothing here; the page is at /")
            .into_response();
    };
    if method != Method::GET && method != Method::HEAD {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response();
    }
    let known = headers.get(header::IF_NONE_MATCH) == Some(&file.tag);
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, file.content_type)], file.bytes).into_response()
    };
    let to = response.headers_mut();
    to.insert(header::ETAG, file.tag.clone());
    for (name, value) in SECURITY {
        to.insert(name, HeaderValue::from_static(value));
    }
    if uri.path() == "/" && identify::cookie(&headers).is_none() {
        to.extend(new_cookie(peer.tls).map(|cookie| (header::SET_COOKIE, cookie)));
    }
    response
}

fn new_cookie(tls: bool) -> Option<HeaderValue> {
    let secure = if tls { "; Secure" } else { "" };
    let value = Uuid::new_v4().simple();
    HeaderValue::try_from(format!(
        "{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}",
        identify::COOKIE
    ))
    .ok()
}
