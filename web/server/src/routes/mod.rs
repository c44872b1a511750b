//! What the server answers: one file per kind of request. Handlers are glue; what they do stands
//! elsewhere.

mod body;
mod health;
mod identify;
mod metrics;
mod models;
mod offer;
mod page;
mod rate_limit;
mod refused;
mod same_origin;
mod sign_in;
mod signs;
mod websocket;

use axum::{
    Router,
    extract::{Request, State},
    http::HeaderMap,
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};

use live_vlm_listen::{self as listen, Peer, Security, answer_headers};
pub use metrics::CannotServeMetrics;
pub(crate) use metrics::MetricsListener;

use crate::{
    app::App,
    refusal::{Refusal, Refused},
};

/// All routes. With TLS, plain HTTP is answered on this host only.
pub(crate) fn router(app: App, security: &Security) -> Router {
    let proxies = app.trusted_proxies.clone();
    let askers = app.askers;
    let metrics = match app.metrics_token.clone() {
        Some(token) => metrics::on_main_port(app.observer.metrics.clone(), token),
        None => Router::new(),
    };
    let rtsp = || async { Refusal::no_rtsp() };
    // A route stands here unless everybody may see what it shows.
    let for_users = Router::new()
        .route("/offer", post(offer::offer))
        .route("/ws", get(websocket::websocket))
        .route("/models", get(models::models).post(models::models_of))
        .route("/detect-services", get(models::detect_services))
        .route("/api/rtsp/start", post(rtsp))
        .route("/api/rtsp/stop", post(rtsp))
        .route("/api/rtsp/status", get(rtsp))
        .route("/who-am-i", get(sign_in::who_am_i))
        .route_layer(middleware::from_fn_with_state(app.clone(), identify::signed_in))
        .route_layer(middleware::from_fn(same_origin::own_pages_only));
    let router = Router::new()
        .route("/sign-in", post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .merge(for_users)
        .fallback(page::page)
        .with_state(app.clone())
        .merge(metrics)
        .layer(middleware::from_fn_with_state(askers, same_origin::same_origin))
        .layer(middleware::from_fn_with_state(app, note_refusals));
    let router = match security.is_tls() {
        true => router.layer(middleware::from_fn(listen::require_tls)),
        false => router,
    };
    // Of a certificate of our own making browsers warn, and would do so without a way past it.
    let router = match security {
        Security::GivenTls(_) => {
            router.layer(middleware::from_fn(answer_headers::https_from_now_on))
        }
        _ => router,
    };
    // Whatever follows sees the client, not the proxy.
    let router =
        router.layer(middleware::from_fn_with_state(proxies, identify::seen_through_proxies));
    router.layer(middleware::from_fn(answer_headers::complete))
}

/// Counts and logs what was refused.
async fn note_refusals(State(app): State<App>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let response = next.run(request).await;
    if let (Some(refused), Some(peer)) = (response.extensions().get::<Refused>(), peer) {
        let address = peer.address.ip().to_canonical();
        app.refusals.note(refused.clone(), address, None);
    }
    response
}

fn header<'a>(headers: &'a HeaderMap, name: &axum::http::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
