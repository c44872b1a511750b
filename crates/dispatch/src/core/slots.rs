//! How many questions a backend takes at once when nobody says: found by watching it. Pure.
//!
//! One more slot is tried as long as there is demand, and kept if it was worth it: if answers come
//! so much more often that what each of them takes longer is made up for. A server that has no room
//! for one more lets it wait, and answers come no more often than before; one that works on several
//! at once is slower with each, and yet gives more. So what counts is how many answers come in a
//! time, and not how late their first tokens are, which come late in both. (Hill climbing on
//! throughput, as H.-U. Heiss and R. Wagner have it in "Adaptive Load Control in Transaction
//! Processing Systems", VLDB 1991.)

use std::time::{Duration, Instant};

use crate::backoff::doubled;

const MOST: usize = 64;
/// One more slot could bring another `1 / slots` of the answers; this share of it is worth it.
const WORTH: f64 = 0.25;
/// The weight of the newest answer in what answers take.
const NEWEST: f64 = 0.1;
/// The same for what they take of late.
const NEWEST_OF_LATE: f64 = 0.3;
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
    /// What answers take with so many slots, all of them in use.
    times: AnswerTimes,
    trial: Option<Trial>,
    /// Whether the number has proved better than one less.
    is_proved: bool,
    /// What was too many, and until when that is taken for true.
    too_many: Option<(usize, Instant)>,
    times_too_many: u32,
}

/// What the number is being compared with.
#[derive(Debug, Clone, Copy)]
enum Trial {
    /// One less, which was good.
    More { than: AnswerTimes },
    /// One more, which nobody knows to be worth it.
    Fewer { than: AnswerTimes },
}

/// What answers take, in seconds.
#[derive(Debug, Clone, Copy, Default)]
struct AnswerTimes {
    answers: usize,
    first_token: f64,
    whole: f64,
    first_token_of_late: f64,
}

impl AnswerTimes {
    fn add(&mut self, first_token: Duration, whole: Duration) {
        let (first_token, whole) = (first_token.as_secs_f64(), whole.as_secs_f64().max(0.000_1));
        self.answers += 1;
        // The mean of the first few is that of all of them.
        let newest = NEWEST.max(1.0 / self.answers as f64);
        self.first_token += (first_token - self.first_token) * newest;
        self.whole += (whole - self.whole) * newest;
        let of_late = NEWEST_OF_LATE.max(newest);
        self.first_token_of_late += (first_token - self.first_token_of_late) * of_late;
    }

    /// Whether enough is known of answers with so many slots.
    fn is_known(&self, slots: usize) -> bool {
        self.answers >= 4 + 2 * slots
    }

    /// Whether answers have come to wait for half as long as they take, as when others ask the
    /// same server.
    fn waits_of_late(&self) -> bool {
        self.first_token_of_late > self.first_token + self.whole / 2.0
    }
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

    /// An answer took `whole`, of which its first token `first_token`, with `at_once` questions
    /// asked when it began.
    pub(super) fn observe(
        &mut self,
        first_token: Duration,
        whole: Duration,
        at_once: usize,
        now: Instant,
    ) {
        let slots = self.slots;
        let Some(auto) = &mut self.auto else { return };
        // With slots to spare it says nothing of what more of them would do.
        if at_once != slots {
            return;
        }
        auto.times.add(first_token, whole);
        if !auto.times.is_known(slots) {
            return;
        }
        match auto.trial {
            Some(Trial::More { than }) if is_worth_it(&than, &auto.times, slots) => {
                auto.trial = None;
                auto.is_proved = true;
            }
            Some(Trial::More { .. }) => self.take_back(now),
            Some(Trial::Fewer { than }) if is_worth_it(&auto.times, &than, slots + 1) => {
                self.set(slots + 1, None, true);
            }
            Some(Trial::Fewer { .. }) => auto.trial = None,
            None if auto.times.waits_of_late() => self.take_back(now),
            None if slots > 1 && !auto.is_proved => {
                let than = auto.times;
                self.set(slots - 1, Some(Trial::Fewer { than }), false);
            }
            None if slots < MOST && !auto.is_too_many(slots + 1, now) => {
                let than = auto.times;
                self.set(slots + 1, Some(Trial::More { than }), false);
            }
            None => {}
        }
    }

    /// The server itself says how many questions wait inside.
    pub(super) fn told(&mut self, waiting: u64, now: Instant) {
        if waiting > 0 {
            self.take_back(now);
        }
    }

    fn take_back(&mut self, now: Instant) {
        let slots = self.slots;
        let Some(auto) = &mut self.auto else { return };
        if slots == 1 {
            auto.times = AnswerTimes::default();
            return;
        }
        let rest = doubled(FIRST_REST, auto.times_too_many, LONGEST_REST);
        auto.times_too_many += 1;
        auto.too_many = Some((slots, now + rest));
        self.set(slots - 1, None, true);
    }

    fn set(&mut self, slots: usize, trial: Option<Trial>, is_proved: bool) {
        self.slots = slots;
        if let Some(auto) = &mut self.auto {
            // What was measured with another number says nothing of this one.
            *auto = Auto { times: AnswerTimes::default(), trial, is_proved, ..*auto };
        }
    }
}

/// Whether so many slots give enough more answers than one less.
fn is_worth_it(fewer: &AnswerTimes, times: &AnswerTimes, slots: usize) -> bool {
    let before = (slots - 1) as f64;
    let gain = (slots as f64 / times.whole) / (before / fewer.whole);
    gain >= 1.0 + WORTH / before
}

