//! Who is to blame when media processes end badly, and what follows for them.
//!
//! If one user alone had video in the process, it was their video. If there were several, nobody is
//! known to be guilty: each is placed apart for a while, so that the next time it is clear.
//!
//! Who does not sign in is another user whenever they drop a cookie. So their address is blamed too,
//! but refused only after more such ends, as a whole office may have it.

use std::{
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use lru::LruCache;

use crate::owner::Owner;

/// Processes that end badly count together for so long.
pub const WITHIN: Duration = Duration::from_secs(600);
/// A user who alone had video in so many of them is refused.
pub const MOST_OF_USER: usize = 2;
/// If all who had video in so many of them were at one address, and did not sign in, everybody there
/// who does not is refused.
pub const MOST_OF_ADDRESS: usize = 10;
/// For how long.
pub const REFUSED: Duration = Duration::from_secs(600);
/// How long somebody is placed apart if they, or somebody else at their address, were in a process
/// that ended badly, or were refused before.
pub const APART: Duration = Duration::from_secs(600);
/// Users and addresses that are remembered. Of more, whoever was in a process that ended the longest
/// time ago is forgotten.
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

/// What is remembered of those whose processes ended badly. Time is an argument and never goes back.
#[derive(Debug)]
pub struct Blame {
    /// Users and addresses.
    parties: LruCache<Arc<str>, Record>,
}

#[derive(Debug, Clone, Default)]
struct Record {
    /// When processes ended in which it was alone, since the last refusal.
    ended: Vec<Instant>,
    apart_until: Option<Instant>,
    refused_until: Option<Instant>,
}

impl Default for Blame {
    fn default() -> Self {
        Self { parties: LruCache::new(REMEMBERED) }
    }
}

impl Blame {
    /// A process has ended badly in which these had video. Which user and which address this causes
    /// to be refused is returned.
    pub fn process_ended(&mut self, owners: &[Owner], now: Instant) -> Vec<Arc<str>> {
        for owner in owners {
            for party in [Some(&owner.user), owner.address.as_ref()].into_iter().flatten() {
                let record = self.parties.get_or_insert_mut(Arc::clone(party), Record::default);
                record.apart_until = record.apart_until.max(Some(now + APART));
            }
        }
        let user = alone(owners.iter().map(|owner| Some(&owner.user)));
        let address = alone(owners.iter().map(|owner| owner.address.as_ref()));
        let by_user = user.filter(|user| self.is_refused(user, MOST_OF_USER, now));
        let by_address = address.filter(|at| self.is_refused(at, MOST_OF_ADDRESS, now));
        by_user.into_iter().chain(by_address).cloned().collect()
    }

    /// One more process has ended in which it was alone; whether there were too many.
    fn is_refused(&mut self, party: &str, most: usize, now: Instant) -> bool {
        let Some(record) = self.parties.get_mut(party) else { return false };
        record.ended.retain(|before| now - *before < WITHIN);
        record.ended.push(now);
        let is_refused = record.ended.len() >= most;
        if is_refused {
            record.ended.clear();
            record.refused_until = Some(now + REFUSED);
            record.apart_until = Some(now + REFUSED + APART);
        }
        is_refused
    }

    /// How the next connection of this owner is to be treated.
    pub fn standing(&self, owner: &Owner, now: Instant) -> Standing {
        let parties = [Some(&owner.user), owner.address.as_ref()].into_iter().flatten();
        let records: Vec<_> = parties.filter_map(|party| self.parties.peek(party)).collect();
        let latest = |until: fn(&Record) -> Option<Instant>| {
            records.iter().filter_map(|record| until(record)).filter(|until| *until > now).max()
        };
        match (latest(|record| record.refused_until), latest(|record| record.apart_until)) {
            (Some(until), _) => Standing::Refused(until - now),
            (None, Some(_)) => Standing::Apart,
            (None, None) => Standing::Good,
        }
    }
}

/// The one that all of them are, if there is one.
fn alone<'a>(mut all: impl Iterator<Item = Option<&'a Arc<str>>>) -> Option<&'a Arc<str>> {
    let first = all.next()??;
    all.all(|other| other == Some(first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A user who signed in; or somebody who did not, as `browser@address`.
    fn owner(name: &str) -> Owner {
        match name.split_once('@') {
            Some((_, address)) => Owner::at_address(name, address),
            None => Owner::signed_in(name),
        }
    }

    /// Processes that end at these seconds with these owners in them, and what follows at the second
    /// that is asked about.
    fn after(ended: &[(u64, &[&str])], name: &str, at: u64) -> Standing {
        let begin = Instant::now();
        let mut blame = Blame::default();
        for (second, owners) in ended {
            let owners: Vec<Owner> = owners.iter().map(|name| owner(name)).collect();
            blame.process_ended(&owners, begin + Duration::from_secs(*second));
        }
        blame.standing(&owner(name), begin + Duration::from_secs(at))
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
    fn one_browser_is_refused_and_not_the_office_that_it_is_in() {
        let eve: &[&str] = &["eve@office"];
        let twice = [(0, eve), (1, eve)];
        assert_eq!(after(&twice, "eve@office", 1), refused(600));
        assert_eq!(after(&twice, "ada@office", 1), Standing::Apart);
        assert_eq!(after(&twice, "ada@home", 1), Standing::Good);
        assert_eq!(after(&twice, "bob", 1), Standing::Good);
    }

    #[test]
    fn who_drops_the_cookie_each_time_is_refused_by_address() {
        let names: Vec<String> = (0..10).map(|name| format!("{name}@office")).collect();
        let names: Vec<[&str; 1]> = names.iter().map(|name| [name.as_str()]).collect();
        let ended: Vec<(u64, &[&str])> = (0..).zip(names.iter().map(|name| &name[..])).collect();
        assert_eq!(after(&ended[..9], "ada@office", 9), Standing::Apart);
        assert_eq!(after(&ended, "ada@office", 9), refused(600));
        assert_eq!(after(&ended, "ada@home", 9), Standing::Good);
        assert_eq!(after(&ended, "ada", 9), Standing::Good);
    }

    #[test]
    fn browsers_at_one_address_are_blamed_together_for_a_process_that_they_share() {
        let (office, mixed): (&[&str], &[&str]) =
            (&["ada@office", "bob@office"], &["ada@office", "bob"]);
        let ended = |by: &'static [&str]| -> Vec<(u64, &[&str])> {
            (0..10).map(|second| (second, by)).collect()
        };
        assert_eq!(after(&ended(office), "cy@office", 9), refused(600));
        assert_eq!(after(&ended(mixed), "cy@office", 9), Standing::Apart);
    }

    #[test]
    fn whom_the_end_of_a_process_causes_to_be_refused_is_told_once() {
        let begin = Instant::now();
        let mut blame = Blame::default();
        let mut ended = || blame.process_ended(&[owner("eve")], begin);
        assert_eq!([ended(), ended(), ended()], [vec![], vec!["eve".into()], vec![]]);
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
            blame.process_ended(&[owner(&party.to_string())], begin);
        }
        assert_eq!(blame.parties.len(), most);
        assert_eq!(blame.standing(&owner("0"), begin), Standing::Good);
        let newest = owner(&(2 * most - 1).to_string());
        assert_eq!(blame.standing(&newest, begin), Standing::Apart);
    }
}
