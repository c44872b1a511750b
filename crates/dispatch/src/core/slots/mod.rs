//! How many questions a backend takes at once: so many as somebody says, or found by watching it.
//! Pure.

mod asked;
mod compare;
mod measure;
mod search;
#[cfg(test)]
mod search_tests;
#[cfg(test)]
mod simulated;
mod usual;

use std::time::Instant;

use self::search::Search;
use super::MemberId;

/// How many slots a backend has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slots {
    /// So many, 1 or more.
    Fixed(usize),
    /// As many as prove good, beginning here.
    Auto(usize),
}

#[derive(Debug)]
pub(super) enum SlotCount {
    Fixed(usize),
    Found(Box<Search>),
}

impl SlotCount {
    pub(super) fn new(slots: Slots) -> Self {
        match slots {
            Slots::Fixed(slots) => Self::Fixed(slots.max(1)),
            Slots::Auto(first) => Self::Found(Box::new(Search::new(first))),
        }
    }

    pub(super) fn get(&self) -> usize {
        match self {
            Self::Fixed(slots) => *slots,
            Self::Found(search) => search.slots(),
        }
    }

    /// Somebody says it anew. What was found already stays found.
    pub(super) fn set(&mut self, slots: Slots) {
        match (&mut *self, slots) {
            (Self::Found(search), Slots::Auto(first)) => search.begin_at(first),
            _ => *self = Self::new(slots),
        }
    }

    /// A member has its turn.
    pub(super) fn begin(&mut self, member: MemberId, now: Instant) {
        if let Self::Found(search) = self {
            search.begin(member, now);
        }
    }

    /// Its question is being sent.
    pub(super) fn sent(&mut self, member: MemberId, now: Instant) {
        if let Self::Found(search) = self {
            search.sent(member, now);
        }
    }

    /// Its answer begins.
    pub(super) fn first_token(&mut self, member: MemberId, now: Instant) {
        if let Self::Found(search) = self {
            search.first_token(member, now);
        }
    }

    /// Its turn is over, with a complete answer of so many tokens (0 = not known), or without one.
    pub(super) fn end(&mut self, member: MemberId, answer: Option<u64>, now: Instant) {
        if let Self::Found(search) = self {
            search.end(member, answer, now);
        }
    }

    /// The server itself says how many questions wait inside.
    pub(super) fn told(&mut self, waiting: u64, now: Instant) {
        if let Self::Found(search) = self {
            search.told(waiting, now);
        }
    }
}
