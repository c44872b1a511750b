//! The questions that a backend has not answered yet. Pure.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::core::MemberId;

#[derive(Debug, Clone, Copy)]
struct Asked {
    began: Instant,
    /// When it was sent; until it is, a picture is being made for it.
    sent: Option<Instant>,
    first_token: Option<Instant>,
}

/// How an answer went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    /// When its turn began.
    pub(super) began: Instant,
    /// Seconds from the question to the first token.
    pub(super) first_token: f64,
    /// Seconds from the question to the end.
    pub(super) whole: f64,
}

#[derive(Debug, Default)]
pub(super) struct InFlight {
    questions: HashMap<MemberId, Asked>,
}

impl InFlight {
    pub(super) fn begin(&mut self, member: MemberId, now: Instant) {
        self.questions.insert(member, Asked { began: now, sent: None, first_token: None });
    }

    pub(super) fn sent(&mut self, member: MemberId, now: Instant) {
        if let Some(asked) = self.questions.get_mut(&member) {
            asked.sent.get_or_insert(now);
        }
    }

    pub(super) fn first_token(&mut self, member: MemberId, now: Instant) {
        if let Some(asked) = self.questions.get_mut(&member) {
            asked.first_token.get_or_insert(now);
        }
    }

    /// Its answer is complete, or it was given up. `None` if nothing was sent.
    pub(super) fn end(&mut self, member: MemberId, now: Instant) -> Option<Answered> {
        let asked = self.questions.remove(&member)?;
        let sent = asked.sent?;
        let since = |at: Instant| at.saturating_duration_since(sent).as_secs_f64();
        let whole = since(now).max(0.000_1);
        let first_token = asked.first_token.map_or(whole, since);
        Some(Answered { began: asked.began, first_token, whole })
    }

    pub(super) fn len(&self) -> usize {
        self.questions.len()
    }

    /// Those that wait for their first token, for so long at least.
    pub(super) fn waiting_for(&self, at_least: Duration, now: Instant) -> usize {
        self.waits(now).filter(|waits| *waits >= at_least).count()
    }

    /// Those that have waited for their first token for a shorter time.
    pub(super) fn waiting_below(&self, time: Duration, now: Instant) -> usize {
        self.waits(now).filter(|waits| *waits < time).count()
    }

    fn waits(&self, now: Instant) -> impl Iterator<Item = Duration> {
        let waiting = self.questions.values().filter(|asked| asked.first_token.is_none());
        waiting.filter_map(move |asked| Some(now.saturating_duration_since(asked.sent?)))
    }
}
