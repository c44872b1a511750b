//! Finding how many questions a backend takes at once. Pure.
//!
//! A server that has no room for one more lets it wait, and answers come no more often than before;
//! one that works on several at once is slower with each, and yet gives more. So the number of
//! answers in a time decides. (Hill climbing on throughput, as H.-U. Heiss and R. Wagner have it in
//! "Adaptive Load Control in Transaction Processing Systems", VLDB 1991.) A number is tried against
//! one that is known. Beginning low, it is doubled for as long as that pays. Where the two differ
//! less than by what they promise, the server's room lies between them: it is where a straight line
//! through the lower one reaches what the higher one gives.
//!
//! Three signs are faster than counting:
//! - Who waits half an answer longer than usual for a first token, when somebody else's answer
//!   ends, stands in the server's queue. That shows after one answer, and how many stand there.
//! - Answers that come to take much longer say that the room has become smaller.
//! - A server's own metrics say how many wait. Where there are some, nothing else takes slots back,
//!   but that a trial is given up that clearly brings nothing.

use std::time::{Duration, Instant};

use super::{
    asked::{Answered, InFlight},
    compare::{Worth, between, is_in_proportion, likely_worth, round, worth},
    measure::{Level, Measure},
    usual::{Lengths, Usual},
};
use crate::{backoff::doubled, core::MemberId};

/// The most that is tried.
const MOST: usize = 256;
/// How far from the truth the logarithm of a rate may be, squared, for others to be compared with
/// it.
const CERTAIN: f64 = 0.006;
/// How long nothing is tried once a number is found; twice as long each time that it is confirmed.
const FIRST_REST: Duration = Duration::from_secs(30);
const LONGEST_REST: Duration = Duration::from_secs(120);
/// How long what a server says of itself is taken for all that there is to say.
const TOLD_FOR: Duration = Duration::from_secs(20);
/// Answers in a row that end while somebody stands in the server's queue, before a slot goes.
const LATE_IN_A_ROW: u32 = 3;

#[derive(Debug)]
pub(in crate::core) struct Search {
    slots: usize,
    in_flight: InFlight,
    measure: Measure,
    usual: Usual,
    lengths: Lengths,
    trial: Option<Trial>,
    /// Whether nothing was found yet.
    is_new: bool,
    /// Whether fewer slots have proved worse.
    is_proved: bool,
    /// Seconds that an answer took when this number proved good.
    whole: Option<f64>,
    /// What is too many, for as long as that is taken for true.
    too_many: usize,
    rest_until: Option<Instant>,
    rests: u32,
    /// Whether fewer slots are tried after the next rest, and not more.
    fewer_is_next: bool,
    /// A lower number that was worse, but better than one in proportion to its slots.
    below: Option<Level>,
    late_in_a_row: u32,
    /// When the server last said how many questions wait inside, and how many of those were one
    /// too many.
    told: Option<(Instant, usize)>,
}

/// What the number of slots is being compared with.
#[derive(Debug, Clone, Copy)]
struct Trial {
    than: Level,
    than_slots: usize,
    usual: Usual,
}

impl Search {
    pub(super) fn new(first: usize) -> Self {
        Self {
            slots: first.clamp(1, MOST),
            in_flight: InFlight::default(),
            measure: Measure::default(),
            usual: Usual::default(),
            lengths: Lengths::default(),
            trial: None,
            is_new: true,
            is_proved: first <= 1,
            whole: None,
            too_many: MOST + 1,
            rest_until: None,
            rests: 0,
            fewer_is_next: false,
            below: None,
            late_in_a_row: 0,
            told: None,
        }
    }

    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    /// Begins elsewhere, unless something was found already.
    pub(super) fn begin_at(&mut self, first: usize) {
        if self.is_new && self.trial.is_none() {
            self.is_proved = first <= 1;
            self.set(first.clamp(1, MOST), None);
        }
    }

    pub(super) fn begin(&mut self, member: MemberId, now: Instant) {
        let at_once = self.in_flight.len();
        self.measure.pass(at_once, now);
        self.measure.begin(at_once == 0 && self.slots == 1, now);
        self.in_flight.begin(member, now);
    }

    pub(super) fn sent(&mut self, member: MemberId, now: Instant) {
        self.in_flight.sent(member, now);
    }

    pub(super) fn first_token(&mut self, member: MemberId, now: Instant) {
        self.in_flight.first_token(member, now);
    }

    pub(super) fn end(&mut self, member: MemberId, tokens: Option<u64>, now: Instant) {
        self.measure.pass(self.in_flight.len(), now);
        let Some((mut answered, tokens)) = self.in_flight.end(member, now).zip(tokens) else {
            return;
        };
        self.lengths.even_out(&mut answered, tokens);
        if self.measure.concerns(&answered) {
            self.usual.add(&answered, self.slots);
        }
        self.measure.answer(&answered, now);
        if !self.is_told(now) && self.take_back_queued(&answered, now) {
            return;
        }
        match self.trial {
            Some(trial) if self.slots > trial.than_slots => self.judge_more(&trial, now),
            Some(trial) => self.judge_fewer(&trial, now),
            None => self.try_another(now),
        }
    }

