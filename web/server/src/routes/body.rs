//! Reading the body of a request: not longer than it may be, and not for ever.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use tokio::time::timeout;

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// It did not arrive in time.
    Late,
    /// It has more bytes than it may, or ended before it was whole.
    TooLarge,
}

/// The whole body, of at most so many bytes.
pub(super) async fn whole(body: Body, most: usize, within: Duration) -> Result<Bytes, Unread> {
    let read = timeout(within, to_bytes(body, most)).await.map_err(|_| Unread::Late)?;
    read.map_err(|_| Unread::TooLarge)
}
