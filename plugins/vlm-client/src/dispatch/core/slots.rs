//! How many questions a backend takes at once when nobody says: found by watching it. Pure.
//!
//! As TCP Vegas does (L. Brakmo, L. Peterson, "TCP Vegas", 1995), the time that something takes
//! on an idle server is compared with the time it takes now: the first token of an answer comes
//! late when the question had to wait inside the server. One more slot is tried as long as it
//! does not, and a slot is taken back when it does.

use std::time::{Duration, Instant};

const MOST: usize = 64;
/// A first token this many times later than the earliest means that questions wait inside.
const WAITS: f64 = 2.0;
/// Up to this many times later, there is room for more.
const ROOM: f64 = 1.5;
/// The weight of the newest first token in the mean.
const NEWEST: f64 = 0.3;
/// Pictures and prompts change, so what was earliest once need not be possible for ever.
const DRIFT: f64 = 1.01;
/// How long a number of slots that was too high is not tried again; twice as long each time.
const FIRST_REST: Duration = Duration::from_secs(60);
const LONGEST_REST: Duration = Duration::from_secs(900);

/// How many slots a backend has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slots {
    /// So many, 1 or more.
    Fixed(usize),
    /// As many as prove good, beginning here.
    Auto(usize),
}

#[derive(Debug)]
pub(super) struct SlotCount {
    slots: usize,
    auto: Option<Auto>,
}

#[derive(Debug, Default)]
struct Auto {
    earliest: Option<f64>,
    mean: Option<f64>,
    /// Questions in a row for which all slots were in use and none waited inside.
    good: usize,
    /// What was too many, and until when that is taken for true.
    too_many: Option<(usize, Instant)>,
    times_too_many: u32,
}

impl SlotCount {
    pub(super) fn new(slots: Slots) -> Self {
        match slots {
            Slots::Fixed(slots) => Self { slots: slots.max(1), auto: None },
            Slots::Auto(first) => Self { slots: first.clamp(1, MOST), auto: Some(Auto::default()) },
        }
    }

    pub(super) fn get(&self) -> usize {
        self.slots
    }

    /// An answer's first token came after `first_token`, with `at_once` questions asked.
    pub(super) fn observe(&mut self, first_token: Duration, at_once: usize, now: Instant) {
        let Some(auto) = &mut self.auto else { return };
        let late = first_token.as_secs_f64().max(0.000_1);
        let earliest = auto.earliest.map_or(late, |earliest| late.min(earliest * DRIFT));
        let mean = auto.mean.map_or(late, |mean| mean + (late - mean) * NEWEST);
        auto.earliest = Some(earliest);
        auto.mean = Some(mean);
        if mean > earliest * WAITS {
            self.take_back(now);
        } else if mean <= earliest * ROOM && at_once >= self.slots {
            auto.good += 1;
            if auto.good > self.slots && !auto.is_too_many(self.slots + 1, now) {
                auto.good = 0;
                self.slots = (self.slots + 1).min(MOST);
            }
        }
    }

    /// The server itself says how many questions it works on and how many wait inside.
    pub(super) fn told(&mut self, waiting: u64, now: Instant) {
        if waiting > 0 {
            self.take_back(now);
        }
    }

    fn take_back(&mut self, now: Instant) {
        let Some(auto) = &mut self.auto else { return };
        auto.good = 0;
        // What was measured with more slots says nothing of fewer.
        auto.mean = None;
        if self.slots == 1 {
            return;
        }
        let rest = FIRST_REST.saturating_mul(1 << auto.times_too_many.min(4)).min(LONGEST_REST);
        auto.times_too_many += 1;
        auto.too_many = Some((self.slots, now + rest));
        self.slots -= 1;
    }
}

impl Auto {
    fn is_too_many(&self, slots: usize, now: Instant) -> bool {
        self.too_many.is_some_and(|(too_many, until)| slots >= too_many && now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server with `real` slots: who comes when they are taken waits for a whole answer.
    fn play(count: &mut SlotCount, real: usize, questions: usize, start: Instant) -> Instant {
        let (prompt, answer) = (Duration::from_millis(100), Duration::from_secs(1));
        let mut now = start;
        for turn in 0..questions {
            let slots = count.get();
            let waits = turn % slots >= real;
            let first_token = if waits { prompt + answer } else { prompt };
            now += answer / u32::try_from(slots).unwrap();
            count.observe(first_token, slots, now);
        }
        now
    }

    #[test]
    fn the_room_of_a_server_is_found() {
        for real in [1, 2, 4, 8] {
            let mut count = SlotCount::new(Slots::Auto(1));
            play(&mut count, real, 400, Instant::now());
            assert!(
                count.get().abs_diff(real) <= 1,
                "{} slots found, {real} are there",
                count.get()
            );
        }
    }

    #[test]
    fn a_number_that_was_too_high_is_tried_ever_more_rarely() {
        let mut count = SlotCount::new(Slots::Auto(1));
        let start = Instant::now();
        let now = play(&mut count, 2, 100, start);
        assert_eq!(count.get(), 2);
        let tries = (0..50).filter(|_| {
            count.observe(Duration::from_millis(100), 2, now);
            count.get() > 2
        });
        assert_eq!(tries.count(), 0, "within the rest");
    }

    #[test]
    fn without_demand_nothing_is_tried() {
        let mut count = SlotCount::new(Slots::Auto(3));
        for _ in 0..100 {
            count.observe(Duration::from_millis(100), 1, Instant::now());
        }
        assert_eq!(count.get(), 3);
    }

    #[test]
    fn what_the_server_says_of_itself_counts() {
        let mut count = SlotCount::new(Slots::Auto(3));
        count.told(0, Instant::now());
        assert_eq!(count.get(), 3);
        count.told(2, Instant::now());
        assert_eq!(count.get(), 2);
    }

    #[test]
    fn a_fixed_number_stays() {
        let mut count = SlotCount::new(Slots::Fixed(2));
        play(&mut count, 1, 100, Instant::now());
        count.told(5, Instant::now());
        assert_eq!(count.get(), 2);
    }
}
