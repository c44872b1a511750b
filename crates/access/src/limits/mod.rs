//! How much a user, an address and all together may use, and what is said when it is too much.
//!
//! Counts of what is open end by themselves with the [`CountGuard`] that stands for it. Rates and
//! days take the time as an argument.
//!
//! Locking: each count, and the mutexes of questions and offers, is a leaf: none is held while
//! another is taken.

mod asked;
mod config;
mod counts;
mod offered;
mod rates;
mod reached;

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

pub use asked::Used;
pub use config::{Config, ServerLimits};
pub use counts::{CountGuard, Counts, Full};
pub use reached::{Limit, LimitReached};

use asked::Asked;
use offered::Offered;

use crate::{lock::lock, rules::Rules};

/// When to try again for something that must be closed first: nobody knows when that will be.
const PLACE_RETRY: Duration = Duration::from_secs(10);
const DAY: u64 = 24 * 3600;

/// A moment by both clocks: one for rates, which never goes back, and one for days.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For rates.
    pub monotonic: Instant,
    /// For days.
    pub utc: SystemTime,
}

impl Now {
    /// This moment.
    pub fn read() -> Self {
        Self { monotonic: Instant::now(), utc: SystemTime::now() }
    }

    fn since_epoch(self) -> Duration {
        self.utc.duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// The day, counted from 1970 in UTC.
    pub fn day(self) -> u64 {
        self.since_epoch().as_secs() / DAY
    }

    /// To the next day in UTC.
    pub fn until_tomorrow(self) -> Duration {
        Duration::from_secs((self.day() + 1) * DAY) - self.since_epoch()
    }
}

/// A source of connections as limits see it: a host may have a whole IPv6 network of 64 bits, so
/// that is one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressKey(IpAddr);

impl fmt::Display for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V6(_) => write!(f, "{}/64", self.0),
            IpAddr::V4(_) => self.0.fmt(f),
        }
    }
}

impl From<IpAddr> for AddressKey {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
            address => address,
        })
    }
}

/// Whom something counts for: of those who signed in, each; of others, all at an address together,
/// as they can be as many users as they like.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Party {
    /// Who signed in, by name.
    User(Arc<str>),
    /// Those who did not.
    Address(AddressKey),
}

/// What everybody has used. Cheap to clone; a clone counts the same.
#[derive(Debug, Clone)]
pub struct Limits {
    sessions: Counts<String>,
    connections: Counts<AddressKey>,
    unsigned_sessions: Counts<AddressKey>,
    asked: Arc<Mutex<Asked>>,
    offered: Arc<Mutex<Offered>>,
}

impl Limits {
    /// Nothing used yet. Time begins now.
    pub fn new(now: Now) -> Self {
        Self {
            sessions: Counts::default(),
            connections: Counts::default(),
            unsigned_sessions: Counts::default(),
            asked: Arc::new(Mutex::new(Asked::new(now.monotonic))),
            offered: Arc::new(Mutex::new(Offered::new(now.monotonic))),
        }
    }

    /// What a user has used today at the least, before this process began.
    pub fn seed(&self, user: &str, used: Used, now: Now) {
        self.asked(|asked| asked.seed(user, used, now));
    }

    /// One more session of this user, until the place is dropped.
    ///
    /// # Errors
    /// When the user has as many as they may.
    pub fn session(&self, user: &str, rules: &Rules) -> Result<CountGuard<String>, LimitReached> {
        let most = rules.sessions;
        self.sessions.take(user.to_owned(), most).map_err(|_| LimitReached {
            limit: Limit::Sessions,
            value: most.into(),
            retry_after: PLACE_RETRY,
        })
    }

    /// One more WebSocket from this address, until the place is dropped. `most` = 0 is no limit.
    ///
    /// # Errors
    /// When there are as many as may be.
    pub fn connection(
        &self,
        address: IpAddr,
        most: u32,
    ) -> Result<CountGuard<AddressKey>, LimitReached> {
        self.connections.take(address.into(), most).map_err(|_| LimitReached {
            limit: Limit::Connections,
            value: most.into(),
            retry_after: PLACE_RETRY,
        })
    }

    /// One more session of somebody at this address who has not signed in, until the place is
    /// dropped. `most` = 0 is no limit.
    ///
    /// # Errors
    /// When there are as many as may be.
    pub fn unsigned_session(
        &self,
        address: IpAddr,
        most: u32,
    ) -> Result<CountGuard<AddressKey>, LimitReached> {
        self.unsigned_sessions.take(address.into(), most).map_err(|_| LimitReached {
            limit: Limit::Connections,
            value: most.into(),
            retry_after: PLACE_RETRY,
        })
    }

    /// Whether nothing is open.
    pub fn is_unused(&self) -> bool {
        self.sessions.is_empty() && self.connections.is_empty() && self.unsigned_sessions.is_empty()
    }

    /// One more offer of video for this party, which counts if it may be made. `sessions` is how
    /// many the party may have, 0 = any number: so many may come back at once.
    ///
    /// # Errors
    /// When it is too soon.
    pub fn admit_offer(
        &self,
        party: Party,
        rules: &Rules,
        sessions: u32,
        now: Now,
    ) -> Result<(), LimitReached> {
        let mut offered = lock(&self.offered);
        offered.admit(party, rules.offers_per_minute, sessions, now.monotonic)
    }

    /// One more question of this user, which counts if it may be asked.
    ///
    /// # Errors
    /// When it is too soon, or too many for a day.
    pub fn admit_question(&self, user: &str, rules: &Rules, now: Now) -> Result<(), LimitReached> {
        self.asked(|asked| asked.admit(user, rules, now))
    }

    /// What a question of this user has cost, asked and answered.
    pub fn count_tokens(&self, user: &str, rules: &Rules, tokens: u64, now: Now) {
        self.asked(|asked| asked.count_tokens(user, rules, tokens, now));
    }

    /// What this user has used today.
    pub fn used_today(&self, user: &str, now: Now) -> Used {
        self.asked(|asked| asked.used(user, now))
    }

    fn asked<T>(&self, with: impl FnOnce(&mut Asked) -> T) -> T {
        with(&mut lock(&self.asked))
    }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
