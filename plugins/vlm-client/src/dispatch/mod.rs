//! The thin asynchronous part around [`core`]: it owns the queue, tells members of their turns,
//! and knows backends by address.
//!
//! Locking: one mutex, around the core and the table of members. It is held for the length of a
//! decision only, never across an await or a call out; members are woken after it is released.

pub(crate) mod core;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::Instant,
};

use tokio::{runtime::Handle, sync::Notify, task::AbortHandle, time::sleep_until};

use self::core::{BackendId, Core, CoreConfig, Event, MemberId};
use crate::{Client, Endpoint};

/// How a [`Dispatcher`] is set up.
#[derive(Debug, Clone, Copy)]
pub struct DispatcherConfig {
    /// The bounds of its queue.
    pub core: CoreConfig,
    /// How many questions at once a backend takes for which
    /// [`Dispatcher::set_slots`] was not called. Default 4.
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

/// Shares the slots of VLM servers fairly among sessions. Cheap to clone.
///
/// Backends are told apart by [`Endpoint::base`], whatever key is used. One that no member asks
/// any more is forgotten, unless its slots were set.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    shared: Arc<Shared>,
    /// Ends the timer with the last clone.
    _timer: Arc<TimerGuard>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Woken when the core's next time-out may have changed.
    timer: Notify,
    client: Client,
    runtime: Handle,
}

#[derive(Debug)]
struct State {
    core: Core,
    backends: HashMap<String, KnownBackend>,
    members: HashMap<MemberId, Arc<Bell>>,
    default_slots: usize,
}

#[derive(Debug)]
struct KnownBackend {
    id: BackendId,
    pinned: bool,
}

/// What a member hears of its turn.
#[derive(Debug, Default)]
struct Bell {
    heard: AtomicU8,
    notify: Notify,
}

const NEAR: u8 = 1;
const GRANTED: u8 = 2;

#[derive(Debug)]
struct TimerGuard(AbortHandle);

impl Drop for TimerGuard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Dispatcher {
    /// A dispatcher whose sessions ask through `client`, on `runtime`.
    pub fn new(config: DispatcherConfig, client: Client, runtime: &Handle) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                core: Core::new(config.core),
                backends: HashMap::new(),
                members: HashMap::new(),
                default_slots: config.default_slots,
            }),
            timer: Notify::new(),
            client,
            runtime: runtime.clone(),
        });
        let timer = runtime.spawn(run_timer(Arc::clone(&shared))).abort_handle();
        Self { shared, _timer: Arc::new(TimerGuard(timer)) }
    }

    /// The client that this dispatcher's users should ask with.
    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    /// The runtime that this dispatcher's users should ask on.
    pub fn runtime(&self) -> &Handle {
        &self.shared.runtime
    }

    /// Says how many questions the server at `endpoint` takes at once, and remembers it.
    pub fn set_slots(&self, endpoint: &Endpoint, slots: usize) {
        self.shared.decide(|state, now| {
            let known = state.backends.entry(endpoint.base().to_owned()).or_insert_with(|| {
                KnownBackend { id: state.core.add_backend(slots), pinned: true }
            });
            known.pinned = true;
            state.core.set_slots(known.id, slots, now);
        });
    }

    /// Joins those who ask the server at `endpoint`. Leaving is dropping the member.
    ///
    /// # Errors
    /// When [`CoreConfig::max_members`] have joined.
    pub fn join(&self, endpoint: &Endpoint) -> Result<Member, Full> {
        let bell = Arc::new(Bell::default());
        let id = self.shared.decide(|state, _| {
            let default_slots = state.default_slots;
            let backend = match state.backends.get(endpoint.base()) {
                Some(known) => known.id,
                None => {
                    let id = state.core.add_backend(default_slots);
                    let known = KnownBackend { id, pinned: false };
                    state.backends.insert(endpoint.base().to_owned(), known);
                    id
                }
            };
            let Some(id) = state.core.join(backend) else {
                let members = state.core.members();
                state.forget_unused(endpoint.base());
                return Err(Full { members });
            };
            state.members.insert(id, Arc::clone(&bell));
            Ok(id)
        })?;
        Ok(Member { dispatcher: self.clone(), id, bell, base: endpoint.base().to_owned() })
    }

    /// How many questions are being asked of the server at `endpoint`, and how many sessions wait.
    pub fn load(&self, endpoint: &Endpoint) -> (usize, usize) {
        let state = self.shared.lock();
        state.backends.get(endpoint.base()).map_or((0, 0), |known| state.core.load(known.id))
    }

    /// How many sessions have joined.
    pub fn members(&self) -> usize {
        self.shared.lock().core.members()
    }
}

impl State {
    fn forget_unused(&mut self, base: &str) {
        if let Some(known) = self.backends.get(base)
            && !known.pinned
            && self.core.remove_backend(known.id)
        {
            self.backends.remove(base);
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
        let (result, timeout_changed) = {
            let mut state = self.lock();
            let before = state.core.next_timeout();
            let result = change(&mut state, now);
            while let Some(event) = state.core.next(now) {
                let (member, heard) = match event {
                    Event::Grant(member) => (member, GRANTED),
                    Event::Near(member) => (member, NEAR),
                };
                if let Some(bell) = state.members.get(&member) {
                    // Set under the lock: whoever rests or leaves then sees the grant or its end.
                    bell.heard.fetch_or(heard, Ordering::AcqRel);
                    rings.push(Arc::clone(bell));
                }
            }
            (result, state.core.next_timeout() != before)
        };
        rings.iter().for_each(|bell| bell.notify.notify_one());
        if timeout_changed {
            self.timer.notify_one();
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

/// A session that has joined a [`Dispatcher`]. Dropping it leaves, and frees its slot at once.
#[derive(Debug)]
pub struct Member {
    dispatcher: Dispatcher,
    id: MemberId,
    bell: Arc<Bell>,
    base: String,
}

impl Member {
    /// The base address of the server that this member asks.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Waits for the next turn. `near` is called when it is expected within
    /// [`CoreConfig::near`]; never, if the turn comes at once.
    ///
    /// Dropping the future gives the place in the queue up.
    pub async fn turn(&mut self, mut near: impl FnMut()) -> Turn<'_> {
        self.bell.heard.store(0, Ordering::Release);
        let turn = Turn { member: self };
        turn.member.dispatcher.shared.decide(|state, now| state.core.want(turn.member.id, now));
        loop {
            let heard = turn.member.bell.heard.fetch_and(!NEAR, Ordering::AcqRel);
            if heard & GRANTED != 0 {
                return turn;
            }
            if heard & NEAR != 0 {
                near();
            }
            turn.member.bell.notify.notified().await;
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.dispatcher.shared.decide(|state, now| {
            state.core.leave(self.id, now);
            state.members.remove(&self.id);
            state.forget_unused(&self.base);
        });
    }
}

/// The right to ask one question now. Dropping it frees the slot.
#[derive(Debug)]
#[must_use = "dropping a turn gives it up"]
pub struct Turn<'a> {
    member: &'a Member,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let id = self.member.id;
        self.member.dispatcher.shared.decide(|state, now| state.core.rest(id, now));
    }
}

#[cfg(test)]
#[path = "dispatch_tests.rs"]
mod tests;
