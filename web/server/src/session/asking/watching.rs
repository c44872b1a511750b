//! When a page's picture is wanted, and which is asked about: pure, time is an argument.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use live_vlm_ask::ahead::{Rhythm, Wishes};
use live_vlm_change::Thumbnail;

use super::picture::Picture;

/// So long a turn waits for a picture, with everybody behind it.
pub(super) const PATIENCE: Duration = Duration::from_millis(120);
/// One that has come longer ago is only asked about if no other comes.
const FRESH: Duration = Duration::from_millis(150);
/// One that has come longer ago is not asked about though no other comes.
const STILL_GOOD: Duration = Duration::from_secs(1);

/// What is known of a page's pictures.
#[derive(Debug, Default)]
pub(super) struct Watching {
    wishes: Wishes,
    rhythm: Rhythm,
    /// The newest, unless it was asked about.
    newest: Option<Arc<Picture>>,
    /// When the newest of all has come.
    last_arrival: Option<Instant>,
    /// Whether one that a turn waited for has not come. No turn is taken before one does.
    is_silent: bool,
    /// When the last question had its turn.
    last_asked: Option<Instant>,
    /// What the picture looked like that was asked about last.
    seen: Option<Thumbnail>,
    /// Whether the next question is asked whatever the picture looks like.
    look_anyway: bool,
    /// Whether somebody waits for the next question.
    is_urgent: bool,
    /// Whether a turn is wanted and not there, or is about to come.
    turn: Turn,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Turn {
    #[default]
    Unwanted,
    Wanted,
    Near,
    /// A picture was taken for it.
    Used,
}

/// When to ask, as these settings say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    pub(super) interval: Duration,
    /// 0 = any.
    pub(super) max_age: Duration,
    /// 0 = ask in any case.
    pub(super) min_change: f64,
}

/// What to do before a turn is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Want a turn.
    Ask,
    /// Nothing has changed, and the question is passed over.
    PassedOver,
    /// Want a picture.
    Wish,
    /// Look again when a picture has come, or then.
    Wait(Option<Instant>),
}

/// What to do on a turn.
#[derive(Debug, Clone)]
pub(super) enum OnTurn {
    /// Ask about this.
    Take(Arc<Picture>),
    /// Want a picture.
    Wish,
    /// Look again when a picture has come, or then.
    Wait(Instant),
    /// Give the turn on.
    Nothing,
}

impl Watching {
    /// A picture is wanted now.
    pub(super) fn wished(&mut self, now: Instant) {
        self.wishes.wish(now);
    }

    /// A picture has come. It may be told of several times.
    pub(super) fn came(&mut self, picture: &Arc<Picture>) {
        if self.last_arrival >= Some(picture.arrived) {
            return;
        }
        self.last_arrival = Some(picture.arrived);
        self.is_silent = false;
        self.wishes.came(picture.arrived);
        self.newest = Some(Arc::clone(picture));
    }

    /// How long before its turn a picture is to be wanted.
    pub(super) fn lead(&self) -> Duration {
        self.wishes.lead()
    }

    /// Somebody waits for the next question.
    pub(super) fn make_urgent(&mut self) {
        self.is_urgent = true;
    }

    pub(super) fn is_urgent(&self) -> bool {
        self.is_urgent
    }

    /// What is asked has changed.
    pub(super) fn look_anyway(&mut self) {
        self.look_anyway = true;
    }

    /// What to do while no turn is wanted.
    pub(super) fn step(&mut self, now: Instant, schedule: &Schedule) -> Step {
        let due = self.due(now, schedule.interval);
        let is_due = now >= due || self.is_urgent;
        let has_any = self.last_arrival.is_some() && !self.is_silent;
        if is_due && has_any {
            match (self.looks(schedule), &self.newest) {
                (false, _) => return Step::Ask,
                (true, Some(newest)) if !self.is_old(newest, schedule) => return Step::Ask,
                (true, Some(_)) => {
                    self.taken(now);
                    return Step::PassedOver;
                }
                // It takes a picture to see whether anything has changed.
                (true, None) => {}
            }
        }
        let wish = self.next_wish(now, schedule);
        let wait = match is_due {
            true => wish,
            false => Some(wish.map_or(due, |wish| wish.min(due))),
        };
        match wish {
            Some(wish) if wish <= now => Step::Wish,
            _ => Step::Wait(wait),
        }
    }

