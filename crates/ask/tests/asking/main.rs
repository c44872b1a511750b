//! Asking a VLM server that says what the test wants.

mod camera;
mod failures;
mod questions;
mod vlm;

use std::time::Duration;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(8);

/// Waits for something that will come.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("it should have come by now")
}

/// Waits for two things that will come.
async fn both<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> (A, B) {
    soon(async { tokio::join!(one, other) }).await
}
