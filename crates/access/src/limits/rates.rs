use std::{
    collections::VecDeque,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};

/// Different rates of one user that are remembered.
const REMEMBERED: usize = 4;

type Bucket = RateLimiter<NotKeyed, InMemoryState, Given, NoOpMiddleware<Nanos>>;

/// How often something may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    /// On average.
    pub(super) per_minute: NonZeroU32,
    /// By who has done nothing for a while.
    pub(super) at_once: NonZeroU32,
}

impl Rate {
    /// After which time it is as if nothing had been done.
    pub(super) fn refilled_after(self) -> Duration {
        Duration::from_secs(60) * self.at_once.get() / self.per_minute.get()
    }
}

/// What somebody has done; the rate used last comes first. There may be several, as what a user may
/// do differs with their groups, and changes.
#[derive(Debug, Default)]
pub(super) struct Done(VecDeque<(Rate, Bucket)>);

impl Done {
    /// Counts one more, or says how long it must wait.
    pub(super) fn one_more(&mut self, rate: Rate, clock: &Given) -> Result<(), Duration> {
        let at = clock.now();
        let known = self.0.iter().position(|(same, _)| *same == rate);
        let entry = known.and_then(|known| self.0.remove(known)).unwrap_or_else(|| {
            let quota = Quota::per_minute(rate.per_minute).allow_burst(rate.at_once);
            (rate, RateLimiter::direct_with_clock(quota, clock.clone()))
        });
        self.0.truncate(REMEMBERED - 1);
        self.0.push_front(entry);
        let (_, bucket) = &self.0[0];
        bucket.check().map_err(|not_until| not_until.wait_time_from(at))
    }
}

/// A clock that shows the time that it is given.
#[derive(Debug, Clone, Default)]
pub(super) struct Given(Arc<AtomicU64>);

impl Given {
    /// Shows this time since it began.
    pub(super) fn set(&self, since: Duration) {
        self.0.store(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Clock for Given {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.load(Ordering::Relaxed).into()
    }
}
