//! Who is asked next: the pure part. Time is an argument, and nothing here waits, locks or sends.
//!
//! A *member* is a session that takes turns; it belongs to a *user* and asks on a *route*: for one
//! model, of the set of backends that can answer for it. Routes that have backends in common share
//! one fair queue. A backend that is not there is left alone by all of them; a model that fails
//! there by those who ask for it.

mod breaker;
mod connect;
mod ids;
mod models;
#[cfg(test)]
mod pool_tests;
mod queue;
mod seen;
mod slots;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod turns;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use self::{
    breaker::Breaker,
    models::Models,
    queue::{Queue, QueueEntry},
    slots::SlotCount,
};
pub use self::{
    breaker::{BackendState, Scope, Verdict},
    ids::{BackendId, MemberId, RouteId, UserId},
    slots::Slots,
};

/// What the core decided. The caller tells the member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The member holds a slot of the backend from now on, until [`Core::rest`] or
    /// [`Core::leave`].
    Turn(MemberId, BackendId),
    /// The member's turn is expected as soon as it [wanted to know](Core::set_near), or within
    /// [`CoreConfig::near`]: a good time to have a fresh picture ready. Told once per wait.
    Near(MemberId),
    /// Every backend of the member's route is left alone, until this moment at least. The member
    /// waits no more.
    Unavailable(MemberId, Instant),
    /// A backend of the member's route is seen again that was not there. The member does not wait;
    /// if it only rests because of that, it may ask.
    Back(MemberId),
}

/// The bounds of a [`Core`].
#[derive(Debug, Clone, Copy)]
pub struct CoreConfig {
    /// How many members may be joined at once. Default 4096.
    pub max_members: usize,
    /// How long before its expected turn a member is told that has not said when, at most
    /// [`MOST_NEAR`]. Default 150 ms: a key frame asked of a browser takes 12 to 180 ms to arrive.
    pub near: Duration,
}

/// The longest time before its expected turn that a member is told: 1 s.
pub const MOST_NEAR: Duration = Duration::from_secs(1);

impl Default for CoreConfig {
    fn default() -> Self {
        Self { max_members: 4096, near: Duration::from_millis(150) }
    }
}

#[derive(Debug)]
struct Backend {
    slots: SlotCount,
    breaker: Breaker,
    models: Models,
    /// What those are asking for who name no model; empty = not known.
    first_model: Arc<str>,
    /// Whether it was not there when it was last asked for anything.
    is_missing: bool,
    asking: usize,
    routes: Vec<RouteId>,
    /// How long a turn takes here, smoothed; `None` until one has ended.
    expected_turn: Option<Duration>,
    /// Turns that are about to end while nobody was there to be told.
    untold_ends: BTreeSet<MemberId>,
}

#[derive(Debug)]
struct Route {
    /// Empty = whatever each backend has first.
    model: Arc<str>,
    backends: Vec<BackendId>,
    members: usize,
    queue: QueueId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct QueueId(u64);

#[derive(Debug)]
struct MemberState {
    user: UserId,
    weight: u32,
    route: RouteId,
    turn: TurnState,
    /// How long before its expected turn it is told.
    near: Duration,
    /// How long its own turns take, smoothed; `None` until one has ended.
    expected_turn: Option<Duration>,
}

#[derive(Debug, Clone)]
enum TurnState {
    Resting,
    Waiting { entry: QueueEntry, avoid: Option<BackendId>, told_near: bool },
    Asking(Asking),
}

#[derive(Debug, Clone)]
struct Asking {
    backend: BackendId,
    model: Arc<str>,
    began: Instant,
    charged: Duration,
    /// Whether the backend is on trial with it, and whether the model is.
    on_trial: bool,
    model_on_trial: bool,
    /// When its slot is expected to be free, and when to see to it next that somebody else is told
    /// of that.
    end: Option<End>,
}

#[derive(Debug, Clone, Copy)]
struct End {
    expected: Instant,
    look: Instant,
}

/// The fair queue of all backends.
///
/// Invariants: no backend has more members asking than slots; no slot of a backend that is up is
/// free while a member waits that it can answer (once [`Core::next`] has returned `None`).
#[derive(Debug)]
pub struct Core {
    config: CoreConfig,
    backends: HashMap<BackendId, Backend>,
    routes: HashMap<RouteId, Route>,
    queues: HashMap<QueueId, Queue>,
    members: HashMap<MemberId, MemberState>,
    near_ends: BTreeSet<(Instant, MemberId)>,
    /// When backends that are left alone may be tried again.
    trials: BTreeSet<(Instant, BackendId)>,
    events: VecDeque<Event>,
    next_id: u64,
    paused: bool,
}

impl Core {
    /// An empty queue.
    pub fn new(config: CoreConfig) -> Self {
        Self {
            config,
            backends: HashMap::new(),
            routes: HashMap::new(),
            queues: HashMap::new(),
            members: HashMap::new(),
            near_ends: BTreeSet::new(),
            trials: BTreeSet::new(),
            events: VecDeque::new(),
            next_id: 0,
            paused: false,
        }
    }

