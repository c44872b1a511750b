//! How often an address may fail to sign in.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, MonotonicClock},
    middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};

/// Failures a minute.
pub(super) const A_MINUTE: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// So many addresses are told apart; further ones share one count.
const MOST_ADDRESSES: usize = 10_000;
const THE_REST: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

type Limiter<C> =
    RateLimiter<IpAddr, HashMapStateStore<IpAddr>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// Failures by address.
#[derive(Debug)]
pub(super) struct Attempts<C: Clock + Clone = MonotonicClock> {
    limiter: Limiter<C>,
    clock: C,
}

impl<C: Clock + Clone> Attempts<C> {
    pub(super) fn new(clock: C) -> Self {
        let limiter = RateLimiter::hashmap_with_clock(Quota::per_minute(A_MINUTE), clock.clone());
        Self { limiter, clock }
    }

    /// Counts a failure.
    ///
    /// # Errors
    /// When there were too many: how long to wait until the next may fail.
    pub(super) fn failed(&self, address: IpAddr) -> Result<(), Duration> {
        if self.limiter.len() >= MOST_ADDRESSES {
            self.limiter.retain_recent();
        }
        let full = self.limiter.len() >= MOST_ADDRESSES;
        let whose = if full { THE_REST } else { network(address) };
        self.limiter.check_key(&whose).map_err(|wait| wait.wait_time_from(self.clock.now()))
    }
}

/// One subscriber has a whole /64 of addresses (RFC 6177).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) >> 64 << 64).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    #[test]
    fn ten_failures_a_minute_and_address_and_then_one_each_six_seconds() {
        let clock = FakeRelativeClock::default();
        let attempts = Attempts::new(clock.clone());
        let here = "192.0.2.1".parse().unwrap();
        for _ in 0..10 {
            assert_eq!(attempts.failed(here), Ok(()));
        }
        assert_eq!(attempts.failed(here), Err(Duration::from_secs(6)));
        assert_eq!(attempts.failed("192.0.2.2".parse().unwrap()), Ok(()));
        clock.advance(Duration::from_secs(6));
        assert_eq!(attempts.failed(here), Ok(()));
        assert!(attempts.failed(here).is_err());
    }

    #[test]
    fn the_addresses_of_one_network_count_together() {
        let attempts = Attempts::new(FakeRelativeClock::default());
        for host in 0..10 {
            assert_eq!(attempts.failed(format!("2001:db8::{host}").parse().unwrap()), Ok(()));
        }
        assert!(attempts.failed("2001:db8::ffff".parse().unwrap()).is_err());
        assert!(attempts.failed("2001:db8:0:1::1".parse().unwrap()).is_ok());
    }

    #[test]
    fn addresses_without_end_are_not_all_remembered() {
        let clock = FakeRelativeClock::default();
        let attempts = Attempts::new(clock.clone());
        for number in 0..2 * MOST_ADDRESSES as u32 {
            let _ = attempts.failed(std::net::Ipv4Addr::from(number).into());
        }
        assert!(attempts.limiter.len() <= MOST_ADDRESSES + 1);
        let another = "192.0.2.1".parse().unwrap();
        assert!(attempts.failed(another).is_err());
        clock.advance(Duration::from_secs(60));
        assert_eq!(attempts.failed(another), Ok(()));
        assert!(attempts.limiter.len() < 3);
    }
}
