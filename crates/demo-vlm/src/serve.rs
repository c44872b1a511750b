//! Accepting connections until told to stop.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::Options;
use crate::server::{App, routes};

/// How long answers under way may take to finish after the shutdown.
const GRACE: Duration = Duration::from_secs(5);
/// How long to wait when there are no file descriptors left, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves until `shutdown` resolves. Requests that wait are then refused with 503, and those
/// being answered have 5 s to finish; nothing is left running when this returns.
///
/// The address is the listener's; [`Options::host`] and [`Options::port`] are not used here.
///
/// # Errors
/// When the listener has no local address, that is, when it cannot be listened on.
pub async fn serve(
    listener: TcpListener,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let app = App::new(options);
    let mut connections = Connections::new(routes(app.clone()));
    let mut shutdown = pin!(shutdown);
    tracing::info!(%address, "demo-vlm is listening");

    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.open.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => connections.serve(stream),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }

    drop(listener);
    app.close();
    connections.end().await;
    Ok(())
}

/// The connections that are open, and how each is served.
struct Connections {
    builder: Builder<TokioExecutor>,
    service: TowerToHyperService<Router>,
    graceful: GracefulShutdown,
    /// Dropping the set ends what it holds.
    open: JoinSet<()>,
}

impl Connections {
    fn new(routes: Router) -> Self {
        let mut builder = Builder::new(TokioExecutor::new()).http1_only();
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
        Self {
            builder,
            service: TowerToHyperService::new(routes),
            graceful: GracefulShutdown::new(),
            open: JoinSet::new(),
        }
    }

    fn serve(&mut self, stream: TcpStream) {
        // Tokens are small, and each should be seen when it is due.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let connection = self.builder.serve_connection(TokioIo::new(stream), self.service.clone());
        let connection = self.graceful.watch(connection.into_owned());
        self.open.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error, "a connection ended early");
            }
        });
    }

    /// Lets answers under way finish, for as long as they may take.
    async fn end(mut self) {
        if tokio::time::timeout(GRACE, self.graceful.shutdown()).await.is_err() {
            tracing::warn!("answers under way were cut off by the shutdown");
        }
        self.open.shutdown().await;
    }
}
