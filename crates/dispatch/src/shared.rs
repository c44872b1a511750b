//! What a dispatcher's clones, members and tasks share, and how it is changed. For the locking order
//! see the [crate].

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::Notify, time::sleep_until};
use vlm_client::{Client, Error};

use crate::{
    core::{Core, CoreConfig, Event, MemberId, Slots, UserId},
    lock::lock,
    notices::Notices,
    pool::Pool,
};

/// How a [`Dispatcher`](crate::Dispatcher) is set up.
#[derive(Debug, Clone, Copy)]
pub struct DispatcherConfig {
    /// The bounds of its queue.
    pub core: CoreConfig,
    /// How many questions at once a server takes that was not
    /// [added](crate::Dispatcher::add_backend). Default `None`: that is found, beginning with
    /// [what its address lets one expect](vlm_client::Endpoint::first_slots).
    pub default_slots: Option<Slots>,
    /// How often the servers of the pool are looked at. Default 5 s.
    pub check_every: Duration,
}

impl Default for DispatcherConfig {
    fn default() -> Self {
        let check_every = Duration::from_secs(5);
        Self { core: CoreConfig::default(), default_slots: None, check_every }
    }
}

#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<DispatcherState>,
    /// Woken when the core's next time-out may have changed.
    pub(crate) timer: Notify,
    /// Woken when the last question has ended after [`Dispatcher::drain`](crate::Dispatcher::drain).
    pub(crate) drained: Notify,
    pub(crate) client: Client,
    pub(crate) runtime: Handle,
    /// When the pool's models were last asked for, and why that failed if it did. Held while they
    /// are asked for, and before the state.
    pub(crate) listed: tokio::sync::Mutex<Option<(tokio::time::Instant, Option<Error>)>>,
}

#[derive(Debug)]
pub(crate) struct DispatcherState {
    pub(crate) core: Core,
    pub(crate) pool: Pool,
    pub(crate) members: HashMap<MemberId, Arc<Notices>>,
    users: HashMap<String, KnownUser>,
    most_users: usize,
}

#[derive(Debug)]
struct KnownUser {
    id: UserId,
    members: usize,
}

impl DispatcherState {
    /// The user of this name; a new one for each that has none.
    pub(crate) fn user(&mut self, name: Option<&str>) -> UserId {
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

    pub(crate) fn count_user(&mut self, name: Option<&str>, change: isize) {
        if let Some(user) = name.and_then(|name| self.users.get_mut(name)) {
            user.members = user.members.saturating_add_signed(change);
        }
    }
}

impl Shared {
    pub(crate) fn new(config: DispatcherConfig, client: Client, runtime: &Handle) -> Self {
        Self {
            state: Mutex::new(DispatcherState {
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
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, DispatcherState> {
        lock(&self.state)
    }

    /// Changes the state, then tells those whom the change concerns.
    pub(crate) fn decide<T>(&self, change: impl FnOnce(&mut DispatcherState, Instant) -> T) -> T {
        let now = now();
        let mut told = Vec::new();
        let (result, timeout_changed, is_drained) = {
            let mut state = self.lock();
            let before = state.core.next_timeout();
            let result = change(&mut state, now);
            while let Some(event) = state.core.next(now) {
                let member = match event {
                    Event::Turn(member, _)
                    | Event::Near(member)
                    | Event::Unavailable(member, _)
                    | Event::Back(member) => member,
                };
                if let Some(notices) = state.members.get(&member) {
                    // Set under the lock: whoever rests or leaves then sees the turn or its end.
                    notices.tell(event);
                    told.push(Arc::clone(notices));
                }
            }
            (result, state.core.next_timeout() != before, state.core.is_drained())
        };
        told.iter().for_each(|notices| notices.wake());
        if timeout_changed {
            self.timer.notify_one();
        }
        if is_drained {
            self.drained.notify_waiters();
        }
        result
    }
}

/// As the runtime counts time, which tests may advance by themselves.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Makes the decisions that are due with time alone. Runs until it is aborted.
pub(crate) async fn run_timer(shared: Arc<Shared>) {
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
