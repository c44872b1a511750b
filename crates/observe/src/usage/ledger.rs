use std::{collections::HashMap, ops::AddAssign, sync::Arc};

use serde::Serialize;

use super::Day;

/// Who stands for all users that found no room.
pub(super) const OTHER: &str = "other";

/// What was used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Questions that had a turn and something to ask about.
    pub questions: u64,
    /// Those of them that were answered.
    pub answers: u64,
    /// Tokens read.
    pub tokens_in: u64,
    /// Tokens written.
    pub tokens_out: u64,
    /// Milliseconds that questions held a slot.
    pub slot_ms: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.questions = self.questions.saturating_add(more.questions);
        self.answers = self.answers.saturating_add(more.answers);
        self.tokens_in = self.tokens_in.saturating_add(more.tokens_in);
        self.tokens_out = self.tokens_out.saturating_add(more.tokens_out);
        self.slot_ms = self.slot_ms.saturating_add(more.slot_ms);
    }
}

/// Counts by day and user that are not in the file yet, and all of the newest day. Pure.
#[derive(Debug)]
pub(super) struct Ledger {
    most: usize,
    saving: Saving,
    newest: Day,
    entries: HashMap<(Day, Arc<str>), Entry>,
}

/// Whether counts wait to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Saving {
    /// They do.
    InFile,
    /// There is no file: a day that is over is forgotten.
    InMemory,
}

#[derive(Debug, Default)]
struct Entry {
    /// Since the day began.
    total: Counts,
    /// Not in the file yet.
    unsaved: Counts,
}

/// A part of the ledger that is being written.
pub(super) type Unsaved = Vec<(Day, Arc<str>, Counts)>;

impl Ledger {
    /// Room for so many users of a day.
    pub(super) fn new(today: Day, most: usize, saving: Saving) -> Self {
        Self { most, saving, newest: today, entries: HashMap::new() }
    }

    /// What the file has of today.
    pub(super) fn load(&mut self, day: Day, user: &str, total: Counts) {
        self.entries.insert((day, user.into()), Entry { total, ..Entry::default() });
    }

    /// Adds to a user's day. Answers false if the user found no room and is counted with others.
    pub(super) fn record(&mut self, day: Day, user: &str, counts: Counts) -> bool {
        if day > self.newest {
            self.newest = day;
            self.forget_saved_days();
        }
        let mut key = (day, Arc::from(user));
        let has_room = self.entries.contains_key(&key) || self.entries.len() < self.most;
        if !has_room {
            key.1 = OTHER.into();
        }
        let entry = self.entries.entry(key).or_default();
        entry.total += counts;
        if self.saving == Saving::InFile {
            entry.unsaved += counts;
        }
        has_room
    }

    /// What a user has used on this day.
    pub(super) fn of(&self, day: Day, user: &str) -> Counts {
        self.entries.get(&(day, user.into())).map(|entry| entry.total).unwrap_or_default()
    }

    /// All that is not in the file yet.
    pub(super) fn unsaved(&self) -> Unsaved {
        let unsaved = self.entries.iter().filter(|(_, e)| e.unsaved != Counts::default());
        unsaved.map(|((day, user), entry)| (*day, Arc::clone(user), entry.unsaved)).collect()
    }

    /// This is in the file now.
    pub(super) fn mark_saved(&mut self, saved: Unsaved) {
        for (day, user, counts) in saved {
            if let Some(entry) = self.entries.get_mut(&(day, user)) {
                let left = &mut entry.unsaved;
                left.questions -= counts.questions.min(left.questions);
                left.answers -= counts.answers.min(left.answers);
                left.tokens_in -= counts.tokens_in.min(left.tokens_in);
                left.tokens_out -= counts.tokens_out.min(left.tokens_out);
                left.slot_ms -= counts.slot_ms.min(left.slot_ms);
            }
        }
        self.forget_saved_days();
    }

    fn forget_saved_days(&mut self) {
        let newest = self.newest;
        let needed = |day: Day, entry: &Entry| day >= newest || entry.unsaved != Counts::default();
        self.entries.retain(|(day, _), entry| needed(*day, entry));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn questions(questions: u64) -> Counts {
        Counts { questions, slot_ms: 10 * questions, ..Counts::default() }
    }

    #[test]
    fn only_what_came_since_is_written_again() {
        let today = day("2026-11-24");
        let mut ledger = Ledger::new(today, 9, Saving::InFile);
        ledger.load(today, "ada", questions(5));
        ledger.record(today, "ada", questions(1));
        let writing = ledger.unsaved();
        assert_eq!(writing, [(today, "ada".into(), questions(1))]);
        ledger.record(today, "ada", questions(2));
        ledger.mark_saved(writing);
        assert_eq!(ledger.unsaved(), [(today, "ada".into(), questions(2))]);
        assert_eq!(ledger.of(today, "ada"), questions(8));
    }

    #[test]
    fn a_day_is_forgotten_when_it_is_over_and_written() {
        let (monday, tuesday) = (day("2026-11-23"), day("2026-11-24"));
        let mut ledger = Ledger::new(monday, 9, Saving::InFile);
        ledger.record(monday, "ada", questions(1));
        ledger.record(monday, "bob", questions(1));
        ledger.mark_saved(vec![(monday, "bob".into(), questions(1))]);
        ledger.record(tuesday, "ada", questions(1));
        assert_eq!(ledger.entries.len(), 2, "bob's monday is in the file");
        assert_eq!(ledger.of(tuesday, "ada"), questions(1));
        ledger.mark_saved(ledger.unsaved());
        assert_eq!(ledger.entries.len(), 1, "today is kept");
    }

    #[test]
    fn without_a_file_nothing_waits_for_one() {
        let (monday, tuesday) = (day("2026-11-23"), day("2026-11-24"));
        let mut ledger = Ledger::new(monday, 9, Saving::InMemory);
        ledger.record(monday, "ada", questions(1));
        assert_eq!(ledger.of(monday, "ada"), questions(1));
        assert!(ledger.unsaved().is_empty());
        ledger.record(tuesday, "bob", questions(1));
        assert_eq!(ledger.entries.len(), 1);
    }

    #[test]
    fn users_that_find_no_room_are_counted_together_and_nothing_is_lost() {
        let today = day("2026-11-24");
        let mut ledger = Ledger::new(today, 2, Saving::InFile);
        let found: Vec<_> =
            ["a", "b", "c", "d", "a"].map(|user| ledger.record(today, user, questions(1))).to_vec();
        assert_eq!(found, [true, true, false, false, true]);
        assert_eq!(ledger.entries.len(), 3);
        assert_eq!(ledger.of(today, OTHER), questions(2));
        assert_eq!(ledger.of(today, "c"), Counts::default());
    }
}