    /// Adds a backend.
    pub fn add_backend(&mut self, slots: Slots) -> BackendId {
        let id = BackendId(self.fresh());
        let backend = Backend {
            slots: SlotCount::new(slots),
            breaker: Breaker::new(),
            models: Models::default(),
            first_model: "".into(),
            is_missing: false,
            asking: 0,
            routes: Vec::new(),
            expected_turn: None,
            untold_ends: BTreeSet::new(),
        };
        self.backends.insert(id, backend);
        id
    }

    /// Changes how many questions a backend takes at once. Those being answered go on.
    pub fn set_slots(&mut self, backend: BackendId, slots: Slots, now: Instant) {
        if let Some(this) = self.backends.get_mut(&backend) {
            this.slots.set(slots);
        }
        self.fill(backend, now);
    }

    /// Forgets a backend. Returns false, and keeps it, while it is on a route.
    pub fn remove_backend(&mut self, backend: BackendId) -> bool {
        if self.backends.get(&backend).is_some_and(|this| !this.routes.is_empty()) {
            return false;
        }
        self.backends.remove(&backend);
        self.trials.retain(|(_, id)| *id != backend);
        true
    }

    /// Says what a backend is asked for by those who name no model; empty = not known.
    pub fn set_first_model(&mut self, backend: BackendId, model: &str) {
        if let Some(this) = self.backends.get_mut(&backend)
            && *this.first_model != *model
        {
            this.first_model = model.into();
        }
    }

    /// Adds a route over these backends for this model; empty = whatever each has first.
    pub fn add_route(&mut self, backends: &[BackendId], model: &str) -> RouteId {
        let id = RouteId(self.fresh());
        let queue = QueueId(self.fresh());
        self.queues.insert(queue, Queue::default());
        self.routes
            .insert(id, Route { model: model.into(), backends: Vec::new(), members: 0, queue });
        self.connect(id, backends);
        id
    }

    /// Changes which backends can answer on a route. Questions in flight go on.
    pub fn set_route(&mut self, route: RouteId, backends: &[BackendId], now: Instant) {
        if self.routes.get(&route).is_none_or(|this| this.backends == backends) {
            return;
        }
        self.connect(route, backends);
        for backend in backends {
            self.fill(*backend, now);
        }
        self.give_up_where_nothing_is_up(route, now);
    }

    /// Forgets a route. Returns false, and keeps it, while it has members.
    pub fn remove_route(&mut self, route: RouteId) -> bool {
        if self.routes.get(&route).is_some_and(|this| this.members > 0) {
            return false;
        }
        self.connect(route, &[]);
        if let Some(route) = self.routes.remove(&route) {
            self.queues.remove(&route.queue);
        }
        true
    }

    /// A new user.
    pub fn add_user(&mut self) -> UserId {
        UserId(self.fresh())
    }

