use std::time::{Duration, Instant};

use super::Lead;

/// A frame is of use up to this age, and then asked for anew while the turn is awaited.
const STALE: Duration = Duration::from_millis(100);
/// So many frames are asked for anew while one turn is awaited.
const REFRESHES: u32 = 4;
/// A frame that does not come is asked for again after twice its usual time, but at most so often.
const SOONEST: Duration = Duration::from_millis(60);
/// And no less often than this.
const LATEST: Duration = Duration::from_secs(1);

/// Which frames were asked for of a source that gives them on demand, and when to ask for the next:
/// pure, time is an argument.
#[derive(Debug, Default)]
pub struct Wishes {
    lead: Lead,
    /// What was asked for and has not come.
    open: Option<Open>,
    /// The newest frame that has come.
    newest: Option<Instant>,
    /// How many were asked for since the last question.
    count: u32,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    asked: Instant,
    tries: u32,
}

impl Wishes {
    /// How long before a turn a frame is to be asked for.
    pub fn lead(&self) -> Duration {
        self.lead.get()
    }

    /// A frame is asked for now.
    pub fn wish(&mut self, now: Instant) {
        let tries = match self.open {
            Some(open) => {
                self.lead.missed();
                open.tries.saturating_add(1)
            }
            None => {
                self.count = self.count.saturating_add(1);
                1
            }
        };
        self.open = Some(Open { asked: now, tries });
    }

    /// A frame has come.
    pub fn came(&mut self, at: Instant) {
        self.newest = Some(at);
        // Of what was asked for twice nobody knows which of the two it answers.
        if let Some(Open { asked, tries: 1 }) = self.open.take()
            && at > asked
        {
            self.lead.took(at.duration_since(asked));
        }
    }

    /// A question was asked: all before it counts no more.
    pub fn used(&mut self) {
        self.count = 0;
        self.newest = None;
    }

    /// Whether a frame was asked for, and may still come.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// When what was asked for is to be asked for again.
    pub fn retry(&self) -> Option<Instant> {
        let open = self.open?;
        let usual = (self.lead.get() * 2).clamp(SOONEST, LATEST);
        // The lead has doubled with each try already.
        Some(open.asked + usual)
    }

    /// When to ask for a frame for a turn that is expected then.
    pub fn next(&self, turn: Instant) -> Option<Instant> {
        if self.is_open() {
            return self.retry();
        }
        let first = turn.checked_sub(self.lead.get()).unwrap_or(turn);
        match self.newest {
            None => Some(first),
            Some(newest) => (self.count < REFRESHES).then(|| first.max(newest + STALE)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// One whose frames take 30 ms.
    fn quick(now: Instant) -> Wishes {
        let mut wishes = Wishes::default();
        for n in 0..30 {
            let asked = now + ms(n * 1000);
            wishes.wish(asked);
            wishes.came(asked + ms(30));
            wishes.used();
        }
        wishes
    }

    #[test]
    fn a_frame_is_asked_for_as_long_before_the_turn_as_it_takes() {
        let now = Instant::now();
        let (wishes, turn) = (quick(now), now + ms(40_000));
        let before = turn - wishes.next(turn).unwrap();
        assert!(before >= ms(30) && before < ms(40), "{before:?}");
    }

    #[test]
    fn what_does_not_come_is_asked_for_again_less_and_less_often() {
        let now = Instant::now();
        let mut wishes = quick(now);
        let (mut at, mut waits) = (now + ms(40_000), Vec::new());
        for _ in 0..6 {
            wishes.wish(at);
            let next = wishes.next(at).unwrap();
            waits.push((next - at).as_millis());
            at = next;
        }
        assert!(waits.is_sorted() && waits[0] < 80 && waits[5] > 400, "{waits:?}");
        wishes.came(at);
        assert!(wishes.retry().is_none());
    }

    #[test]
    fn while_the_turn_is_awaited_the_frame_is_kept_fresh_for_a_while() {
        let now = Instant::now();
        let mut wishes = quick(now);
        let turn = now + ms(40_000);
        let (mut at, mut count) = (turn - ms(40), 0);
        while let Some(next) = wishes.next(turn) {
            assert!(next >= at);
            wishes.wish(next);
            at = next + ms(30);
            wishes.came(at);
            count += 1;
        }
        assert_eq!(count, REFRESHES);
        assert!(at > turn + ms(300), "they are apart");
        wishes.used();
        assert!(wishes.next(turn).is_some());
    }

    #[test]
    fn what_was_asked_for_twice_says_nothing_of_how_long_frames_take() {
        let now = Instant::now();
        let mut wishes = quick(now);
        let before = wishes.lead();
        let asked = now + ms(40_000);
        wishes.wish(asked);
        wishes.wish(asked + ms(500));
        wishes.came(asked + ms(501));
        assert!(wishes.lead() >= before);
    }
}
