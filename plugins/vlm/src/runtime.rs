//! What elements without a shared dispatcher ask with: one small runtime and one client for the
//! process, made when the first of them starts.

use std::sync::LazyLock;

use live_vlm_dispatch::{Dispatcher, DispatcherConfig};
use tokio::runtime::{Builder, Runtime};
use vlm_client::Client;

static RUNTIME: LazyLock<std::io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(2).thread_name("vlm").enable_all().build()
});
static CLIENT: LazyLock<Result<Client, vlm_client::Error>> = LazyLock::new(Client::new);

/// A dispatcher for elements that are given none.
pub(crate) fn own_dispatcher() -> Result<Dispatcher, String> {
    let runtime = RUNTIME.as_ref().map_err(|error| format!("no threads to ask with: {error}"))?;
    let client = CLIENT.as_ref().map_err(ToString::to_string)?;
    Ok(Dispatcher::new(DispatcherConfig::default(), client.clone(), runtime.handle()))
}
