//! Clients for servers whose authority only their operator knows. Each authority has one of its own:
//! it vouches for the servers that it was named for, and for no others.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
};

use crate::{authority::Authority, lock::lock};

/// There are as many authorities as an operator names files.
const MOST: usize = 32;

/// A leaf lock, held to look up or add one.
#[derive(Debug, Default)]
pub(crate) struct Trusting(Mutex<VecDeque<Trusted>>);

#[derive(Debug)]
struct Trusted {
    authority: Arc<Authority>,
    /// Whether it asks past the system's proxy.
    direct: bool,
    client: reqwest::Client,
}

impl Trusting {
    /// The client for this authority, made by `builder` if there is none yet.
    pub(crate) fn client(
        &self,
        authority: &Arc<Authority>,
        direct: bool,
        builder: impl FnOnce() -> reqwest::ClientBuilder,
    ) -> reqwest::Result<reqwest::Client> {
        let is_it = |known: &&Trusted| known.authority == *authority && known.direct == direct;
        if let Some(known) = self.lock().iter().find(is_it) {
            return Ok(known.client.clone());
        }
        let client = builder().tls_certs_merge(authority.certificates()).build()?;
        let mut known = self.lock();
        known.truncate(MOST - 1);
        known.push_front(Trusted {
            authority: Arc::clone(authority),
            direct,
            client: client.clone(),
        });
        Ok(client)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Trusted>> {
        lock(&self.0)
    }
}
