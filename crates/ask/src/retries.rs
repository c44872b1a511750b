//! When to ask again after a failure: pure.

use std::time::{Duration, Instant};

use crate::{Failure, backoff::Backoff};

/// How often a user is told of a limit that keeps being reached.
const LIMIT_REMINDER: Duration = Duration::from_secs(30);

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// Whether the question is asked again; else it is given up, and the next sample's turn comes.
    pub retry: bool,
    /// How long the VLM is left alone.
    pub after: Duration,
    /// Whether to tell of it: a limit that keeps being reached is told of now and then.
    pub is_told: bool,
    /// Whether it may be over when the server is seen again.
    pub(crate) is_servers: bool,
}

/// Counts what has failed in a row.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    backoff: Backoff,
    /// How often the question at hand was asked again.
    retried: u32,
    /// When a limit that was reached was last told of.
    told_limit: Option<Instant>,
}

impl Retries {
    /// A question has failed that may be asked so often again.
    pub(crate) fn failed(&mut self, failure: &Failure, retries: u32, now: Instant) -> Next {
        Next {
            retry: self.is_retried(failure, retries),
            after: self.backoff.after_failure(failure.passing, failure.retry_after),
            is_told: self.is_told(failure, now),
            is_servers: failure.is_servers,
        }
    }

    /// A question has its answer.
    pub(crate) fn answered(&mut self) {
        self.backoff.reset();
        self.retried = 0;
    }

    /// The question at hand is asked no more, for reasons that have nothing to do with failing.
    pub(crate) fn dropped(&mut self) {
        self.retried = 0;
    }

    /// Whether the question is asked again. Counts it.
    fn is_retried(&mut self, failure: &Failure, retries: u32) -> bool {
        if failure.limit.is_some() {
            self.retried = 0;
            return true;
        }
        let retry = failure.passing && failure.same_frame && self.retried < retries;
        self.retried = if retry { self.retried + 1 } else { 0 };
        retry
    }

    /// Whoever wants more than a limit reaches it with every question.
    fn is_told(&mut self, failure: &Failure, now: Instant) -> bool {
        let is_told = failure.limit.is_none()
            || self.told_limit.is_none_or(|at| now.saturating_duration_since(at) >= LIMIT_REMINDER);
        if failure.limit.is_some() && is_told {
            self.told_limit = Some(now);
        }
        is_told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> Failure {
        Failure::new("timeout", "too slow".into(), true)
    }

    #[test]
    fn a_failure_that_may_pass_is_retried_so_often_and_then_given_up() {
        let mut retries = Retries::default();
        let now = Instant::now();
        let retried: Vec<bool> = (0..6).map(|_| retries.failed(&failure(), 2, now).retry).collect();
        assert_eq!(retried, [true, true, false, true, true, false]);
        let lasting = Failure::new("unauthorized", "no key".into(), false);
        assert!(!retries.failed(&lasting, 2, now).retry);
        assert!(!retries.failed(&Failure { same_frame: false, ..failure() }, 2, now).retry);
    }

    #[test]
    fn a_limit_is_waited_for_without_end_and_told_of_now_and_then() {
        let limit = Failure { limit: Some(("questions-per-minute".into(), 1)), ..failure() };
        let mut retries = Retries::default();
        let start = Instant::now();
        let told: Vec<(bool, bool)> = [0, 10, 29, 30, 50]
            .map(|second| retries.failed(&limit, 0, start + Duration::from_secs(second)))
            .map(|next| (next.retry, next.is_told))
            .to_vec();
        assert_eq!(told, [(true, true), (true, false), (true, false), (true, true), (true, false)]);
        assert!(retries.failed(&failure(), 0, start).is_told, "it is no limit");
    }

    #[test]
    fn after_an_answer_waiting_starts_over() {
        let mut retries = Retries::default();
        let now = Instant::now();
        let first = retries.failed(&failure(), 1, now).after;
        assert_eq!(retries.failed(&failure(), 1, now).after, 2 * first);
        retries.answered();
        let next = retries.failed(&failure(), 1, now);
        assert_eq!((next.after, next.retry), (first, true));
    }
}
