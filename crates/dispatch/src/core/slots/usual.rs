//! What answers usually take. Pure.

use std::time::Duration;

use super::asked::Answered;

/// The weight of the newest answer in the long run.
const NEWEST: f64 = 0.05;
/// So much longer than usual is no chance.
const LONGER: f64 = 1.5;
/// First tokens that come later than after this share of the answer are no sign of streaming.
const STREAMS_BELOW: f64 = 0.7;

/// What answers take with one number of slots, in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usual {
    answers: u32,
    first_token: f64,
    whole: f64,
    of_late: f64,
}

impl Usual {
    /// An answer, with so many slots.
    pub(super) fn add(&mut self, answered: &Answered, slots: usize) {
        self.answers = self.answers.saturating_add(1);
        // The mean of the first few is that of all of them.
        let first = 1.0 / f64::from(self.answers);
        self.first_token += (answered.first_token - self.first_token) * first.max(NEWEST);
        self.whole += (answered.whole - self.whole) * first.max(NEWEST);
        // Of questions asked together, the shortest answers come first.
        let of_late = 1.0 / slots.max(4) as f64;
        self.of_late += (answered.whole - self.of_late) * first.max(of_late);
    }

    /// Who waits longer than this for a first token waits for the answers of others: half an answer
    /// more than usual. `None` if the server does not stream, or nothing is known of it.
    pub(super) fn queued_after(&self) -> Option<Duration> {
        let after = || Duration::from_secs_f64(self.first_token + self.whole / 2.0);
        self.streams().then(after)
    }

    /// Whether first tokens are seen well before the ends of answers.
    pub(super) fn streams(&self) -> bool {
        self.answers > 0 && self.first_token < STREAMS_BELOW * self.whole
    }

    /// How much longer an answer takes than the part of it in which tokens are seen.
    pub(super) fn whole_per_seen(&self) -> f64 {
        self.whole / (self.whole - self.first_token).max(self.whole * 0.1).max(0.000_1)
    }

    /// Who waits inside a server for no longer than this may just have come: it begins with
    /// questions in steps.
    pub(super) fn moment(&self) -> Duration {
        let moment = if self.answers > 0 { self.whole / 10.0 } else { 0.1 };
        Duration::from_secs_f64(moment.clamp(0.05, 0.3))
    }

    /// A first token that comes within this time is no late one.
    pub(super) fn prompt(&self) -> Duration {
        Duration::from_secs_f64((self.first_token * 2.0).max(0.1))
    }

    /// Whether answers have come to take much longer than `once`, in seconds, with so many slots.
    pub(super) fn have_become_longer(&self, once: f64, slots: usize) -> bool {
        self.answers as usize >= slots.max(6) && self.of_late > LONGER * once
    }
}

/// How long answers are, in tokens.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lengths {
    answers: u32,
    mean: f64,
}

impl Lengths {
    /// Makes the answer as long as one of usual length would have been: what is left differs by what
    /// the server does, and not by what it was asked.
    pub(super) fn even_out(&mut self, answered: &mut Answered, tokens: u64) {
        if tokens == 0 {
            return;
        }
        let tokens = tokens as f64;
        self.answers = self.answers.saturating_add(1);
        self.mean += (tokens - self.mean) * (1.0 / f64::from(self.answers)).max(NEWEST);
        // Most of it must have been written in sight, or its length says nothing of its time.
        if answered.first_token < STREAMS_BELOW * answered.whole {
            let written = answered.whole - answered.first_token;
            answered.whole = answered.first_token + written * self.mean / tokens;
        }
    }
}
