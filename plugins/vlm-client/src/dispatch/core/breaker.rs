//! Whether a backend that fails is asked: a circuit breaker (M. Nygard, "Release It!", 2nd edition,
//! section 5.3). Pure.

use std::time::{Duration, Instant};

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
        /// How long it asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// Nothing can be said: the question was given up, or was itself at fault.
    Unknown,
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
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self { state: BackendState::Up, failures: 0, opened: 0 }
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
            Verdict::Bad { retry_after } => {
                self.failures += 1;
                // Those that began before it was left alone say nothing new.
                let late = !trial && self.state != BackendState::Up;
                let opens = trial || retry_after.is_some() || self.failures >= THRESHOLD;
                (opens && !late).then(|| self.open(retry_after, now))
            }
            // The next question is the trial instead.
            Verdict::Unknown if trial => {
                self.state = BackendState::Open { until: now };
                Some(now)
            }
            Verdict::Unknown => None,
        }
    }

    /// The backend answers, though nobody has asked it a question. Where the time to leave it alone
    /// is over and no question came to try it, it is asked again; one failure opens it anew.
    pub(super) fn is_there(&mut self, now: Instant) {
        if matches!(self.state, BackendState::Open { until } if now > until) {
            self.state = BackendState::Up;
            self.failures = THRESHOLD - 1;
        }
    }

    fn open(&mut self, asked: Option<Duration>, now: Instant) -> Instant {
        let doubled = FIRST.saturating_mul(1 << self.opened.min(5)).min(LONGEST);
        self.opened += 1;
        let until = now + asked.map_or(doubled, |asked| asked.clamp(FIRST / 10, LONGEST_ASKED));
        self.state = BackendState::Open { until };
        until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: Verdict = Verdict::Bad { retry_after: None };

    #[test]
    fn a_server_that_is_there_again_and_that_nobody_tries_is_up_until_it_fails_once() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.is_there(now + FIRST);
        assert_ne!(breaker.state(), BackendState::Up, "it is still to be left alone");
        let later = now + FIRST + Duration::from_millis(1);
        breaker.is_there(later);
        assert_eq!(breaker.state(), BackendState::Up);
        assert_eq!(breaker.end(BAD, false, later), Some(later + 2 * FIRST));
        // One that is being tried waits for the question.
        breaker.begin();
        breaker.is_there(later + LONGEST);
        assert_eq!(breaker.state(), BackendState::HalfOpen);
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
        let asked = |seconds| Verdict::Bad { retry_after: Some(Duration::from_secs(seconds)) };
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