    /// Adds a member of a user, whose weight (1 or more) this sets. `None` when
    /// [`CoreConfig::max_members`] are joined, or there is no such route.
    pub fn join(&mut self, user: UserId, weight: u32, route: RouteId) -> Option<MemberId> {
        if self.members.len() >= self.config.max_members {
            return None;
        }
        let this = self.routes.get_mut(&route)?;
        this.members += 1;
        self.queues.get_mut(&this.queue)?.join(user, weight);
        let id = MemberId(self.fresh());
        let turn = TurnState::Resting;
        let near = self.config.near.min(MOST_NEAR);
        let member = MemberState { user, weight, route, turn, near, expected_turn: None };
        self.members.insert(id, member);
        Some(id)
    }

    /// How long before its expected turns the member is told of them, at most [`MOST_NEAR`]. Default:
    /// [`CoreConfig::near`].
    pub fn set_near(&mut self, member: MemberId, near: Duration) {
        if let Some(this) = self.members.get_mut(&member) {
            this.near = near.min(MOST_NEAR);
        }
    }

    /// Changes the share of the member's user, from their next turn on.
    pub fn set_weight(&mut self, member: MemberId, weight: u32) {
        let Some(this) = self.members.get_mut(&member) else { return };
        this.weight = weight;
        let (user, route) = (this.user, this.route);
        if let Some(queue) = self.queue_of(route) {
            queue.set_weight(user, weight);
        }
    }

    /// The member would like to ask; not at `avoid` if another backend is up. Nothing happens if
    /// it waits or asks already, but that a member that waits is made `urgent`: it then goes before
    /// the others of its user.
    pub fn want(&mut self, member: MemberId, urgent: bool, avoid: Option<BackendId>, now: Instant) {
        let since = self.fresh();
        let Some(this) = self.members.get_mut(&member) else { return };
        let route = this.route;
        let Some(queue) =
            self.routes.get(&route).and_then(|route| self.queues.get_mut(&route.queue))
        else {
            return;
        };
        match &mut this.turn {
            TurnState::Asking(_) => return,
            TurnState::Waiting { entry, .. } => {
                if urgent && queue.remove(this.user, route, *entry) {
                    *entry = entry.hurried();
                    queue.push(this.user, route, *entry);
                }
                return;
            }
            TurnState::Resting => {
                let entry = QueueEntry::new(member, urgent, since);
                this.turn = TurnState::Waiting { entry, avoid, told_near: false };
                queue.push(this.user, route, entry);
            }
        }
        self.fill_route(route, now);
        self.give_up_where_nothing_is_up(route, now);
        self.look_at_ends(member, route, now);
    }

    /// The member's question is being sent.
    pub fn sent(&mut self, member: MemberId, now: Instant) {
        if let Some(backend) = self.asked_by(member) {
            backend.slots.sent(member, now);
        }
    }

    /// The answer to the member's question begins.
    pub fn first_token(&mut self, member: MemberId, now: Instant) {
        if let Some(backend) = self.asked_by(member) {
            backend.slots.first_token(member, now);
        }
    }

    /// The member's turn is over, or it wants none any more. `verdict` says what that tells of the
    /// backend, and `tokens` how long the answer is; `None` = not known.
    pub fn rest(&mut self, member: MemberId, verdict: Verdict, tokens: Option<u64>, now: Instant) {
        let Some(this) = self.members.get_mut(&member) else { return };
        let turn = std::mem::replace(&mut this.turn, TurnState::Resting);
        let (user, route) = (this.user, this.route);
        match turn {
            TurnState::Resting => {}
            TurnState::Waiting { entry, .. } => {
                if let Some(queue) = self.queue_of(route) {
                    queue.remove(user, route, entry);
                }
            }
            TurnState::Asking(asking) => {
                let open = self.end_turn(member, &asking, verdict, tokens, now);
                self.after_breaker(asking.backend, open, now);
            }
        }
    }

    /// The member's turn is over, and it would like the next one at once. Were that said one after
    /// the other, the slot would have gone to whoever waited, however much they had had.
    pub fn rest_and_want(
        &mut self,
        member: MemberId,
        verdict: Verdict,
        tokens: Option<u64>,
        now: Instant,
    ) {
        let since = self.fresh();
        let Some(this) = self.members.get_mut(&member) else { return };
        let TurnState::Asking(asking) = this.turn.clone() else { return };
        let (user, route) = (this.user, this.route);
        let entry = QueueEntry::new(member, false, since);
        this.turn = TurnState::Waiting { entry, avoid: None, told_near: false };
        let open = self.end_turn(member, &asking, verdict, tokens, now);
        if let Some(queue) = self.queue_of(route) {
            queue.push(user, route, entry);
        }
        self.after_breaker(asking.backend, open, now);
        self.fill_route(route, now);
        self.give_up_where_nothing_is_up(route, now);
        self.look_at_ends(member, route, now);
    }

