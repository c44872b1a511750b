//! The dispatcher itself: joining it, and what is known of its servers.

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Handle, time::timeout};
use vlm_client::{Client, Endpoint, Error, Model};

use crate::{
    account::Account,
    health,
    notices::Notices,
    pool::BackendSnapshot,
    server::Backend,
    shared::{DispatcherConfig, Shared},
    tasks::Tasks,
    turn::{Joined, Member},
};

/// As many sessions as the dispatcher takes have joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{members} sessions share the VLM already, which is the limit; try again later")]
pub struct Full {
    /// How many have joined.
    pub members: usize,
}

/// Shares the slots of VLM servers fairly among users and their sessions. Cheap to clone.
///
/// Servers that were [added](Self::add_backend) are its *pool*: who asks one of them for a model
/// gets any of them that has it. Other servers are told apart by their addresses and the keys that
/// are used, and are forgotten when nobody asks them any more.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    shared: Arc<Shared>,
    /// Who pays for those that join through this clone; `None` = each for itself.
    account: Option<Arc<dyn Account>>,
    /// Ends the tasks with the last clone.
    tasks: Arc<Tasks>,
}

impl Dispatcher {
    /// A dispatcher whose sessions ask through `client`, on `runtime`.
    pub fn new(config: DispatcherConfig, client: Client, runtime: &Handle) -> Self {
        let shared = Arc::new(Shared::new(config, client, runtime));
        let tasks = Arc::new(Tasks::start(&shared, config.check_every));
        Self { shared, account: None, tasks }
    }

    /// The same dispatcher for those whom this account pays.
    #[must_use]
    pub fn for_account(&self, account: Arc<dyn Account>) -> Self {
        Self { account: Some(account), ..self.clone() }
    }

    /// The client that this dispatcher's users should ask with.
    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    /// The runtime that this dispatcher's users should ask on.
    pub fn runtime(&self) -> &Handle {
        &self.shared.runtime
    }

    /// Adds a server to the pool, or changes one that has the same address. Its models and its
    /// health are watched from now on.
    pub fn add_backend(&self, backend: Backend) {
        self.shared.decide(|state, now| state.pool.add(&mut state.core, backend, now));
        self.tasks.watch_health(&self.shared);
    }

    /// Joins those who ask the server at `endpoint` for `model`; empty = the first vision model.
    /// Leaving is dropping the member.
    ///
    /// # Errors
    /// When [`CoreConfig::max_members`](crate::CoreConfig::max_members) have joined.
    pub fn join(&self, endpoint: &Endpoint, model: &str) -> Result<Member, Full> {
        let notices = Arc::<Notices>::default();
        let (id, route, user) = self.shared.decide(|state, _| {
            let route = state.pool.route(&mut state.core, endpoint, model);
            let user = self.account.as_ref().map(|account| account.user().to_owned());
            let weight = self.account.as_ref().map_or(1, |account| account.weight());
            let user_id = state.user(user.as_deref());
            let Some(id) = state.core.join(user_id, weight, route) else {
                let members = state.core.members();
                state.pool.forget_unused(&mut state.core, route);
                return Err(Full { members });
            };
            state.count_user(user.as_deref(), 1);
            state.members.insert(id, Arc::clone(&notices));
            Ok((id, route, user))
        })?;
        let joined = Joined {
            id,
            route,
            user,
            notices,
            account: self.account.clone(),
            shared: Arc::clone(&self.shared),
            _tasks: Arc::clone(&self.tasks),
        };
        Ok(Member::new(joined, endpoint.clone(), model.to_owned()))
    }

    /// How many questions are being asked of the server at `endpoint`, and how many sessions wait.
    pub fn load(&self, endpoint: &Endpoint) -> (usize, usize) {
        let state = self.shared.lock();
        state.pool.backend_at(endpoint).map_or((0, 0), |id| state.core.load(id))
    }

    /// How the servers of the pool are, in the order in which they were added.
    pub fn pool(&self) -> Vec<BackendSnapshot> {
        let state = self.shared.lock();
        state.pool.snapshot(&state.core)
    }

    /// The server of the pool at this address, with its key.
    pub fn pooled(&self, base: &str) -> Option<Endpoint> {
        self.shared.lock().pool.pooled(base).cloned()
    }

    /// The models of the pool, of which each server is asked now.
    ///
    /// # Errors
    /// When none of the servers lists its models within `timeout`: why the first does not.
    pub async fn models(&self, timeout: Duration) -> Result<Vec<Model>, Error> {
        let failed = health::check_all(&self.shared, timeout).await;
        let models = self.shared.lock().pool.models();
        match failed {
            Some(error) if models.is_empty() => Err(error),
            _ => Ok(models),
        }
    }

    /// Gives no more turns, and waits until the questions in flight have ended, at most `within`.
    /// False if some have not.
    pub async fn drain(&self, within: Duration) -> bool {
        let drained = self.shared.drained.notified();
        self.shared.decide(|state, _| state.core.pause());
        self.shared.lock().core.is_drained() || timeout(within, drained).await.is_ok()
    }

    /// How many sessions have joined.
    pub fn members(&self) -> usize {
        self.shared.lock().core.members()
    }
}

#[cfg(test)]
#[path = "dispatcher_tests.rs"]
mod tests;
