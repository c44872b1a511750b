use std::time::Duration;

use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use live_vlm_access::{sign_in::NewCookie, user::User};
use live_vlm_listen::Peer;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    body::{self, Unread},
    identify::{self, SIGN_IN_COOKIES},
};
use crate::{
    app::App,
    refusal::{Code, Refusal},
    requester::Requester,
};

/// The longest token, and JSON around it.
const MAX_BODY: usize = 20 << 10;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Has no `Debug`: it carries a key.
#[derive(Deserialize)]
struct SignInRequest {
    key: String,
}

/// `POST /sign-in`: a browser shows a key or a token, and gets a cookie for it.
pub(super) async fn sign_in(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    if !app.sign_in.is_on() {
        return Ok(Json(json!({"sign_in": "off", "user": null, "groups": []})).into_response());
    }
    let body = body::whole(body, MAX_BODY, BODY_TIMEOUT).await.map_err(|unread| match unread {
        Unread::Late => {
            Refusal::new(Code::BadJson, "the key did not arrive in time; send it again")
        }
        Unread::TooLarge => {
            Refusal::new(Code::TooLarge, format!("a sign-in may have at most {MAX_BODY} bytes"))
        }
    })?;
    // Not the error itself, which could show a piece of the key.
    let request: SignInRequest = serde_json::from_slice(&body)
        .map_err(|_| Refusal::field("key", "a key or a token, a text in a JSON object"))?;
    let pass = app.sign_in.check(request.key.trim(), peer.address.ip().to_canonical()).await?;
    tracing::info!(user = &*pass.user.id, address = %peer.address.ip(), "signed in");
    let cookie = app.sign_in.remember(pass.clone())?;
    // Whoever was signed in before in this browser is not any more.
    forget(&app, &headers);
    let cookie = set_cookie(&cookie, peer.tls);
    Ok(([(header::SET_COOKIE, cookie)], Json(about(&pass.user))).into_response())
}

/// `POST /sign-out`: the cookie is worth nothing any more, and the sessions opened by it end.
pub(super) async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Response {
    forget(&app, &headers);
    let mut response = StatusCode::NO_CONTENT.into_response();
    for name in SIGN_IN_COOKIES {
        let secure = if name.starts_with("__Host-") { "; Secure" } else { "" };
        let gone = format!("{name}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0{secure}");
        if let Ok(gone) = HeaderValue::try_from(gone) {
            response.headers_mut().append(header::SET_COOKIE, gone);
        }
    }
    response
}

/// `GET /who-am-i`
pub(super) async fn who_am_i(requester: Requester) -> Json<Value> {
    Json(about(&requester.user))
}

fn about(user: &User) -> Value {
    let sign_in = if user.signed_in { "on" } else { "off" };
    json!({"sign_in": sign_in, "user": &*user.id, "groups": user.groups})
}

fn forget(app: &App, headers: &HeaderMap) {
    for cookie in identify::all_sign_in_cookies(headers) {
        app.sign_in.forget(cookie);
    }
    app.sessions.end_unless(|credential| app.sign_in.holds(credential));
}

fn set_cookie(cookie: &NewCookie, tls: bool) -> HeaderValue {
    let name = identify::sign_in_cookie(tls);
    let secure = if tls { "; Secure" } else { "" };
    let value = cookie.value.expose_secret();
    let text = format!(
        "{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{secure}",
        cookie.lasts.whole_seconds().max(0)
    );
    let mut value = HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}
