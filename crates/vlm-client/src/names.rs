//! Connections to endpoints that somebody else named. The addresses of a name are looked up here
//! and checked here, and the connection is made to one of exactly these: there is no second
//! look-up that could give another answer.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::{
    lock::lock,
    reach::{Blocked, Gate},
};

/// Gates in use at once are few: as many as there are ports in the operator's list, and one.
const MAX_CLIENTS: usize = 32;

/// The addresses that a host name leads to.
pub type LookedUp = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

type Lookup = dyn Fn(&str) -> LookedUp + Send + Sync;

/// HTTP clients that reach only what a [`Gate`] lets through. Each gate has one of its own, since
/// a connection that is kept must not serve somebody who may not make it.
pub(crate) struct Guarded {
    lookup: Arc<Lookup>,
    /// Locked to look up or add one; a leaf.
    clients: Mutex<VecDeque<(Gate, reqwest::Client)>>,
}

impl Guarded {
    pub(crate) fn new(lookup: impl Fn(&str) -> LookedUp + Send + Sync + 'static) -> Self {
        Self { lookup: Arc::new(lookup), clients: Mutex::default() }
    }

    /// The client for this gate, made by `builder` if there is none yet.
    pub(crate) fn client(
        &self,
        gate: &Gate,
        builder: impl FnOnce() -> reqwest::ClientBuilder,
    ) -> reqwest::Result<reqwest::Client> {
        if let Some((_, client)) = self.lock().iter().find(|(own, _)| own == gate) {
            return Ok(client.clone());
        }
        let names = CheckedNames { gate: gate.clone(), lookup: Arc::clone(&self.lookup) };
        // A proxy would look names up by itself.
        let client = builder().no_proxy().dns_resolver(names).build()?;
        let mut clients = self.lock();
        clients.truncate(MAX_CLIENTS - 1);
        clients.push_front((gate.clone(), client.clone()));
        Ok(client)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Gate, reqwest::Client)>> {
        lock(&self.clients)
    }
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").finish_non_exhaustive()
    }
}

struct CheckedNames {
    gate: Gate,
    lookup: Arc<Lookup>,
}

impl Resolve for CheckedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let gate = self.gate.clone();
        let addresses = (self.lookup)(name.as_str());
        Box::pin(async move {
            let checked = checked(&gate, name.as_str(), addresses.await?)?;
            // The port is the URL's.
            let addresses = checked.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// Those of a name's addresses that may be reached; an error if it has addresses, but none such.
fn checked(gate: &Gate, name: &str, addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, Blocked> {
    let mut blocked = None;
    let mut open = Vec::new();
    for address in addresses {
        match gate.check(Some(name), address) {
            Ok(()) => open.push(address),
            Err(error) => blocked = Some(error),
        }
    }
    match blocked {
        Some(error) if open.is_empty() => Err(error),
        _ => Ok(open),
    }
}

/// As the system does it.
pub(crate) fn system_lookup(name: &str) -> LookedUp {
    let name = name.to_owned();
    Box::pin(async move {
        let addresses = tokio::net::lookup_host((name.as_str(), 0)).await?;
        Ok(addresses.map(|address| address.ip()).collect())
    })
}
