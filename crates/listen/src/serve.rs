//! Accepting connections: TLS and plain HTTP on one port, told apart by their first byte. Plain
//! HTTP is for this host only, where browsers trust it; from elsewhere it is sent to https.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension, Router,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
    service::TowerToHyperService,
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;

use live_vlm_access::{
    limits::{AddressKey, CountGuard as Connection, Counts},
    log_limit::{LogLimit, Site},
};

use crate::{forwarded::TrustedProxies, host};

/// Connections at once. High enough that no real client reaches it.
const CONNECTIONS: usize = 2048;
/// Bytes, fewer than hyper reads at once: it then reads past this buffer.
const AHEAD: usize = 1024;
/// The longest head of a request, in bytes, and what is read ahead of a connection.
const HEAD: usize = 64 << 10;
/// Connections of an address for each WebSocket that it may have, and at least.
const PER_WEBSOCKET: u32 = 4;
const FEWEST_PER_ADDRESS: u32 = 128;
/// The first byte of a TLS handshake (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;
/// After a failure to accept, which is mostly too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long clients are waited for.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionTimes {
    /// For the first byte, and for a TLS handshake. Default: 10 s.
    pub handshake: Duration,
    /// For the head of a request, from its first byte. Default: 15 s.
    pub head: Duration,
    /// For a client to take some of what it asked for. Default: 20 s.
    pub stall: Duration,
    /// For connections to end after the shutdown. Default: 500 ms.
    pub end: Duration,
}

impl Default for ConnectionTimes {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(15),
            stall: Duration::from_secs(20),
            end: Duration::from_millis(500),
        }
    }
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Whether it is encrypted.
    pub tls: bool,
}

/// How many connections one address may have, of all kinds: a bound against floods, far above what
/// a page needs.
#[derive(Clone)]
pub struct PerAddress {
    /// How many WebSockets an address may have now.
    websockets: Arc<dyn Fn() -> u32 + Send + Sync>,
    /// Bring many clients' connections.
    trusted_proxies: TrustedProxies,
    open: Counts<AddressKey>,
    log: Arc<LogLimit<Site>>,
}

impl PerAddress {
    /// None open yet. `websockets` says how many WebSockets an address may have now, 0 = any
    /// number; it is called for each connection, and must not wait.
    pub fn new(
        websockets: impl Fn() -> u32 + Send + Sync + 'static,
        trusted_proxies: TrustedProxies,
    ) -> Self {
        let log = Arc::new(LogLimit::new(1));
        Self { websockets: Arc::new(websockets), trusted_proxies, open: Counts::default(), log }
    }

    /// One more from this address; `None` when it has as many as it may.
    fn take(&self, address: IpAddr) -> Option<Connection<AddressKey>> {
        let most = match (self.websockets)() {
            _ if self.trusted_proxies.contains(address) => 0,
            0 => 0,
            sockets => sockets.saturating_mul(PER_WEBSOCKET).max(FEWEST_PER_ADDRESS),
        };
        match self.open.take(address.into(), most) {
            Ok(place) => Some(place),
            Err(_) => {
                // Not for every connection of a flood, nor for one in place of each that closes.
                if let Some(before) = self.log.due(address.into(), Instant::now()) {
                    tracing::warn!(
                        %address, most, before, "connections refused: too many of this address"
                    );
                }
                None
            }
        }
    }
}

/// How connections are secured.
#[derive(Clone)]
pub enum Security {
    /// Plain HTTP for everybody.
    Plain,
    /// TLS with a certificate of our own making, and plain HTTP on this host.
    OwnTls(Arc<ServerConfig>),
    /// The same with a certificate that the operator gave.
    GivenTls(Arc<ServerConfig>),
}

impl Security {
    /// Whether TLS is spoken.
    pub fn is_tls(&self) -> bool {
        !matches!(self, Self::Plain)
    }
}

/// Serves until `shutdown`, then gives connections some time to end.
pub async fn serve(
    listener: TcpListener,
    security: Security,
    router: Router,
    per_address: PerAddress,
    shutdown: impl Future<Output = ()>,
    times: ConnectionTimes,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    let log = LogLimit::new(1);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &room, &log) => accepted,
            () = &mut shutdown => break,
        };
        let Some((stream, address, place)) = accepted else { continue };
        let Some(of_address) = per_address.take(address.ip()) else { continue };
        let watcher = connections.watcher();
        let (security, router) = (security.clone(), router.clone());
        tokio::spawn(async move {
            if let Err(error) = connection(stream, address, security, router, watcher, times).await
            {
                tracing::debug!(%address, %error, "connection ended");
            }
            drop((place, of_address));
        });
    }
    drop(listener);
    if timeout(times.end, connections.shutdown()).await.is_err() {
        tracing::debug!("some connections were cut");
    }
}

