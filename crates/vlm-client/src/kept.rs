//! Connections that are kept for the next request, and what becomes of a request on one that the
//! server has closed meanwhile. A client cannot know of it before it has asked (RFC 9112, section
//! 9.3.1): the server's goodbye and the question may pass each other on the way.

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use reqwest::{RequestBuilder, Response, StatusCode};
use tower::{Layer, Service};

/// The pool looks after idle connections as often as this, so that one is closed after twice as
/// long at the latest: before uvicorn, Node.js and Apache do, which wait for 5 s.
const IDLE: Duration = Duration::from_millis(2400);
/// Connections that are kept for one server: as many as it is asked questions at once, mostly.
const MOST_IDLE: usize = 16;

tokio::task_local! {
    /// Whether the request at hand has made a connection of its own.
    static IS_FRESH: Cell<bool>;
}

/// The same client with connections that [`send`] can tell apart.
pub(crate) fn keeping(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    builder
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MOST_IDLE)
        .connector_layer(NoteFreshLayer(()))
}

/// Sends a request. One that fails on a kept connection before the response has begun is sent again
/// at once on another, until one was made for it.
pub(crate) async fn send(request: RequestBuilder) -> reqwest::Result<Response> {
    for _ in 0..=MOST_IDLE {
        let Some(copy) = request.try_clone() else { break };
        let (sent, is_fresh) = IS_FRESH
            .scope(Cell::new(false), async {
                let sent = copy.send().await;
                (sent, IS_FRESH.with(Cell::get))
            })
            .await;
        if is_fresh || !says_nothing(&sent) {
            return sent;
        }
        tracing::debug!("a kept connection was closed meanwhile; asking on another");
    }
    request.send().await
}

/// Whether the server has not looked at the request.
fn says_nothing(sent: &reqwest::Result<Response>) -> bool {
    match sent {
        // It was waiting for a request when this one came (RFC 9110, section 15.5.9).
        Ok(response) => response.status() == StatusCode::REQUEST_TIMEOUT,
        Err(error) => error.is_request() && !error.is_connect() && !error.is_timeout(),
    }
}

/// Notes that the request at hand has made a connection. One that another request's connection
/// served in the end makes its own in a task of its own, where nobody asks.
#[derive(Debug, Clone, Copy)]
struct NoteFreshLayer(());

#[derive(Debug, Clone)]
struct NoteFreshService<S>(S);

impl<S> Layer<S> for NoteFreshLayer {
    type Service = NoteFreshService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        NoteFreshService(inner)
    }
}

impl<S, R> Service<R> for NoteFreshService<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, to: R) -> Self::Future {
        let connecting = self.0.call(to);
        Box::pin(async move {
            let connected = connecting.await?;
            let _ = IS_FRESH.try_with(|is_fresh| is_fresh.set(true));
            Ok(connected)
        })
    }
}