    /// Removes the member; its slot is free at once.
    pub fn leave(&mut self, member: MemberId, now: Instant) {
        self.rest(member, Verdict::Unknown, None, now);
        let most = self.config.max_members;
        if let Some(this) = self.members.remove(&member)
            && let Some(route) = self.routes.get_mut(&this.route)
        {
            route.members -= 1;
            if let Some(queue) = self.queues.get_mut(&route.queue) {
                queue.leave(this.user);
                queue.forget_gone(most);
            }
        }
    }

    /// What has been decided up to `now`; call until it returns `None`.
    pub fn next(&mut self, now: Instant) -> Option<Event> {
        while let Some((at, member)) = self.near_ends.first().copied().filter(|(at, _)| *at <= now)
        {
            self.near_ends.remove(&(at, member));
            self.tell_next_of(member, now);
        }
        while let Some((at, backend)) = self.trials.first().copied().filter(|(at, _)| *at <= now) {
            self.trials.remove(&(at, backend));
            self.fill(backend, now);
        }
        self.events.pop_front()
    }

    /// When [`Core::next`] should be called again although nothing else happens.
    pub fn next_timeout(&self) -> Option<Instant> {
        let near = self.near_ends.first().map(|(at, _)| *at);
        let trial = self.trials.first().map(|(at, _)| *at);
        near.into_iter().chain(trial).min()
    }

    /// How many members ask and how many wait at a backend.
    pub fn load(&self, backend: BackendId) -> (usize, usize) {
        let Some(this) = self.backends.get(&backend) else { return (0, 0) };
        let waiting = |route: &RouteId| {
            let queue = self.routes.get(route).and_then(|of| self.queues.get(&of.queue));
            queue.map_or(0, |queue| queue.waiting(*route))
        };
        (this.asking, this.routes.iter().map(waiting).sum())
    }

    /// How many slots a backend has.
    pub fn slots(&self, backend: BackendId) -> usize {
        self.backends.get(&backend).map_or(0, |this| this.slots.get())
    }

    /// Whether a backend other than this one can answer on the member's route now.
    pub fn has_other(&self, member: MemberId, backend: BackendId, now: Instant) -> bool {
        let route = self.members.get(&member).and_then(|this| self.routes.get(&this.route));
        route.is_some_and(|route| {
            let is_up = |other| self.is_up(other, &route.model, now);
            route.backends.iter().any(|other| *other != backend && is_up(*other))
        })
    }

    /// Whether the member waits for its turn.
    pub fn is_waiting(&self, member: MemberId) -> bool {
        let turn = self.members.get(&member).map(|this| &this.turn);
        matches!(turn, Some(TurnState::Waiting { .. }))
    }

    /// The backends of a route.
    pub fn backends_of(&self, route: RouteId) -> Vec<BackendId> {
        self.routes.get(&route).map(|route| route.backends.clone()).unwrap_or_default()
    }

    /// Gives no more turns. Those that members have go on.
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// Whether no more turns are given, and the last has ended.
    pub fn is_drained(&self) -> bool {
        self.paused && self.backends.values().all(|backend| backend.asking == 0)
    }

    /// How many members are joined.
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// How many members have joined on a route.
    pub fn members_of(&self, route: RouteId) -> usize {
        self.routes.get(&route).map_or(0, |route| route.members)
    }

    /// The backend that answers the member's question.
    fn asked_by(&mut self, member: MemberId) -> Option<&mut Backend> {
        match &self.members.get(&member)?.turn {
            TurnState::Asking(asking) => self.backends.get_mut(&asking.backend),
            TurnState::Resting | TurnState::Waiting { .. } => None,
        }
    }

    fn fresh(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}
