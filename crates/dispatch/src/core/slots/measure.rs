//! How many answers come in a time with so many questions at once. Pure.

use std::time::Instant;

use super::asked::Answered;

/// Answers are taken to differ in length by at least this share of it, as far as their number says
/// nothing else.
const LEAST_VARIATION: f64 = 0.12;
/// How many answers that assumption weighs.
const ASSUMED: f64 = 2.0;

/// What is known of a number of questions at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    /// Questions at once, on average.
    pub(super) at_once: f64,
    /// Answers a second.
    pub(super) rate: f64,
    /// How far from the truth the logarithm of the rate may be, squared (its variance).
    pub(super) doubt: f64,
}

impl Level {
    /// Seconds for an answer.
    pub(super) fn whole(&self) -> f64 {
        self.at_once / self.rate
    }
}

/// Counts from a change of the number of slots on.
#[derive(Debug, Default)]
pub(super) struct Measure {
    /// When the first question after the change had its turn.
    since: Option<Instant>,
    passed: Option<Instant>,
    /// Questions at once, times seconds.
    in_flight: f64,
    /// Of questions asked since the change.
    all: Wholes,
    /// When the first of those was answered: what is asked from then on meets nothing that was
    /// asked before the change.
    settled: Option<Settled>,
}

#[derive(Debug)]
struct Settled {
    since: Instant,
    in_flight_before: f64,
    wholes: Wholes,
}

/// What answers took.
#[derive(Debug, Default)]
struct Wholes {
    answers: u32,
    mean: f64,
    /// The sum of the squares of their differences from the mean.
    squares: f64,
}

impl Wholes {
    fn add(&mut self, whole: f64) {
        self.answers += 1;
        let off = whole - self.mean;
        self.mean += off / f64::from(self.answers);
        self.squares += off * (whole - self.mean);
    }

    /// How far from the truth the logarithm of the mean may be, squared.
    fn doubt(&self) -> f64 {
        let (assumed, answers) = (LEAST_VARIATION * LEAST_VARIATION, f64::from(self.answers));
        let seen = self.squares / (self.mean * self.mean).max(f64::MIN_POSITIVE);
        let variation = (assumed * ASSUMED + seen) / (ASSUMED + answers - 1.0).max(1.0);
        variation / answers.max(1.0)
    }
}

impl Measure {
    /// Nothing changes until `now` but the time.
    pub(super) fn pass(&mut self, at_once: usize, now: Instant) {
        let passed = self.passed.replace(now).unwrap_or(now);
        if self.since.is_some() {
            let seconds = now.saturating_duration_since(passed).as_secs_f64();
            self.in_flight += at_once as f64 * seconds;
        }
    }

    /// A question has its turn; `alone` if no other is being answered.
    pub(super) fn begin(&mut self, alone: bool, now: Instant) {
        if self.since.is_none() {
            self.since = Some(now);
            if alone {
                self.settle(now);
            }
        }
    }

    fn settle(&mut self, now: Instant) {
        self.settled.get_or_insert(Settled {
            since: now,
            in_flight_before: self.in_flight,
            wholes: Wholes::default(),
        });
    }

    /// Whether the question was asked since the change.
    pub(super) fn concerns(&self, answered: &Answered) -> bool {
        self.since.is_some_and(|since| answered.began >= since)
    }

    /// An answer is complete.
    pub(super) fn answer(&mut self, answered: &Answered, now: Instant) {
        if !self.concerns(answered) {
            return;
        }
        self.all.add(answered.whole);
        if let Some(settled) = self.settled.as_mut().filter(|it| answered.began >= it.since) {
            settled.wholes.add(answered.whole);
        }
        self.settle(now);
    }

    /// Answers to questions asked since the change.
    pub(super) fn answers(&self) -> usize {
        self.all.answers as usize
    }

    /// Those that met nothing from before the change.
    pub(super) fn settled_answers(&self) -> usize {
        self.settled.as_ref().map_or(0, |settled| settled.wholes.answers as usize)
    }

    /// What those say. By Little's law answers come as often as questions at once, divided by what
    /// each takes: that is exact however they bunch.
    pub(super) fn level(&self) -> Option<Level> {
        let settled = self.settled.as_ref()?;
        let seconds = self.passed?.saturating_duration_since(settled.since).as_secs_f64();
        of(self.in_flight - settled.in_flight_before, seconds, &settled.wholes)
    }

    /// What all answers since the change say: too much, where the first ones found less of a queue
    /// than later ones will.
    pub(super) fn first_level(&self) -> Option<Level> {
        of(self.in_flight, self.seconds()?, &self.all)
    }

    /// The same as answers a second: too little, as those asked before the change do not count, for
    /// which the server has worked, too.
    pub(super) fn lowest_level(&self) -> Option<Level> {
        let level = self.first_level()?;
        Some(Level { rate: f64::from(self.all.answers) / self.seconds()?, ..level })
    }

    fn seconds(&self) -> Option<f64> {
        Some(self.passed?.saturating_duration_since(self.since?).as_secs_f64().max(0.000_1))
    }
}

fn of(in_flight: f64, seconds: f64, wholes: &Wholes) -> Option<Level> {
    let at_once = in_flight / seconds.max(0.000_1);
    let is_some = wholes.answers > 0 && at_once > 0.0;
    is_some.then(|| Level { at_once, rate: at_once / wholes.mean, doubt: wholes.doubt() })
}
