//! Who is asked next: the pure part. Time is an argument, and nothing here waits, locks or sends.
//!
//! Turns are given by start-time fair queueing (P. Goyal, H. Vin, H. Cheng, "Start-Time Fair
//! Queueing", SIGCOMM 1996). Each member carries a *tag*: the slot time it has used so far, on the
//! clock of its backend's *virtual time*. The waiting member with the smallest tag goes next, and
//! the virtual time is the tag of whoever went last. A member that rested begins at the virtual
//! time, so it can neither save up turns nor lose its place to those who never rest.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    time::{Duration, Instant},
};

/// A server in the dispatcher's pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackendId(u64);

/// A session that takes turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(u64);

/// What the core decided. The caller tells the member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The member holds a slot from now on, until [`Core::rest`] or [`Core::leave`].
    Grant(MemberId),
    /// The member's turn is expected within [`CoreConfig::near`]: a good time to have a fresh
    /// picture ready. Told once per wait.
    Near(MemberId),
}

/// The bounds of a [`Core`].
#[derive(Debug, Clone, Copy)]
pub struct CoreConfig {
    /// How many members may be joined at once. Default 4096.
    pub max_members: usize,
    /// How long before its expected turn a member is told. Default 150 ms: a key frame asked of a
    /// browser takes 12 to 180 ms to arrive.
    pub near: Duration,
}

impl Default for CoreConfig {
    fn default() -> Self {
        Self { max_members: 4096, near: Duration::from_millis(150) }
    }
}

/// Slot time used, in microseconds.
type Tag = u64;

#[derive(Debug)]
struct Backend {
    slots: usize,
    asking: BTreeMap<MemberId, Instant>,
    /// Smallest tag first; among equals, who has waited longest.
    waiting: BTreeSet<(Tag, u64, MemberId)>,
    virtual_time: Tag,
    /// How long a turn takes here, smoothed; `None` until one has ended.
    expected_turn: Option<Duration>,
    members: usize,
}

#[derive(Debug)]
struct MemberState {
    backend: BackendId,
    tag: Tag,
    turn: TurnState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TurnState {
    Resting,
    Waiting { since: u64, told_near: bool },
    Asking,
}

/// The fair queue of all backends.
///
/// Invariants: no backend has more members asking than slots; no slot is free while a member of
/// its backend waits (once [`Core::next`] has returned `None`).
#[derive(Debug)]
pub struct Core {
    config: CoreConfig,
    backends: HashMap<BackendId, Backend>,
    members: HashMap<MemberId, MemberState>,
    events: VecDeque<Event>,
    next_id: u64,
}

impl Core {
    /// An empty queue.
    pub fn new(config: CoreConfig) -> Self {
        Self {
            config,
            backends: HashMap::new(),
            members: HashMap::new(),
            events: VecDeque::new(),
            next_id: 0,
        }
    }

    /// Adds a backend that takes `slots` questions at once (0 is taken as 1).
    pub fn add_backend(&mut self, slots: usize) -> BackendId {
        let id = BackendId(self.fresh());
        self.backends.insert(
            id,
            Backend {
                slots: slots.max(1),
                asking: BTreeMap::new(),
                waiting: BTreeSet::new(),
                virtual_time: 0,
                expected_turn: None,
                members: 0,
            },
        );
        id
    }

    /// Changes how many questions a backend takes at once. Those being answered go on.
    pub fn set_slots(&mut self, backend: BackendId, slots: usize, now: Instant) {
        if let Some(this) = self.backends.get_mut(&backend) {
            this.slots = slots.max(1);
        }
        self.schedule(backend, now);
    }

    /// Forgets a backend. Returns false, and keeps it, while it has members.
    pub fn remove_backend(&mut self, backend: BackendId) -> bool {
        if self.backends.get(&backend).is_some_and(|this| this.members > 0) {
            return false;
        }
        self.backends.remove(&backend);
        true
    }

    /// Adds a member that asks `backend`. `None` when [`CoreConfig::max_members`] are joined, or
    /// there is no such backend.
    pub fn join(&mut self, backend: BackendId) -> Option<MemberId> {
        if self.members.len() >= self.config.max_members {
            return None;
        }
        let this = self.backends.get_mut(&backend)?;
        this.members += 1;
        let tag = this.virtual_time;
        let id = MemberId(self.fresh());
        self.members.insert(id, MemberState { backend, tag, turn: TurnState::Resting });
        Some(id)
    }

    /// The member would like to ask. Nothing happens if it waits or asks already.
    pub fn want(&mut self, member: MemberId, now: Instant) {
        let since = self.fresh();
        let Some(this) = self.members.get_mut(&member) else { return };
        let Some(backend) = self.backends.get_mut(&this.backend) else { return };
        if this.turn != TurnState::Resting {
            return;
        }
        this.tag = this.tag.max(backend.virtual_time);
        this.turn = TurnState::Waiting { since, told_near: false };
        backend.waiting.insert((this.tag, since, member));
        let backend = this.backend;
        self.schedule(backend, now);
    }

