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

/// Failures a minute of an address, or of IPv6 a network of 64 bits: one subscriber has a whole one.
const OF_ADDRESS: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// Failures a minute of a network of 48 bits of IPv6: one site has 65,536 of those (RFC 6177), and
/// many people.
const OF_SITE: NonZeroU32 = NonZeroU32::new(60).unwrap();
/// So many addresses are told apart; further ones share one count.
const MOST_ADDRESSES: usize = 10_000;
const THE_REST: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

type Limiter<C> =
    RateLimiter<IpAddr, HashMapStateStore<IpAddr>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// Failures by address, and by site.
#[derive(Debug)]
pub(super) struct Attempts<C: Clock + Clone = MonotonicClock> {
    addresses: Failures<C>,
    sites: Failures<C>,
}

/// Somebody has failed too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany {
    /// How many may fail a minute.
    pub most: u32,
    /// How long to wait until the next may fail.
    pub wait: Duration,
}

impl<C: Clock + Clone> Attempts<C> {
    pub(super) fn new(clock: C) -> Self {
        let addresses = Failures::new(OF_ADDRESS, clock.clone());
        Self { addresses, sites: Failures::new(OF_SITE, clock) }
    }

    /// Counts a failure.
    ///
    /// # Errors
    /// When there were too many.
    pub(super) fn failed(&self, address: IpAddr) -> Result<(), TooMany> {
        match address.to_canonical() {
            v4 @ IpAddr::V4(_) => self.addresses.one_more(v4),
            IpAddr::V6(ip) => {
                self.addresses.one_more(network(ip, 64))?;
                self.sites.one_more(network(ip, 48))
            }
        }
    }
}

fn network(address: Ipv6Addr, bits: u32) -> IpAddr {
    let others = 128 - bits;
    IpAddr::V6((u128::from(address) >> others << others).into())
}

/// Failures by network.
#[derive(Debug)]
struct Failures<C: Clock + Clone> {
    a_minute: NonZeroU32,
    limiter: Limiter<C>,
    clock: C,
}

impl<C: Clock + Clone> Failures<C> {
    fn new(a_minute: NonZeroU32, clock: C) -> Self {
        let limiter = RateLimiter::hashmap_with_clock(Quota::per_minute(a_minute), clock.clone());
        Self { a_minute, limiter, clock }
    }

    fn one_more(&self, of: IpAddr) -> Result<(), TooMany> {
        if self.limiter.len() >= MOST_ADDRESSES {
            self.limiter.retain_recent();
        }
        let full = self.limiter.len() >= MOST_ADDRESSES;
        let of = if full { THE_REST } else { of };
        self.limiter.check_key(&of).map_err(|wait| {
            let wait = wait.wait_time_from(self.clock.now());
            TooMany { most: self.a_minute.get(), wait }
        })
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
        let wait = Duration::from_secs(6);
        assert_eq!(attempts.failed(here), Err(TooMany { most: 10, wait }));
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
    fn a_site_does_not_fail_more_often_by_changing_its_networks() {
        let clock = FakeRelativeClock::default();
        let attempts = Attempts::new(clock.clone());
        let failed =
            |network: u32| attempts.failed(format!("2001:db8:7:{network:x}::1").parse().unwrap());
        for network in 0..60 {
            assert_eq!(failed(network), Ok(()));
        }
        let wait = Duration::from_secs(1);
        assert_eq!(failed(60), Err(TooMany { most: 60, wait }));
        assert_eq!(attempts.failed("2001:db8:8::1".parse().unwrap()), Ok(()));
        clock.advance(wait);
        assert_eq!(failed(61), Ok(()));
        // IPv4 has no such sites.
        for number in 0..100 {
            assert_eq!(attempts.failed([192, 0, 2, number].into()), Ok(()));
        }
    }

    #[test]
    fn addresses_without_end_are_not_all_remembered() {
        let clock = FakeRelativeClock::default();
        let attempts = Attempts::new(clock.clone());
        for number in 0..2 * MOST_ADDRESSES as u32 {
            let _ = attempts.failed(std::net::Ipv4Addr::from(number).into());
        }
        assert!(attempts.addresses.limiter.len() <= MOST_ADDRESSES + 1);
        let another = "192.0.2.1".parse().unwrap();
        assert!(attempts.failed(another).is_err());
        clock.advance(Duration::from_secs(60));
        assert_eq!(attempts.failed(another), Ok(()));
        assert!(attempts.addresses.limiter.len() < 3);
    }
}