impl Auto {
    fn is_too_many(&self, slots: usize, now: Instant) -> bool {
        self.too_many.is_some_and(|(too_many, until)| slots >= too_many && now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMPT: f64 = 0.1;
    const ANSWER: f64 = 1.0;

    /// How an answer goes with so many questions at once: its first token and all of it, in
    /// seconds.
    type Server = fn(usize) -> (f64, f64);

    /// One question after the other: who comes when it is taken waits for a whole answer.
    fn one_after_the_other(at_once: usize) -> (f64, f64) {
        rooms(1, at_once)
    }

    /// With `real` slots, and a queue before them.
    fn rooms(real: usize, at_once: usize) -> (f64, f64) {
        let waits = ANSWER * (at_once as f64 / real as f64 - 1.0).max(0.0);
        (PROMPT + waits, PROMPT + waits + ANSWER)
    }

    /// As vLLM: first tokens come twice as late beside another answer, and answers somewhat slower,
    /// but nothing waits up to `real`.
    fn batches(real: usize, at_once: usize) -> (f64, f64) {
        let beside = at_once.min(real) as f64 - 1.0;
        let (first, rest) = (0.3 * (1.0 + beside), 0.5 * (1.0 + 0.1 * beside));
        let waits = (first + rest) * (at_once as f64 / real as f64 - 1.0).max(0.0);
        (first + waits, first + waits + rest)
    }

    /// Asks as many questions at once as there are slots, of a server whose answers differ in
    /// length by a fifth.
    fn play(count: &mut SlotCount, server: impl Fn(usize) -> (f64, f64), questions: usize) {
        let mut now = Instant::now();
        for turn in 0..questions {
            let slots = count.get();
            let (first, whole) = server(slots);
            let length = 0.9 + 0.2 * ((turn * 7 % 10) as f64 / 9.0);
            now += Duration::from_secs_f64(whole / slots as f64);
            let [first, whole] =
                [first, first + (whole - first) * length].map(Duration::from_secs_f64);
            count.observe(first, whole, slots, now);
        }
    }

    fn found(first: usize, server: impl Fn(usize) -> (f64, f64)) -> usize {
        let mut count = SlotCount::new(Slots::Auto(first));
        play(&mut count, server, 1000);
        count.get()
    }

    #[test]
    fn the_room_of_a_server_is_found_from_wherever_one_begins() {
        for real in [1, 2, 4, 8] {
            for first in [1, 4, 8] {
                let slots = found(first, |at_once| rooms(real, at_once));
                // With room for several, one more or less is being tried at times.
                let near = if real == 1 { 0 } else { 1 };
                assert!(
                    slots.abs_diff(real) <= near,
                    "{slots} slots found from {first}, {real} are there"
                );
            }
        }
    }

    #[test]
    fn first_tokens_that_come_later_beside_another_answer_are_no_waiting() {
        assert_eq!(found(1, |at_once| batches(2, at_once)), 2);
        let slots = found(1, |at_once| batches(4, at_once));
        assert!((3..=4).contains(&slots), "{slots}");
        assert_eq!(found(1, one_after_the_other), 1);
        assert_eq!(found(2, one_after_the_other), 1);
    }

    #[test]
    fn a_batch_that_only_makes_every_answer_slower_is_not_enlarged() {
        // Ten at once are ten times as slow, though nothing waits.
        let server: Server = |at_once| (0.1 * at_once as f64, at_once as f64);
        assert_eq!(found(1, server), 1);
    }

    #[test]
    fn a_number_that_was_too_high_is_tried_ever_more_rarely() {
        let mut count = SlotCount::new(Slots::Auto(1));
        let mut now = Instant::now();
        let mut tries = Vec::new();
        let start = now;
        for _ in 0..2000 {
            let before = count.get();
            let (first, whole) = one_after_the_other(before);
            now += Duration::from_secs_f64(whole / before as f64);
            let [first, whole] = [first, whole].map(Duration::from_secs_f64);
            count.observe(first, whole, before, now);
            if count.get() > before {
                tries.push(now - start);
            }
        }
        let apart: Vec<u64> = tries.windows(2).map(|two| (two[1] - two[0]).as_secs()).collect();
        assert!(apart.len() > 3 && apart[0] >= 60, "{apart:?}");
        assert!(apart.windows(2).all(|two| two[1] > two[0] + two[0] / 2), "{apart:?}");
    }

    #[test]
    fn without_demand_nothing_is_tried() {
        let mut count = SlotCount::new(Slots::Auto(3));
        for _ in 0..100 {
            let (first, whole) = (Duration::from_millis(100), Duration::from_secs(1));
            count.observe(first, whole, 1, Instant::now());
        }
        assert_eq!(count.get(), 3);
    }

    #[test]
    fn when_others_begin_to_ask_the_same_server_a_slot_is_taken_back() {
        let mut count = SlotCount::new(Slots::Auto(1));
        play(&mut count, |at_once| rooms(4, at_once), 300);
        let before = count.get();
        play(&mut count, |at_once| rooms(1, at_once), 30);
        assert!(count.get() < before, "{} of {before}", count.get());
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
        play(&mut count, one_after_the_other, 100);
        count.told(5, Instant::now());
        assert_eq!(count.get(), 2);
    }
}
