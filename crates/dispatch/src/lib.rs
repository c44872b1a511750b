//! Who is asked next: shares the slots of VLM servers fairly among users and their sessions.
//!
//! [`core`] decides, and is pure. This is the thin asynchronous part around it: it owns the queue,
//! tells members of their turns, and knows backends by address.
//!
//! Locking order: the lists of models, the state, then a member's bell. The state's mutex is held for the length of a
//! decision only, never across an await or a call out; members are woken, and accounts called,
//! after it is released.

mod account;
mod backoff;
pub mod core;
mod health;
mod pool;
mod report;
mod scope;
mod server;
mod turn;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    runtime::Handle,
    sync::Notify,
    task::AbortHandle,
    time::{sleep_until, timeout},
};

pub use self::{
    account::{Account, Denied},
    backoff::doubled,
    core::{BackendId, BackendState, CoreConfig, Slots},
    pool::BackendSnapshot,
    report::{QuestionOutcome, QuestionReport},
    server::Backend,
    turn::{Hurry, Member, NoTurn, Turn, Want},
};
use self::{
    core::{Core, Event, MemberId, UserId},
    pool::Pool,
    turn::{Bell, Joined},
};
use vlm_client::{Client, Endpoint, Error, Model};

/// How a [`Dispatcher`] is set up.
#[derive(Debug, Clone, Copy)]
pub struct DispatcherConfig {
    /// The bounds of its queue.
    pub core: CoreConfig,
    /// How many questions at once a server takes that was not
    /// [added](Dispatcher::add_backend). Default 4.
    pub default_slots: usize,
}

impl Default for DispatcherConfig {
    fn default() -> Self {
        Self { core: CoreConfig::default(), default_slots: 4 }
    }
}

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

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Woken when the core's next time-out may have changed.
    timer: Notify,
    /// Woken when the last question has ended after [`Dispatcher::drain`].
    drained: Notify,
    client: Client,
    runtime: Handle,
    /// When the pool's models were last asked for, and why that failed if it did. Held while they
    /// are asked for, and before the state.
    listed: tokio::sync::Mutex<Option<(tokio::time::Instant, Option<Error>)>>,
}

#[derive(Debug)]
struct State {
    core: Core,
    pool: Pool,
    members: HashMap<MemberId, Arc<Bell>>,
    users: HashMap<String, KnownUser>,
    most_users: usize,
}

#[derive(Debug)]
struct KnownUser {
    id: UserId,
    members: usize,
}

#[derive(Debug)]
struct Tasks {
    timer: AbortHandle,
    health: Mutex<Option<AbortHandle>>,
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.timer.abort();
        let health = self.health.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(health) = health {
            health.abort();
        }
    }
}

impl Dispatcher {
    /// A dispatcher whose sessions ask through `client`, on `runtime`.
    pub fn new(config: DispatcherConfig, client: Client, runtime: &Handle) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                core: Core::new(config.core),
                pool: Pool::new(config.default_slots),
                members: HashMap::new(),
                users: HashMap::new(),
                most_users: config.core.max_members.saturating_mul(2),
            }),
            timer: Notify::new(),
            drained: Notify::new(),
            client,
            runtime: runtime.clone(),
            listed: tokio::sync::Mutex::default(),
        });
        let timer = runtime.spawn(run_timer(Arc::clone(&shared))).abort_handle();
        let tasks = Arc::new(Tasks { timer, health: Mutex::default() });
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
        let mut health = self.tasks.health.lock().unwrap_or_else(PoisonError::into_inner);
        if health.is_none() {
            let watched = health::watch(Arc::clone(&self.shared));
            *health = Some(self.shared.runtime.spawn(watched).abort_handle());
        }
    }

    /// Joins those who ask the server at `endpoint` for `model`; empty = the first vision model.
    /// Leaving is dropping the member.
    ///
    /// # Errors
    /// When [`CoreConfig::max_members`] have joined.
    pub fn join(&self, endpoint: &Endpoint, model: &str) -> Result<Member, Full> {
        let bell = Arc::new(Bell::default());
        let joined = self.shared.decide(|state, _| {
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
            state.members.insert(id, Arc::clone(&bell));
            Ok(Joined { id, route, user })
        })?;
        Ok(Member::new(self.clone(), joined, bell, endpoint.clone(), model.to_owned()))
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

    fn account(&self) -> Option<&dyn Account> {
        self.account.as_deref()
    }
}

impl State {
    fn user(&mut self, name: Option<&str>) -> UserId {
        let Some(name) = name else { return self.core.add_user() };
        if let Some(known) = self.users.get(name) {
            return known.id;
        }
        // A user who has gone is remembered for what is owed, but not at any price.
        if self.users.len() >= self.most_users {
            self.users.retain(|_, user| user.members > 0);
        }
        let id = self.core.add_user();
        self.users.insert(name.to_owned(), KnownUser { id, members: 0 });
        id
    }

    fn count_user(&mut self, name: Option<&str>, change: isize) {
        if let Some(user) = name.and_then(|name| self.users.get_mut(name)) {
            user.members = user.members.saturating_add_signed(change);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is consistent between any two statements that can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, then tells those whom the change concerns.
    fn decide<T>(&self, change: impl FnOnce(&mut State, Instant) -> T) -> T {
        let now = tokio::time::Instant::now().into_std();
        let mut rings = Vec::new();
        let (result, timeout_changed, is_drained) = {
            let mut state = self.lock();
            let before = state.core.next_timeout();
            let result = change(&mut state, now);
            while let Some(event) = state.core.next(now) {
                let member = match event {
                    Event::Grant(member, _)
                    | Event::Near(member)
                    | Event::Unavailable(member, _)
                    | Event::Back(member) => member,
                };
                if let Some(bell) = state.members.get(&member) {
                    // Set under the lock: whoever rests or leaves then sees the grant or its end.
                    bell.hear(event);
                    rings.push(Arc::clone(bell));
                }
            }
            (result, state.core.next_timeout() != before, state.core.is_drained())
        };
        rings.iter().for_each(|bell| bell.ring());
        if timeout_changed {
            self.timer.notify_one();
        }
        if is_drained {
            self.drained.notify_waiters();
        }
        result
    }
}

async fn run_timer(shared: Arc<Shared>) {
    loop {
        let timeout = shared.lock().core.next_timeout();
        match timeout {
            Some(at) => tokio::select! {
                () = sleep_until(at.into()) => shared.decide(|_, _| ()),
                () = shared.timer.notified() => {}
            },
            None => shared.timer.notified().await,
        }
    }
}

#[cfg(test)]
#[path = "dispatch_tests.rs"]
mod tests;