    /// The server itself says how many questions wait inside.
    pub(super) fn told(&mut self, waiting: u64, now: Instant) {
        // Those on their way out, beyond the slots there are, were taken back already; and those
        // that have just arrived wait for no other question.
        let leaving = self.in_flight.len().saturating_sub(self.slots);
        let usual = self.trial.map_or(self.usual, |trial| trial.usual);
        let arriving = self.in_flight.waiting_below(usual.moment(), now);
        let waiting = usize::try_from(waiting).unwrap_or(usize::MAX);
        let queued = waiting.saturating_sub(leaving + arriving);
        let before = self.told.replace((now, queued));
        // Some wait for a moment because a server begins with them in steps.
        let queued =
            before.filter(|(at, _)| is_recent(*at, now)).map_or(0, |(_, it)| queued.min(it));
        if queued > 0 && self.slots > 1 {
            self.too_many = self.slots;
            self.settle_on(self.slots.saturating_sub(queued), now);
        }
    }

    fn is_told(&self, now: Instant) -> bool {
        self.told.is_some_and(|(at, _)| is_recent(at, now))
    }

    /// Takes the slots back of those that stand in the server's queue.
    fn take_back_queued(&mut self, answered: &Answered, now: Instant) -> bool {
        let usual = self.trial.map_or(self.usual, |trial| trial.usual);
        let Some(after) = usual.queued_after().filter(|_| self.measure.concerns(answered)) else {
            return false;
        };
        let queued = self.in_flight.waiting_for(after, now);
        if queued == 0 {
            self.late_in_a_row = 0;
            return false;
        }
        self.late_in_a_row += 1;
        let least = match &self.trial {
            Some(trial) if self.slots > trial.than_slots => trial.than_slots,
            Some(_) => return false,
            None if self.rest_until.is_some() && self.late_in_a_row < LATE_IN_A_ROW => {
                return false;
            }
            None => 1,
        };
        let room = self.room(&usual, least, now);
        self.too_many = room + 1;
        match self.trial {
            Some(trial) if room > least => self.set(room, Some(trial)),
            _ => {
                // How many more stand there who have not waited for so long, nobody knows.
                if self.trial.is_none() {
                    self.is_proved = room == 1;
                    self.rests = 0;
                }
                self.settle_on(room, now);
            }
        }
        true
    }

    /// How many questions the server works on while others wait, `least` or more: those whose tokens
    /// are seen, with those that are not so far yet in proportion; and at most those that do not
    /// wait.
    fn room(&self, usual: &Usual, least: usize, now: Instant) -> usize {
        let all = self.in_flight.len() + 1;
        let most = all.saturating_sub(self.in_flight.waiting_for(usual.prompt(), now));
        let seen = all.saturating_sub(self.in_flight.waiting_for(Duration::ZERO, now));
        let working = round(seen as f64 * usual.whole_per_seen());
        let least = if most > least { least + 1 } else { least };
        working.min(most).clamp(least, self.slots.max(least))
    }

    /// Holds a number, and looks for a better one when it is time.
    fn try_another(&mut self, now: Instant) {
        let longer = |whole| self.usual.have_become_longer(whole, self.slots);
        if !self.is_told(now) && self.whole.is_some_and(longer) {
            // The server has changed: nothing that was measured holds.
            self.is_proved = self.slots == 1;
            self.rests = 0;
            self.measure_anew();
            return;
        }
        let Some(level) = self.known(self.slots) else { return };
        if self.measure.settled_answers() >= 2 * self.slots + 4 {
            self.whole.get_or_insert(level.whole());
        }
        let rests = self.rest_until.is_some_and(|until| now < until);
        let may_be_fewer = level.at_once > 1.5 && !self.is_told(now);
        if may_be_fewer && !self.is_proved && (rests || !self.usual.streams()) {
            self.compare((level.at_once / 2.0).round() as usize, level);
            return;
        }
        if rests {
            return;
        }
        if self.rest_until.take().is_some() {
            self.too_many = MOST + 1;
            self.fewer_is_next = !self.fewer_is_next;
        }
        let is_full = level.at_once > 0.95 * self.slots as f64 - 0.5;
        let step = (self.slots / 4).max(1);
        if may_be_fewer && self.fewer_is_next && is_full {
            self.compare(self.slots - step, level);
        } else if is_full {
            let more = if self.is_new { self.slots * 2 } else { self.slots + step };
            self.try_more(more, level, now);
        }
    }

    /// Tries more slots, if that many are not too many.
    fn try_more(&mut self, slots: usize, than: Level, now: Instant) {
        let slots = slots.min(self.too_many - 1).min(MOST);
        if slots > self.slots {
            self.compare(slots, than);
        } else {
            self.try_below(self.slots, than, now);
        }
    }

    /// What is known of the number of slots, if that is enough.
    fn known(&self, slots: usize) -> Option<Level> {
        let (answers, enough) = (self.measure.settled_answers(), (slots / 2).max(2));
        let level = self.measure.level().filter(|_| answers >= enough)?;
        (self.is_certain(&level) || answers >= slots + 12).then_some(level)
    }

