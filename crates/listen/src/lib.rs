//! Accepting connections: TLS and plain HTTP on one port, the server's certificate, whom a proxy
//! speaks for, and what every answer tells a browser. It knows no routes; whoever serves gives it a
//! router, in which each request finds its [`Peer`].
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use live_vlm_listen::{ConnectionTimes, PerAddress, Security, forwarded::TrustedProxies};
//!
//! # async fn example() -> std::io::Result<()> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8090").await?;
//! let router = Router::new().route("/", get(async || "hello"));
//! // An address may have ten WebSockets, and so many more connections as a page needs.
//! let per_address = PerAddress::new(|| 10, TrustedProxies::default());
//! let shutdown = std::future::pending();
//! let times = ConnectionTimes::default();
//! live_vlm_listen::serve(listener, Security::Plain, router, per_address, shutdown, times).await;
//! # Ok(())
//! # }
//! ```

pub mod answer_headers;
mod config;
pub mod forwarded;
pub mod host;
mod serve;
pub mod tls;

pub use config::{Certificate, Config, Options};
pub use serve::{ConnectionTimes, Peer, PerAddress, Security, require_tls, serve};
