//! How long a VLM that fails is left alone: pure.

use std::time::Duration;

use live_vlm_dispatch::doubled;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// How long to wait after one more failure: what the server asked for, else twice as long as
    /// after the failure before. What only a changed setting can mend waits longest at once.
    pub(crate) fn after_failure(&mut self, passing: bool, asked: Option<Duration>) -> Duration {
        let by_itself = doubled(FIRST, self.failures, LONGEST);
        self.failures = self.failures.saturating_add(1);
        match asked {
            Some(asked) => asked.clamp(FIRST / 10, LONGEST * 10),
            None if passing => by_itself,
            None => LONGEST,
        }
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_doubles_up_to_half_a_minute_and_starts_over_after_an_answer() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..7).map(|_| backoff.after_failure(true, None).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        backoff.reset();
        assert_eq!(backoff.after_failure(true, None), FIRST);
    }

    #[test]
    fn the_server_is_obeyed_within_reason() {
        let mut backoff = Backoff::default();
        let asked = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(backoff.after_failure(true, asked(7)), Duration::from_secs(7));
        assert_eq!(backoff.after_failure(true, asked(86_400)), Duration::from_secs(300));
    }

    #[test]
    fn a_wrong_key_is_not_tried_every_second() {
        assert_eq!(Backoff::default().after_failure(false, None), LONGEST);
    }
}
