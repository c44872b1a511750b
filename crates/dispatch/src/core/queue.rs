//! The fair queue of backends that share sessions: first users take turns, then each user's
//! sessions.
//!
//! Turns are given by start-time fair queueing (P. Goyal, H. Vin, H. Cheng, "Start-Time Fair
//! Queueing", SIGCOMM 1996). Each user carries a *tag*: the slot time used so far, divided by the
//! user's weight, on the clock of the *virtual time*. The waiting user with the smallest tag goes
//! next, and the virtual time is the tag of whoever went last. A tag lags behind the virtual time
//! by one usual turn at the most, so nobody can save up turns while away, and whoever had a backend
//! to themselves owes nothing for it. (By one turn, and not by none as in the paper: a session that
//! asks one question at a time is away for a moment after each, and would lose its place.)
//!
//! What a turn costs is known only when it has ended. Until then the user is charged what turns
//! of the kind took before, so that the slots of one moment do not all go to one user.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use super::ids::{MemberId, RouteId, UserId};

/// The weight of earlier turns against the newest one.
const EARLIER: u32 = 15;

/// Slot time by weight, in nanoseconds of a user of weight 1.
pub(super) type Tag = u64;

/// A session's place among those of its user: those that somebody waits for go before those that
/// ask by themselves, then whoever has waited longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct QueueEntry {
    by_itself: bool,
    since: u64,
    pub(super) member: MemberId,
}

impl QueueEntry {
    pub(super) fn new(member: MemberId, urgent: bool, since: u64) -> Self {
        Self { by_itself: !urgent, since, member }
    }

    /// The same for a session that somebody waits for now.
    pub(super) fn hurried(self) -> Self {
        Self { by_itself: false, ..self }
    }
}

/// A user's place: smallest tag first; among equals, whoever had the last turn longest ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    tag: Tag,
    last_turn: u64,
    pub(super) user: UserId,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    virtual_time: Tag,
    users: HashMap<UserId, User>,
    waiting: HashMap<RouteId, Waiting>,
    /// Users without sessions whose tags are still ahead: coming back does not clear a debt.
    gone: BTreeSet<(Tag, UserId)>,
    turns: u64,
    /// How long turns take, smoothed.
    usual_turn: Duration,
}

#[derive(Debug)]
struct User {
    weight: u32,
    members: usize,
    tag: Tag,
    last_turn: u64,
    entries: HashMap<RouteId, BTreeSet<QueueEntry>>,
}

#[derive(Debug, Default)]
struct Waiting {
    users: BTreeSet<Rank>,
    members: usize,
}

impl User {
    fn rank(&self, id: UserId) -> Rank {
        Rank { tag: self.tag, last_turn: self.last_turn, user: id }
    }

    fn cost(&self, time: Duration) -> Tag {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        nanos / u64::from(self.weight.max(1))
    }
}

impl Queue {
    /// The share of a user that has joined.
    pub(super) fn set_weight(&mut self, id: UserId, weight: u32) {
        if let Some(user) = self.users.get_mut(&id) {
            user.weight = weight;
        }
    }

    /// One more session of a user. The weight is the user's from now on; 0 is taken as 1.
    pub(super) fn join(&mut self, id: UserId, weight: u32) {
        let virtual_time = self.virtual_time;
        let user = self.users.entry(id).or_insert_with(|| User {
            weight,
            members: 0,
            tag: virtual_time,
            last_turn: 0,
            entries: HashMap::new(),
        });
        self.gone.remove(&(user.tag, id));
        user.weight = weight;
        user.members += 1;
    }

    /// One session of a user less; it must not wait any more.
    pub(super) fn leave(&mut self, id: UserId) {
        let Some(user) = self.users.get_mut(&id) else { return };
        user.members = user.members.saturating_sub(1);
        if user.members > 0 {
            return;
        }
        if user.tag > self.virtual_time {
            self.gone.insert((user.tag, id));
        } else {
            self.users.remove(&id);
        }
    }

    /// Forgets the debts of users that have gone, the smallest first, down to `most` of them.
    pub(super) fn forget_gone(&mut self, most: usize) {
        while self.gone.len() > most
            || self.gone.first().is_some_and(|(tag, _)| *tag <= self.virtual_time)
        {
            let Some((_, id)) = self.gone.pop_first() else { break };
            self.users.remove(&id);
        }
    }

    pub(super) fn push(&mut self, id: UserId, route: RouteId, entry: QueueEntry) {
        let (virtual_time, usual_turn) = (self.virtual_time, self.usual_turn);
        self.change(id, |user| {
            let least = virtual_time.saturating_sub(user.cost(usual_turn));
            user.tag = user.tag.max(least);
        });
        let Some(user) = self.users.get_mut(&id) else { return };
        user.entries.entry(route).or_default().insert(entry);
        let waiting = self.waiting.entry(route).or_default();
        waiting.users.insert(user.rank(id));
        waiting.members += 1;
    }

