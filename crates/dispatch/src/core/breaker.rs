//! Whether a backend that fails, or one of its models, is asked: a circuit breaker (M. Nygard,
//! "Release It!", 2nd edition, section 5.3). Pure.

use std::time::{Duration, Instant};

use crate::backoff::doubled;

/// Failures in a row before a backend is left alone.
const THRESHOLD: u32 = 3;
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// A server may ask for more patience than we would have, up to this.
const LONGEST_ASKED: Duration = Duration::from_secs(300);

/// How a turn went, as far as it says something of the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The backend answered.
    Good,
    /// The backend is at fault.
    Bad {
        /// Whether that concerns all of it.
        scope: Scope,
        /// How long it asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// Nothing can be said: the question was given up, or was itself at fault.
    Unknown,
}

/// How far a failure reaches. Behind one address there may be many models, each with a server of
/// its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The backend is not there, for whatever model.
    Server,
    /// The model that was asked for fails, or is used up.
    Model,
}

/// Whether a backend is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendState {
    /// As many questions as it has slots.
    Up,
    /// None before this moment, then one on trial.
    Open {
        /// When the next trial may begin.
        until: Instant,
    },
    /// One question is on trial.
    HalfOpen,
}

#[derive(Debug)]
pub(super) struct Breaker {
    state: BackendState,
    failures: u32,
    /// How often in a row it was opened without an answer in between.
    opened: u32,
    /// Whether it was asked for the time that it is open.
    asked: bool,
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self { state: BackendState::Up, failures: 0, opened: 0, asked: false }
    }

    pub(super) fn state(&self) -> BackendState {
        self.state
    }

    /// How many of `free` slots may be given out.
    pub(super) fn admits(&self, free: usize, now: Instant) -> usize {
        match self.state {
            BackendState::Up => free,
            BackendState::Open { until } if now >= until => free.min(1),
            BackendState::Open { .. } | BackendState::HalfOpen => 0,
        }
    }

    /// When it may be asked again; `None` when it may be asked, or is being tried.
    pub(super) fn closed_until(&self, now: Instant) -> Option<Instant> {
        match self.state {
            BackendState::Open { until } if now < until => Some(until),
            _ => None,
        }
    }

    /// A question begins; true if it is one on trial.
    pub(super) fn begin(&mut self) -> bool {
        let trial = matches!(self.state, BackendState::Open { .. });
        if trial {
            self.state = BackendState::HalfOpen;
        }
        trial
    }

    /// A question has ended. Returns when the next trial may begin if the backend is now left
    /// alone.
    pub(super) fn end(&mut self, verdict: Verdict, trial: bool, now: Instant) -> Option<Instant> {
        match verdict {
            Verdict::Good => {
                *self = Self::new();
                None
            }
            Verdict::Bad { retry_after, .. } => {
                self.failures += 1;
                // Those that began before it was left alone say nothing new.
                let late = !trial && self.state != BackendState::Up;
                let opens = trial || retry_after.is_some() || self.failures >= THRESHOLD;
                (opens && !late).then(|| self.open(retry_after, now))
            }
            // The next question is the trial instead.
            Verdict::Unknown if trial && self.state == BackendState::HalfOpen => {
                self.state = BackendState::Open { until: now };
                Some(now)
            }
            Verdict::Unknown => None,
        }
    }

    /// It is seen again, though nobody has asked it a question: it is asked, and one failure opens
    /// it anew.
    pub(super) fn is_there(&mut self) {
        if self.state != BackendState::Up {
            self.state = BackendState::Up;
            self.failures = THRESHOLD - 1;
        }
    }

    /// What it depends on is there again: it may be tried now, unless it asked for more patience.
    pub(super) fn may_be_tried(&mut self, now: Instant) {
        if let BackendState::Open { until } = &mut self.state
            && !self.asked
        {
            *until = now.min(*until);
        }
    }

    fn open(&mut self, asked: Option<Duration>, now: Instant) -> Instant {
        let by_itself = doubled(FIRST, self.opened, LONGEST);
        self.opened += 1;
        self.asked = asked.is_some();
        let until = now + asked.map_or(by_itself, |asked| asked.clamp(FIRST / 10, LONGEST_ASKED));
        self.state = BackendState::Open { until };
        until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: Verdict = Verdict::Bad { scope: Scope::Model, retry_after: None };

    #[test]
    fn a_server_that_is_seen_again_is_up_until_it_fails_once() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.is_there();
        assert_eq!(breaker.state(), BackendState::Up);
        assert_eq!(breaker.end(BAD, false, now), Some(now + 2 * FIRST));
        // One that is being tried, too: the question may take long.
        assert!(breaker.begin());
        breaker.is_there();
        assert_eq!(breaker.admits(4, now), 4);
        // The trial's end is that of a question like others.
        assert_eq!(breaker.end(Verdict::Unknown, true, now), None);
    }

    #[test]
    fn what_its_server_brings_back_may_be_tried_unless_it_asked_for_patience() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.may_be_tried(now);
        assert_eq!(breaker.admits(4, now), 1);
        let mut breaker = Breaker::new();
        let scope = Scope::Model;
        breaker.end(Verdict::Bad { scope, retry_after: Some(7 * FIRST) }, false, now);
        breaker.may_be_tried(now);
        assert_eq!(breaker.closed_until(now), Some(now + 7 * FIRST));
    }

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::new();
        for _ in 0..3 {
            breaker.end(BAD, false, now);
        }
        breaker
    }

    #[test]
    fn three_failures_in_a_row_open_it_and_an_answer_in_between_does_not() {
        let now = Instant::now();
        let mut breaker = Breaker::new();
        for verdict in [BAD, BAD, Verdict::Good, BAD, BAD] {
            assert_eq!(breaker.end(verdict, false, now), None);
        }
        assert_eq!(breaker.admits(4, now), 4);
        assert_eq!(breaker.end(BAD, false, now), Some(now + FIRST));
        assert_eq!(breaker.admits(4, now), 0);
    }

    #[test]
    fn after_a_while_one_question_is_on_trial() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let later = now + FIRST;
        assert_eq!(breaker.admits(4, later), 1);
        assert!(breaker.begin());
        assert_eq!(breaker.admits(3, later), 0);
        assert_eq!(breaker.end(BAD, true, later), Some(later + 2 * FIRST));
        let later = later + 2 * FIRST;
        assert!(breaker.begin());
        assert_eq!(breaker.end(Verdict::Good, true, later), None);
        assert_eq!(breaker.admits(4, later), 4);
    }

    #[test]
    fn a_trial_that_was_given_up_makes_room_for_another() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let later = now + FIRST;
        assert!(breaker.begin());
        breaker.end(Verdict::Unknown, true, later);
        assert_eq!(breaker.admits(1, later), 1);
    }

    #[test]
    fn a_server_that_asks_to_be_left_alone_is_obeyed_at_once_and_within_reason() {
        let now = Instant::now();
        let asked = |seconds| {
            let retry_after = Some(Duration::from_secs(seconds));
            Verdict::Bad { scope: Scope::Model, retry_after }
        };
        assert_eq!(Breaker::new().end(asked(7), false, now), Some(now + Duration::from_secs(7)));
        assert_eq!(Breaker::new().end(asked(86_400), false, now), Some(now + LONGEST_ASKED));
    }

    #[test]
    fn questions_that_began_before_it_opened_do_not_prolong_it() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.end(BAD, false, now + FIRST / 2), None);
        assert_eq!(breaker.closed_until(now), Some(now + FIRST));
    }
}