    fn judge_more(&mut self, trial: &Trial, now: Instant) {
        let fewer = trial.than;
        if let Some((lowest, level)) = self.measure.lowest_level().zip(self.measure.first_level())
            && self.measure.answers() >= self.slots
            && worth(&fewer, &lowest) == Worth::Yes
        {
            self.is_worth_it(trial, self.measure.level().unwrap_or(level), now);
            return;
        }
        let Some(level) = self.measure.level() else { return };
        let answers = self.measure.settled_answers();
        let is_last = answers >= 4 * self.slots + 12;
        if level.at_once < 1.05 * fewer.at_once {
            // Nobody wants them now.
            if answers >= 2 * trial.than_slots + 2 {
                self.settle_on(trial.than_slots, now);
            }
            return;
        }
        if answers < (self.slots / 2).max(1) {
            return;
        }
        let worth =
            if is_last { self.likely_worth(&fewer, &level, now) } else { worth(&fewer, &level) };
        match worth {
            Worth::Yes => self.is_worth_it(trial, level, now),
            Worth::No => self.is_not_worth_it(trial, &level, now),
            Worth::Unknown => {}
        }
    }

    /// Whether more slots are worth it where nothing more is to be learnt. Those in whose place
    /// nobody waits, by what the server says, may stay.
    fn likely_worth(&self, fewer: &Level, more: &Level, now: Instant) -> Worth {
        if self.is_told(now) { Worth::Yes } else { likely_worth(fewer, more) }
    }

    /// The higher number is worth it: on to twice as many.
    fn is_worth_it(&mut self, trial: &Trial, level: Level, now: Instant) {
        self.is_proved = true;
        self.rests = 0;
        self.fewer_is_next = false;
        self.below = Some(trial.than).filter(|fewer| !is_in_proportion(fewer, &level));
        if self.is_certain(&level) {
            self.try_more(self.slots * 2, level, now);
        } else {
            self.trial = None;
        }
    }

    /// The higher number is not worth it: what it was compared with is, or one between them.
    fn is_not_worth_it(&mut self, trial: &Trial, level: &Level, now: Instant) {
        self.too_many = self.slots;
        match between(&trial.than, level, trial.than_slots, self.slots) {
            Some(room) => self.set(room, Some(*trial)),
            None => self.try_below(trial.than_slots, trial.than, now),
        }
    }

    /// This number is the highest that is worth it. If it brought less than it promised, there is
    /// room for fewer.
    fn try_below(&mut self, slots: usize, level: Level, now: Instant) {
        let below = self.below.take().filter(|_| !self.is_told(now));
        let room = below.and_then(|below| {
            let least = below.at_once.round() as usize;
            between(&below, &level, least, slots)
        });
        match room {
            Some(room) => {
                self.slots = slots;
                self.compare(room, level);
            }
            None => self.settle_on(slots, now),
        }
    }

    /// Whether a level is known well enough to compare others with it.
    fn is_certain(&self, level: &Level) -> bool {
        level.doubt <= CERTAIN
    }

    fn judge_fewer(&mut self, trial: &Trial, now: Instant) {
        let Some(level) = self.known(self.slots) else { return };
        let more = trial.than;
        let is_last = self.measure.settled_answers() >= 4 * self.slots + 12;
        let worth = if is_last { likely_worth(&level, &more) } else { worth(&level, &more) };
        match worth {
            Worth::Yes => {
                self.is_proved = true;
                match between(&level, &more, self.slots, trial.than_slots) {
                    Some(room) => self.set(room, Some(*trial)),
                    // That was the first thing to know of the number begun with.
                    None if self.is_new => self.set(trial.than_slots, None),
                    None => self.settle_on(trial.than_slots, now),
                }
            }
            Worth::No => {
                self.too_many = trial.than_slots;
                if self.is_proved || self.slots == 1 {
                    self.settle_on(self.slots, now);
                } else {
                    self.compare(self.slots / 2, level);
                }
            }
            Worth::Unknown => {}
        }
    }

    /// Tries a number against the one there is.
    fn compare(&mut self, slots: usize, than: Level) {
        let trial = Trial { than, than_slots: self.slots, usual: self.usual };
        self.set(slots, Some(trial));
    }

    /// A number is found.
    fn settle_on(&mut self, slots: usize, now: Instant) {
        let rest = doubled(FIRST_REST, self.rests, LONGEST_REST);
        self.rests = self.rests.saturating_add(1);
        self.is_new = false;
        self.rest_until = Some(now + rest);
        self.set(slots.max(1), None);
    }

    fn set(&mut self, slots: usize, trial: Option<Trial>) {
        if slots != self.slots || trial.is_some() {
            self.measure_anew();
        }
        self.slots = slots;
        self.trial = trial;
        self.late_in_a_row = 0;
    }

    /// What was measured with another number says nothing of this one.
    fn measure_anew(&mut self) {
        self.measure = Measure::default();
        self.usual = Usual::default();
        self.whole = None;
    }
}

fn is_recent(told: Instant, now: Instant) -> bool {
    now.saturating_duration_since(told) < TOLD_FOR
}
