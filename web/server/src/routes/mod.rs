//! What the server answers: one file per kind of request. Handlers are glue; what they do stands
//! elsewhere.

mod health;
mod models;
mod offer;
mod page;
mod requester;
mod websocket;

use axum::{
    Router,
    http::HeaderMap,
    middleware,
    routing::{get, post},
};
use vlm_client::Client;

use crate::{
    listen,
    metrics::{self, MetricsToken},
    refusal::Refusal,
    session::Sessions,
};

/// What handlers need.
#[derive(Debug, Clone)]
pub struct App {
    /// All sessions.
    pub sessions: Sessions,
    /// Asks VLM servers.
    pub client: Client,
    /// What readers of `/metrics` must bring; without it there is no `/metrics` here.
    pub metrics_token: Option<MetricsToken>,
}

/// All routes. With `tls`, plain HTTP is answered on this host only.
pub fn router(app: App, tls: bool) -> Router {
    let metrics = match app.metrics_token.clone() {
        Some(token) => {
            let metrics = app.sessions.config().observer.metrics.clone();
            metrics::serve::on_main_port(metrics, token)
        }
        None => Router::new(),
    };
    let rtsp = || async { Refusal::no_rtsp() };
    let router = Router::new()
        .route("/offer", post(offer::offer))
        .route("/ws", get(websocket::websocket))
        .route("/models", get(models::models))
        .route("/detect-services", get(models::detect_services))
        .route("/api/rtsp/start", post(rtsp))
        .route("/api/rtsp/stop", post(rtsp))
        .route("/api/rtsp/status", get(rtsp))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .fallback(page::page)
        .with_state(app)
        .merge(metrics)
        .layer(middleware::from_fn(requester::same_origin));
    if tls { router.layer(middleware::from_fn(listen::require_tls)) } else { router }
}

fn header<'a>(headers: &'a HeaderMap, name: &axum::http::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
