use std::time::Duration;

/// How long to wait for a key frame before asking again: after the first request, the second, and
/// each later one.
const RESTS: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];
/// The same after the very first request, which is easily lost while a connection comes about.
const FIRST: Duration = Duration::from_millis(100);

/// When to ask a peer again for a key frame that has not come. The request or the frame may be
/// lost. Or the frame is still on its way over a thin line: then asking again only adds another
/// frame behind it. Pure: times are arguments.
#[derive(Debug, Default)]
pub(crate) struct KeyFrameRetry {
    /// When it was first asked for since one came, and last.
    first: Option<Duration>,
    asked: Option<Duration>,
    /// How often it was asked for since one came.
    tries: usize,
    /// How long the newest took to come, and the one before.
    took: Option<[Duration; 2]>,
    /// Whether one came at all.
    has_begun: bool,
}

impl KeyFrameRetry {
    /// Whether the peer may be asked now. If so, this counts as a request.
    pub(crate) fn ask(&mut self, now: Duration) -> bool {
        let rested = |asked| now.saturating_sub(asked) >= self.rest();
        let may = self.asked.is_none_or(rested);
        if may {
            self.first.get_or_insert(now);
            self.asked = Some(now);
            self.tries = self.tries.saturating_add(1);
        }
        may
    }

    /// Packets come again after a while without any. Whether to ask the peer at once, as it cannot
    /// have heard the requests of that while. If so, this counts as a request.
    pub(crate) fn resume(&mut self, now: Duration) -> bool {
        // One that was asked in vain once or twice may be answering with these packets.
        let in_vain = self.tries >= RESTS.len();
        if in_vain {
            self.tries = 0;
            self.first = None;
            self.asked = None;
        }
        in_vain && self.ask(now)
    }

    /// A key frame came.
    pub(crate) fn came(&mut self, now: Duration) {
        if let Some(first) = self.first.take() {
            let newest = now.saturating_sub(first);
            self.took = Some([newest, self.took.map_or(newest, |[before, _]| before)]);
        }
        self.tries = 0;
        self.has_begun = true;
    }

    /// How long key frames take to come; of the newest two the quicker, as the other may have been
    /// lost first.
    pub(crate) fn took(&self) -> Option<Duration> {
        self.took.map(|[newest, before]| newest.min(before))
    }

    fn rest(&self) -> Duration {
        let [.., longest] = RESTS;
        let first = usize::from(!self.has_begun);
        match self.tries.checked_sub(1 + first) {
            Some(further) => {
                // On a thin line each takes its time.
                let took = self.took().unwrap_or_default();
                RESTS[further.min(RESTS.len() - 1)].max(took * 3 / 2).min(longest)
            }
            None if self.tries == 0 => Duration::ZERO,
            None => FIRST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// One that was asked for a key frame once, and it took so long.
    fn after_one_that_took(ms: u64) -> KeyFrameRetry {
        let mut retry = KeyFrameRetry::default();
        assert!(retry.ask(at(0)));
        retry.came(at(ms));
        retry
    }

    /// When it is asked by whoever tries every 50 ms, in ms.
    fn asked(retry: &mut KeyFrameRetry, from: u64, until: u64) -> Vec<u64> {
        (from..until).step_by(50).filter(|ms| retry.ask(at(*ms))).collect()
    }

    #[test]
    fn what_does_not_come_is_asked_for_less_and_less_often() {
        let mut retry = KeyFrameRetry::default();
        assert_eq!(asked(&mut retry, 0, 8000), [0, 100, 600, 1600, 3600, 5600, 7600]);
        let mut retry = after_one_that_took(40);
        assert_eq!(asked(&mut retry, 1000, 7000), [1000, 1500, 2500, 4500, 6500]);
    }

    #[test]
    fn what_takes_its_time_is_given_it() {
        let mut retry = after_one_that_took(800);
        assert_eq!(asked(&mut retry, 1000, 6000), [1000, 2200, 3400, 5400]);
        retry.came(at(5500));
        assert!(retry.ask(at(6000)));
        retry.came(at(6040));
        assert_eq!(asked(&mut retry, 7000, 9000), [7000, 7500, 8500], "one of two was lost");
        let mut retry = after_one_that_took(60_000);
        assert_eq!(asked(&mut retry, 61_000, 66_000), [61_000, 63_000, 65_000]);
    }

    #[test]
    fn after_an_outage_it_is_asked_for_at_once() {
        let mut retry = after_one_that_took(40);
        assert_eq!(asked(&mut retry, 1000, 6000), [1000, 1500, 2500, 4500]);
        assert!(retry.resume(at(6000)));
        assert_eq!(asked(&mut retry, 6000, 8000), [6500, 7500]);
    }

    #[test]
    fn packets_that_may_be_the_answer_are_no_reason_to_ask() {
        let mut retry = after_one_that_took(40);
        assert_eq!(asked(&mut retry, 1000, 1700), [1000, 1500]);
        assert!(!retry.resume(at(1700)));
    }

    #[test]
    fn what_comes_is_asked_for_as_often_as_wanted() {
        let mut retry = KeyFrameRetry::default();
        for ms in (0..1000).step_by(100) {
            assert!(retry.ask(at(ms)), "at {ms} ms");
            retry.came(at(ms + 50));
        }
    }
}