    /// Takes a session out; false if it did not wait.
    pub(super) fn remove(&mut self, id: UserId, route: RouteId, entry: QueueEntry) -> bool {
        let Some(user) = self.users.get_mut(&id) else { return false };
        let Some(entries) = user.entries.get_mut(&route) else { return false };
        if !entries.remove(&entry) {
            return false;
        }
        let was_last = entries.is_empty();
        if was_last {
            user.entries.remove(&route);
        }
        let rank = user.rank(id);
        if let Some(waiting) = self.waiting.get_mut(&route) {
            waiting.members -= 1;
            if was_last {
                waiting.users.remove(&rank);
            }
            if waiting.members == 0 {
                self.waiting.remove(&route);
            }
        }
        true
    }

    /// Who goes next on a route, of those that `may`.
    pub(super) fn first(
        &self,
        route: RouteId,
        may: impl Fn(MemberId) -> bool,
    ) -> Option<(Rank, QueueEntry)> {
        self.waiting.get(&route)?.users.iter().find_map(|rank| {
            let entry = self.entries(rank.user, route).find(|entry| may(entry.member))?;
            Some((*rank, *entry))
        })
    }

    /// Whose turn is expected next on a route, of those that were not told yet: users who have
    /// been told of none before those who have.
    pub(super) fn first_untold(
        &self,
        route: RouteId,
        told: impl Fn(MemberId) -> bool,
    ) -> Option<(Rank, MemberId)> {
        let users = &self.waiting.get(&route)?.users;
        let untold = |only_new: bool| {
            users.iter().find_map(|rank| {
                let mut entries = self.entries(rank.user, route);
                if only_new && entries.clone().any(|entry| told(entry.member)) {
                    return None;
                }
                entries.find(|entry| !told(entry.member)).map(|entry| (*rank, entry.member))
            })
        };
        untold(true).or_else(|| untold(false))
    }

    /// A session has its turn, for which its user is charged what it is `expected` to take.
    pub(super) fn give_turn(
        &mut self,
        id: UserId,
        route: RouteId,
        entry: QueueEntry,
        expected: Duration,
    ) {
        self.remove(id, route, entry);
        self.turns += 1;
        let turn = self.turns;
        let mut began = 0;
        self.change(id, |user| {
            began = user.tag;
            user.tag = user.tag.saturating_add(user.cost(expected));
            user.last_turn = turn;
        });
        self.virtual_time = self.virtual_time.max(began);
    }

    /// A turn has taken `took`, for which `charged` was charged.
    pub(super) fn settle(&mut self, id: UserId, charged: Duration, took: Duration) {
        self.change(id, |user| {
            let (charged, took) = (user.cost(charged), user.cost(took));
            user.tag = user.tag.saturating_sub(charged).saturating_add(took);
        });
        self.usual_turn = (self.usual_turn * EARLIER + took) / (EARLIER + 1);
    }

    /// How many sessions wait on a route.
    pub(super) fn waiting(&self, route: RouteId) -> usize {
        self.waiting.get(&route).map_or(0, |waiting| waiting.members)
    }

    /// Every session that waits on a route, in no order.
    pub(super) fn all(&self, route: RouteId) -> Vec<MemberId> {
        let users = self.waiting.get(&route).into_iter().flat_map(|waiting| &waiting.users);
        users.flat_map(|rank| self.entries(rank.user, route)).map(|entry| entry.member).collect()
    }

    /// Takes over the clocks of another queue whose backends are now shared with this one's.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.virtual_time = self.virtual_time.max(other.virtual_time);
        for (id, theirs) in &other.users {
            if let Some(user) = self.users.get_mut(id) {
                // What is owed is owed; the clock it was counted on does not matter much.
                user.tag = user.tag.max(theirs.tag);
            }
        }
    }

    fn entries(&self, id: UserId, route: RouteId) -> impl Iterator<Item = &QueueEntry> + Clone {
        let entries = self.users.get(&id).and_then(|user| user.entries.get(&route));
        entries.into_iter().flatten()
    }

    /// Changes a user's rank wherever it stands.
    fn change(&mut self, id: UserId, change: impl FnOnce(&mut User)) {
        let Some(user) = self.users.get_mut(&id) else { return };
        let before = user.rank(id);
        change(user);
        let after = user.rank(id);
        if before == after {
            return;
        }
        for route in user.entries.keys() {
            if let Some(waiting) = self.waiting.get_mut(route) {
                waiting.users.remove(&before);
                waiting.users.insert(after);
            }
        }
        if self.gone.remove(&(before.tag, id)) {
            self.gone.insert((after.tag, id));
        }
    }
}