    /// When a picture is to be wanted next.
    pub(super) fn next_wish(&self, now: Instant, schedule: &Schedule) -> Option<Instant> {
        if self.last_arrival.is_none() || self.is_silent {
            return Some(self.wishes.retry().unwrap_or(now));
        }
        let due = self.due(now, schedule.interval);
        let turn = match self.turn {
            Turn::Near => Some(now),
            Turn::Wanted => self.rhythm.turn_for_want(),
            Turn::Unwanted if self.looks(schedule) => Some(due),
            Turn::Unwanted | Turn::Used => self.rhythm.next_turn(due),
        };
        turn.and_then(|turn| self.wishes.next(turn))
    }

    /// A turn is wanted.
    pub(super) fn wants_turn(&mut self, now: Instant) {
        self.turn = Turn::Wanted;
        self.rhythm.wanted(now);
    }

    /// The turn comes soon.
    pub(super) fn turn_is_near(&mut self) {
        if self.turn == Turn::Wanted {
            self.turn = Turn::Near;
        }
    }

    /// The turn is there.
    pub(super) fn has_turn(&mut self, now: Instant) {
        self.turn = Turn::Near;
        self.rhythm.has_turn(now);
    }

    /// What to do on the turn, which waits until then.
    pub(super) fn on_turn(&mut self, now: Instant, until: Instant, schedule: &Schedule) -> OnTurn {
        let oldest = if now < until { FRESH } else { STILL_GOOD };
        let is_good = |picture: &&Arc<Picture>| {
            now.saturating_duration_since(picture.arrived) <= oldest
                && (schedule.max_age.is_zero()
                    || now.saturating_duration_since(picture.captured) <= schedule.max_age)
        };
        if let Some(picture) = self.newest.as_ref().filter(is_good).cloned() {
            self.seen.clone_from(&picture.thumbnail);
            self.taken(until.checked_sub(PATIENCE).unwrap_or(now));
            self.turn = Turn::Used;
            return OnTurn::Take(picture);
        }
        if now >= until {
            self.is_silent = true;
            return OnTurn::Nothing;
        }
        match self.wishes.retry() {
            Some(retry) if retry > now => OnTurn::Wait(retry.min(until)),
            _ => OnTurn::Wish,
        }
    }

    /// Whether the question that is asked is about a picture already.
    pub(super) fn has_taken(&self) -> bool {
        self.turn == Turn::Used
    }

    /// Takes back a picture that nobody was asked about after all.
    pub(super) fn put_back(&mut self, picture: Arc<Picture>) {
        self.newest.get_or_insert(picture);
    }

    /// The question has its answer.
    pub(super) fn answered(&mut self, now: Instant) {
        self.turn = Turn::Unwanted;
        self.rhythm.answered(now);
        (self.is_urgent, self.look_anyway) = (false, false);
    }

    /// The question has none. The next one is asked whatever the picture looks like; at once, if
    /// that is wanted.
    pub(super) fn missed(&mut self) {
        self.turn = Turn::Unwanted;
        self.rhythm.dropped();
        self.look_anyway = true;
    }

    /// The next question need not keep the interval.
    pub(super) fn ask_at_once(&mut self) {
        self.last_asked = None;
    }

    /// Whether the next question is due.
    pub(super) fn is_due(&self, now: Instant, schedule: &Schedule) -> bool {
        // Whether there is anything new to ask about is seen before the next turn.
        schedule.min_change <= 0.0
            && self.last_asked.is_some_and(|last| now >= last + schedule.interval)
    }

    fn taken(&mut self, now: Instant) {
        self.newest = None;
        self.last_asked = Some(now);
        self.wishes.used();
    }

    fn due(&self, now: Instant, interval: Duration) -> Instant {
        self.last_asked.map_or(now, |last| last + interval)
    }

    fn looks(&self, schedule: &Schedule) -> bool {
        schedule.min_change > 0.0 && self.seen.is_some() && !self.is_urgent && !self.look_anyway
    }

    fn is_old(&self, picture: &Picture, schedule: &Schedule) -> bool {
        let change = self.seen.as_ref().zip(picture.thumbnail.as_ref());
        change.is_some_and(|(seen, now)| seen.change(now) < schedule.min_change)
    }
}

#[cfg(test)]
#[path = "watching_tests.rs"]
mod tests;