    /// The member's turn, or its wait for one, is over. The slot time it used counts against it.
    pub fn rest(&mut self, member: MemberId, now: Instant) {
        let Some(this) = self.members.get_mut(&member) else { return };
        let Some(backend) = self.backends.get_mut(&this.backend) else { return };
        match this.turn {
            TurnState::Resting => return,
            TurnState::Waiting { since, .. } => {
                backend.waiting.remove(&(this.tag, since, member));
            }
            TurnState::Asking => {
                if let Some(began) = backend.asking.remove(&member) {
                    let took = now.saturating_duration_since(began);
                    this.tag += u64::try_from(took.as_micros()).unwrap_or(u64::MAX / 2).max(1);
                    backend.expect(took);
                }
            }
        }
        this.turn = TurnState::Resting;
        let backend = this.backend;
        self.events.retain(|event| *event != Event::Grant(member) && *event != Event::Near(member));
        self.schedule(backend, now);
    }

    /// Removes the member; its slot is free at once.
    pub fn leave(&mut self, member: MemberId, now: Instant) {
        self.rest(member, now);
        if let Some(this) = self.members.remove(&member)
            && let Some(backend) = self.backends.get_mut(&this.backend)
        {
            backend.members -= 1;
        }
    }

    /// What has been decided up to `now`; call until it returns `None`.
    pub fn next(&mut self, now: Instant) -> Option<Event> {
        if self.events.is_empty() {
            let ids: Vec<BackendId> = self.backends.keys().copied().collect();
            ids.into_iter().for_each(|id| self.tell_near(id, now));
        }
        self.events.pop_front()
    }

    /// When [`Core::next`] should be called again although nothing else happens.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.backends
            .values()
            .filter_map(|backend| {
                let untold = backend.waiting.iter().position(|entry| !self.told_near(entry.2))?;
                let ends = backend.expected_ends();
                ends.get(untold).map(|end| *end - self.config.near.min(backend.turn_or_zero()))
            })
            .min()
    }

    /// How many members ask and how many wait at a backend.
    pub fn load(&self, backend: BackendId) -> (usize, usize) {
        self.backends.get(&backend).map_or((0, 0), |this| (this.asking.len(), this.waiting.len()))
    }

    /// How many members are joined.
    pub fn members(&self) -> usize {
        self.members.len()
    }

    fn schedule(&mut self, backend: BackendId, now: Instant) {
        let Some(this) = self.backends.get_mut(&backend) else { return };
        while this.asking.len() < this.slots {
            let Some((tag, _, member)) = this.waiting.pop_first() else { break };
            this.virtual_time = this.virtual_time.max(tag);
            this.asking.insert(member, now);
            if let Some(member) = self.members.get_mut(&member) {
                member.turn = TurnState::Asking;
            }
            self.events.push_back(Event::Grant(member));
        }
    }

    /// The first to wait are told when as many turns are expected to end soon.
    fn tell_near(&mut self, backend: BackendId, now: Instant) {
        let Some(this) = self.backends.get(&backend) else { return };
        if this.waiting.is_empty() {
            return;
        }
        let soon = now + self.config.near;
        let ending = this.expected_ends().iter().filter(|end| **end <= soon).count();
        let heads: Vec<MemberId> = this.waiting.iter().take(ending).map(|entry| entry.2).collect();
        for head in heads {
            if let Some(MemberState { turn: TurnState::Waiting { told_near, .. }, .. }) =
                self.members.get_mut(&head)
                && !std::mem::replace(told_near, true)
            {
                self.events.push_back(Event::Near(head));
            }
        }
    }

    fn told_near(&self, member: MemberId) -> bool {
        matches!(
            self.members.get(&member),
            Some(MemberState { turn: TurnState::Waiting { told_near: true, .. }, .. })
        )
    }

    fn fresh(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

impl Backend {
    fn expect(&mut self, took: Duration) {
        self.expected_turn = Some(match self.expected_turn {
            Some(before) => (before * 4 + took) / 5,
            None => took,
        });
    }

    fn turn_or_zero(&self) -> Duration {
        self.expected_turn.unwrap_or_default()
    }

    /// When slots are expected to become free, soonest first; empty until one turn has ended.
    fn expected_ends(&self) -> Vec<Instant> {
        let Some(turn) = self.expected_turn else { return Vec::new() };
        let mut ends: Vec<Instant> = self.asking.values().map(|began| *began + turn).collect();
        ends.sort_unstable();
        // After the slots were made fewer, the first turns to end free none.
        ends.drain(..ends.len().saturating_sub(self.slots));
        ends
    }
}

#[cfg(test)]
#[path = "core_tests.rs"]
mod tests;