type ConnectionPlace = tokio::sync::OwnedSemaphorePermit;

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    log: &LogLimit<&'static str>,
) -> Option<(TcpStream, SocketAddr, ConnectionPlace)> {
    if room.available_permits() == 0
        && let Some(before) = log.due("full", Instant::now())
    {
        tracing::warn!(most = CONNECTIONS, before, "all connections are taken; further ones wait");
    }
    let place = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, address)) => Some((stream, address, place)),
        Err(error) => {
            if let Some(before) = log.due("failed", Instant::now()) {
                tracing::warn!(%error, before, "cannot accept a connection");
            }
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn connection(
    stream: TcpStream,
    address: SocketAddr,
    security: Security,
    router: Router,
    watcher: Watcher,
    times: ConnectionTimes,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let tls = match security {
        Security::Plain => None,
        Security::OwnTls(config) | Security::GivenTls(config) => {
            let mut first = [0];
            let read = timeout(times.handshake, stream.peek(&mut first)).await??;
            if read == 0 {
                return Ok(());
            }
            (first[0] == TLS_HANDSHAKE).then_some(config)
        }
    };
    match tls {
        Some(config) => {
            let accept = TlsAcceptor::from(config).accept(stream);
            let stream = timeout(times.handshake, accept).await??;
            http(stream, router.layer(Extension(Peer { address, tls: true })), watcher, times).await
        }
        None => {
            http(stream, router.layer(Extension(Peer { address, tls: false })), watcher, times)
                .await
        }
    }
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    watcher: Watcher,
    times: ConnectionTimes,
) -> io::Result<()> {
    // HTTP/1.1 alone: the time for headers then begins with the first byte, which is waited for
    // here.
    let mut stream = BufReader::with_capacity(AHEAD, stream);
    timeout(times.handshake, stream.fill_buf()).await??;
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(times.head).max_buf_size(HEAD);
    let service = TowerToHyperService::new(router);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(times.stall));
    let stream = TokioIo::new(Box::pin(stream));
    let connection = builder.serve_connection_with_upgrades(stream, service);
    watcher.watch(connection.into_owned()).await.map_err(io::Error::other)
}

/// Sends whoever comes unencrypted from another host to https.
pub async fn require_tls(request: Request, next: axum::middleware::Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    match peer {
        Some(peer) if peer.tls || is_this_host(peer.address) => next.run(request).await,
        _ => to_https(&request),
    }
}

fn is_this_host(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn to_https(request: &Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let path = if path.starts_with('/') { path } else { "/" };
    let location = host::named(request.headers())
        .and_then(|host| HeaderValue::try_from(format!("https://{host}{path}")).ok());
    match location {
        Some(location) => {
            (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, location)]).into_response()
        }
        None => (StatusCode::BAD_REQUEST, "use https\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn location(path: &str, host: &[u8]) -> Option<String> {
        let request = Request::builder().uri(path).header(header::HOST, host);
        let response = to_https(&request.body(Body::empty()).unwrap());
        let location = response.headers().get(header::LOCATION);
        let status = if location.is_some() { 308 } else { 400 };
        assert_eq!(response.status(), status);
        location.map(|location| location.to_str().unwrap().to_owned())
    }

    #[test]
    fn whoever_comes_unencrypted_is_sent_to_the_same_host_or_nowhere() {
        let to = |path, host: &str| location(path, host.as_bytes());
        assert_eq!(to("/a?b=c", "box:8090").as_deref(), Some("https://box:8090/a?b=c"));
        assert_eq!(to("//evil.example", "box").as_deref(), Some("https://box//evil.example"));
        assert_eq!(to("*", "box").as_deref(), Some("https://box/"));
        for host in ["evil.example@box", "box:x", "box/evil", "", "a b"] {
            assert_eq!(to("/", host), None, "{host}");
        }
        assert_eq!(location("/", b"box\xff"), None);
    }
}
