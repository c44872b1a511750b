//! `GET /metrics`, on an address of its own or on the main port.

use std::{future, io, net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use live_vlm_listen::{self as listen, ConnectionTimes, PerAddress, Security, answer_headers};
use live_vlm_observe::metrics::{self, BadToken, Format, Metrics, MetricsToken};
use tokio::net::TcpListener;

/// A scrape takes milliseconds.
const CONNECTIONS_END: Duration = Duration::from_millis(200);

/// Where `/metrics` is served, besides the main port, and to whom.
#[derive(Debug)]
pub(crate) struct MetricsListener {
    /// An address of its own.
    pub(crate) listener: Option<TcpListener>,
    /// What readers must bring; without it the main port does not serve it.
    pub(crate) token: Option<MetricsToken>,
}

/// Why metrics cannot be served as configured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CannotServeMetrics {
    /// The token.
    #[error(transparent)]
    Token(#[from] BadToken),
    /// The address.
    #[error("cannot listen on {address} for metrics: {source}; choose another --metrics-listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

impl MetricsListener {
    /// Listens, if there is an address of its own.
    ///
    /// # Errors
    /// When the address or the token is not to be had.
    pub(crate) async fn open(config: &metrics::Config) -> Result<Self, CannotServeMetrics> {
        let token = config.token()?;
        let listener = match config.metrics_listen {
            Some(address) => {
                let failed = |source| CannotServeMetrics::Listen { address, source };
                Some(TcpListener::bind(address).await.map_err(failed)?)
            }
            None => None,
        };
        Ok(Self { listener, token })
    }

    /// Serves nothing but `/metrics` on its own address, by plain HTTP, until aborted.
    pub(crate) async fn serve(self, metrics: Metrics, per_address: PerAddress) {
        if let Some(listener) = self.listener {
            let router = routes(metrics, self.token);
            let router = router.layer(middleware::from_fn(answer_headers::complete));
            let never = future::pending();
            let times = ConnectionTimes { end: CONNECTIONS_END, ..ConnectionTimes::default() };
            listen::serve(listener, Security::Plain, router, per_address, never, times).await;
        }
    }
}

/// What is served, and to whom.
#[derive(Debug, Clone)]
struct Served {
    metrics: Metrics,
    token: Option<MetricsToken>,
}

/// The route for the main port, which needs a token.
pub(super) fn on_main_port(metrics: Metrics, token: MetricsToken) -> Router {
    routes(metrics, Some(token))
}

fn routes(metrics: Metrics, token: Option<MetricsToken>) -> Router {
    Router::new().route("/metrics", get(scrape)).with_state(Served { metrics, token })
}

async fn scrape(State(served): State<Served>, headers: HeaderMap) -> Response {
    if let Some(token) = &served.token
        && !bearer(&headers).is_some_and(|brought| token.is(brought))
    {
        let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"metrics\"")];
        let help = "bring the token of --metrics-token as `Authorization: Bearer TOKEN`\n";
        return (StatusCode::UNAUTHORIZED, challenge, help).into_response();
    }
    let format = wanted(&headers);
    let kind = [(header::CONTENT_TYPE, format.content_type())];
    (kind, served.metrics.exposition(format)).into_response()
}

/// The token that the request brings (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}

/// Prometheus names OpenMetrics if it reads it; a person with curl reads the older format.
fn wanted(headers: &HeaderMap) -> Format {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = accepted.flat_map(|value| value.split(','));
    if kinds.any(|kind| kind.trim().starts_with("application/openmetrics-text")) {
        Format::OpenMetrics
    } else {
        Format::Prometheus
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn a_token_is_read_whatever_the_case_of_its_scheme() {
        for value in ["Bearer abc", "bearer abc"] {
            let headers = headers(header::AUTHORIZATION, value);
            assert_eq!(bearer(&headers), Some(b"abc".as_slice()));
        }
        for value in ["abc", "Basic abc", "Bearer", ""] {
            assert_eq!(bearer(&headers(header::AUTHORIZATION, value)), None, "{value}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    #[test]
    fn the_format_is_the_readers_choice() {
        let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2";
        assert_eq!(wanted(&headers(header::ACCEPT, accept)), Format::OpenMetrics);
        assert_eq!(wanted(&headers(header::ACCEPT, "*/*")), Format::Prometheus);
        assert_eq!(wanted(&HeaderMap::new()), Format::Prometheus);
    }
}
