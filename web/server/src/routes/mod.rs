//! What the server answers: one file per kind of request. Handlers are glue; what they do stands
//! elsewhere.

mod health;
mod models;
mod offer;
mod pace;
mod page;
mod requester;
mod sign_in;
mod websocket;

use axum::{
    Router,
    extract::{Request, State},
    http::HeaderMap,
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use vlm_client::Client;

use crate::{
    forwarded::TrustedProxies,
    limits::Limit,
    listen,
    metrics::{self, MetricsToken},
    refusal::Refusal,
    session::Sessions,
    sign_in::SignIn,
};

/// What handlers need.
#[derive(Debug, Clone)]
pub struct App {
    /// All sessions.
    pub sessions: Sessions,
    /// Asks VLM servers.
    pub client: Client,
    /// Proxies that are believed about whom they speak for.
    pub trusted_proxies: TrustedProxies,
    /// Who may come in.
    pub sign_in: SignIn,
    /// What readers of `/metrics` must bring; without it there is no `/metrics` here.
    pub metrics_token: Option<MetricsToken>,
}

/// All routes. With `tls`, plain HTTP is answered on this host only.
pub fn router(app: App, tls: bool) -> Router {
    let proxies = app.trusted_proxies.clone();
    let metrics = match app.metrics_token.clone() {
        Some(token) => {
            let metrics = app.sessions.config().observer.metrics.clone();
            metrics::serve::on_main_port(metrics, token)
        }
        None => Router::new(),
    };
    let rtsp = || async { Refusal::no_rtsp() };
    // A route stands here unless everybody may see what it shows.
    let for_users = Router::new()
        .route("/offer", post(offer::offer))
        .route("/ws", get(websocket::websocket))
        .route("/models", get(models::models))
        .route("/detect-services", get(models::detect_services))
        .route("/api/rtsp/start", post(rtsp))
        .route("/api/rtsp/stop", post(rtsp))
        .route("/api/rtsp/status", get(rtsp))
        .route("/who-am-i", get(sign_in::who_am_i))
        .route_layer(middleware::from_fn_with_state(app.clone(), requester::signed_in));
    let router = Router::new()
        .route("/sign-in", post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .merge(for_users)
        .fallback(page::page)
        .layer(middleware::from_fn_with_state(app.clone(), count_limits))
        .with_state(app)
        .merge(metrics)
        .layer(middleware::from_fn(requester::same_origin));
    let router = if tls { router.layer(middleware::from_fn(listen::require_tls)) } else { router };
    // The outermost: whatever follows sees the client, not the proxy.
    router.layer(middleware::from_fn_with_state(proxies, requester::seen_through_proxies))
}

/// Counts what limits have refused.
async fn count_limits(State(app): State<App>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if let Some(limit) = response.extensions().get::<Limit>() {
        app.sessions.config().observer.metrics.limit_reached(limit.name());
    }
    response
}

fn header<'a>(headers: &'a HeaderMap, name: &axum::http::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
