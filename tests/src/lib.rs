//! What crosses crates: contract and isolation tests, and the load tool in small.
//!
//! This library is what the tests have in common:
//! - [`server`]: the server inside the test; [`process`]: the program as a child
//! - [`client`] and [`socket`]: a browser or a script that talks to it; [`refused`]: what it is
//!   refused
//! - [`vlm`]: a VLM server whose every answer the test decides
//! - [`pictures`]: what a page sends in place of video
//! - [`relay`]: a TURN server
//! - [`network`]: several hosts
//! - [`cable`]: what can be cut between a client and a server
//!
//! Every wait in here is bounded by [`LIMIT`] and panics when it is over, so that a test waits for
//! what should happen and never for time to pass.

#![forbid(unsafe_code)]

pub mod cable;
pub mod client;
pub mod network;
pub mod pictures;
pub mod process;
pub mod refused;
pub mod relay;
pub mod server;
pub mod socket;
pub mod vlm;

use std::{future::Future, time::Duration};

/// Longer than anything takes on a busy machine; no test waits for it when all is well.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Waits for `what`, for at most [`LIMIT`].
///
/// # Panics
/// When it does not happen in time.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(done) => done,
        Err(_) => panic!("{what} did not happen within {LIMIT:?}"),
    }
}

/// Waits for what has no event of its own, such as a count.
///
/// # Panics
/// When it does not happen within [`LIMIT`].
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    within(what, async {
        while !condition() {
            tick.tick().await;
        }
    })
    .await;
}
