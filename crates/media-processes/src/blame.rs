//! Who is to blame when media processes end badly, and what follows for them.
//!
//! If one party alone had video in the process, it was their video. If there were several, nobody
//! is known to be guilty: each is placed apart for a while, so that the next time it is clear.

use std::{
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use lru::LruCache;

/// Who ends two processes within this time is refused.
pub const WITHIN: Duration = Duration::from_secs(600);
/// For how long.
pub const REFUSED: Duration = Duration::from_secs(600);
/// How long somebody is placed apart who was in a process that ended badly, or was refused before.
pub const APART: Duration = Duration::from_secs(600);
/// Parties that are remembered. Of more, whoever was in a process that ended the longest time ago
/// is forgotten.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// How somebody's next connection is to be treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As everybody's.
    Good,
    /// In a process where nobody else is.
    Apart,
    /// Not at all for this long.
    Refused(Duration),
}

/// What is remembered of parties whose processes ended badly. Time is an argument and never goes
/// back.
#[derive(Debug)]
pub struct Blame {
    parties: LruCache<Arc<str>, Record>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Record {
    /// When a process ended in which it was alone, if that was not followed by a refusal.
    ended: Option<Instant>,
    apart_until: Option<Instant>,
    refused_until: Option<Instant>,
}

impl Default for Blame {
    fn default() -> Self {
        Self { parties: LruCache::new(REMEMBERED) }
    }
}

impl Blame {
    /// A process has ended badly in which these parties had video, each named once. Whom this
    /// causes to be refused is returned.
    pub fn process_ended(&mut self, parties: &[Arc<str>], now: Instant) -> Option<Arc<str>> {
        for party in parties {
            let record = self.parties.get_or_insert_mut(Arc::clone(party), Record::default);
            record.apart_until = Some(now + APART);
        }
        let [alone] = parties else { return None };
        let record = self.parties.get_mut(alone)?;
        let is_second = record.ended.is_some_and(|before| now - before < WITHIN);
        record.ended = Some(now).filter(|_| !is_second);
        if is_second {
            record.refused_until = Some(now + REFUSED);
            record.apart_until = Some(now + REFUSED + APART);
        }
        is_second.then(|| Arc::clone(alone))
    }

    /// How this party's next connection is to be treated.
    pub fn standing(&self, party: &str, now: Instant) -> Standing {
        let Some(record) = self.parties.peek(party) else { return Standing::Good };
        let left = |until: Option<Instant>| until.filter(|until| *until > now);
        match (left(record.refused_until), left(record.apart_until)) {
            (Some(until), _) => Standing::Refused(until - now),
            (None, Some(_)) => Standing::Apart,
            (None, None) => Standing::Good,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Processes that end at these seconds with these parties in them, and what follows at the
    /// second that is asked about.
    fn after(ended: &[(u64, &[&str])], party: &str, at: u64) -> Standing {
        let begin = Instant::now();
        let mut blame = Blame::default();
        for (second, parties) in ended {
            let parties: Vec<Arc<str>> = parties.iter().map(|party| (*party).into()).collect();
            blame.process_ended(&parties, begin + Duration::from_secs(*second));
        }
        blame.standing(party, begin + Duration::from_secs(at))
    }

    fn refused(seconds: u64) -> Standing {
        Standing::Refused(Duration::from_secs(seconds))
    }

    #[test]
    fn who_ends_two_processes_within_ten_minutes_is_refused_for_ten() {
        use Standing::{Apart, Good};
        let eve: &[&str] = &["eve"];
        assert_eq!(after(&[], "eve", 0), Good);
        assert_eq!(after(&[(0, eve)], "eve", 0), Apart);
        assert_eq!(after(&[(0, eve)], "eve", 599), Apart);
        assert_eq!(after(&[(0, eve)], "eve", 600), Good);
        assert_eq!(after(&[(0, eve), (599, eve)], "eve", 599), refused(600));
        assert_eq!(after(&[(0, eve), (599, eve)], "eve", 1198), refused(1));
        assert_eq!(after(&[(0, eve), (600, eve)], "eve", 600), Apart);
        assert_eq!(after(&[(0, eve), (600, eve), (1199, eve)], "eve", 1199), refused(600));
    }

    #[test]
    fn who_was_refused_is_placed_apart_for_a_while_and_may_end_one_again() {
        let eve: &[&str] = &["eve"];
        let twice = [(0, eve), (1, eve)];
        assert_eq!(after(&twice, "eve", 601), Standing::Apart);
        assert_eq!(after(&twice, "eve", 1200), Standing::Apart);
        assert_eq!(after(&twice, "eve", 1201), Standing::Good);
        let again = [twice[0], twice[1], (602, eve)];
        assert_eq!(after(&again, "eve", 602), Standing::Apart);
        let twice_again = [twice[0], twice[1], (602, eve), (603, eve)];
        assert_eq!(after(&twice_again, "eve", 603), refused(600));
    }

    #[test]
    fn of_several_nobody_is_blamed_and_each_is_placed_apart() {
        let both: &[&str] = &["ada", "eve"];
        let many = [(0, both), (1, both), (2, both)];
        assert_eq!(after(&many, "ada", 3), Standing::Apart);
        assert_eq!(after(&many, "eve", 3), Standing::Apart);
        assert_eq!(after(&many, "bob", 3), Standing::Good);
    }

    #[test]
    fn the_guilty_one_is_found_and_nobody_else_is_refused() {
        let (all, eve): (&[&str], &[&str]) = (&["ada", "bob", "eve"], &["eve"]);
        let ended = [(0, all), (1, eve), (2, eve)];
        assert_eq!(after(&ended, "eve", 2), refused(600));
        assert_eq!(after(&ended, "ada", 2), Standing::Apart);
        assert_eq!(after(&ended, "ada", 600), Standing::Good);
        assert_eq!(after(&ended, "bob", 600), Standing::Good);
    }

    #[test]
    fn whom_the_end_of_a_process_causes_to_be_refused_is_told_once() {
        let begin = Instant::now();
        let mut blame = Blame::default();
        let eve: Arc<str> = "eve".into();
        let mut ended = || blame.process_ended(&[Arc::clone(&eve)], begin);
        assert_eq!([ended(), ended(), ended()], [None, Some("eve".into()), None]);
    }

    #[test]
    fn a_process_without_anybody_is_nobodys_fault() {
        assert_eq!(after(&[(0, &[]), (1, &[])], "eve", 1), Standing::Good);
    }

    #[test]
    fn no_flood_of_parties_fills_the_memory_and_the_newest_are_remembered() {
        let mut blame = Blame::default();
        let begin = Instant::now();
        let most = REMEMBERED.get();
        for party in 0..2 * most {
            blame.process_ended(&[party.to_string().into()], begin);
        }
        assert_eq!(blame.parties.len(), most);
        assert_eq!(blame.standing("0", begin), Standing::Good);
        assert_eq!(blame.standing(&(2 * most - 1).to_string(), begin), Standing::Apart);
    }
}
