//! Keeps what others cause from filling the log: so many lines a minute of each kind, and then how
//! many were left out.

use std::{
    fmt,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use lru::LruCache;

use crate::lock::lock;

const WINDOW: Duration = Duration::from_secs(60);
/// Kinds that are remembered; the longest unseen is forgotten first.
const REMEMBERED: usize = 4096;

/// Where something comes from, as far as the log tells it apart: an address, or of IPv6 a network
/// of 48 bits, which is what one site has (RFC 6177) and can choose its addresses from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Site(IpAddr);

impl From<IpAddr> for Site {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from(u128::from(ip) >> 80 << 80)),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// Decides which lines are written. Time is an argument.
pub struct LogLimit<K: Hash + Eq> {
    /// Lines of a kind a minute.
    most: u64,
    /// A leaf lock, held for a look-up.
    seen: Mutex<LruCache<K, Window>>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    began: Instant,
    /// In this window, written or not.
    lines: u64,
}

impl Window {
    fn left_out(self, most: u64) -> u64 {
        self.lines.saturating_sub(most)
    }

    fn is_over(self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) >= WINDOW
    }
}

impl<K: Hash + Eq> LogLimit<K> {
    /// At most `most` lines a minute of each kind.
    pub fn new(most: u64) -> Self {
        Self { most, seen: Mutex::new(LruCache::unbounded()) }
    }

    /// Whether a line of this kind is to be written now; then, how many were left out since the
    /// last one.
    pub fn due(&self, kind: K, now: Instant) -> Option<u64> {
        let mut seen = self.lock();
        let before = match seen.get_mut(&kind) {
            Some(window) if !window.is_over(now) => {
                window.lines += 1;
                return (window.lines <= self.most).then_some(0);
            }
            Some(window) => window.left_out(self.most),
            None => 0,
        };
        seen.push(kind, Window { began: now, lines: 1 });
        if seen.len() > REMEMBERED {
            seen.pop_lru();
        }
        Some(before)
    }

    /// The kinds whose minute is over and of which lines were left out, and how many. Each is
    /// told once, here or by [`due`](Self::due).
    pub fn ended(&self, now: Instant) -> Vec<(K, u64)>
    where
        K: Clone,
    {
        self.take(|window| window.is_over(now))
    }

    /// As [`ended`](Self::ended), without waiting for the end of their minute.
    pub fn drain(&self) -> Vec<(K, u64)>
    where
        K: Clone,
    {
        self.take(|_| true)
    }

    fn take(&self, which: impl Fn(&Window) -> bool) -> Vec<(K, u64)>
    where
        K: Clone,
    {
        let mut seen = self.lock();
        let taken: Vec<(K, u64)> = seen
            .iter()
            .filter(|(_, window)| which(window))
            .map(|(kind, window)| (kind.clone(), window.left_out(self.most)))
            .collect();
        for (kind, _) in &taken {
            seen.pop(kind);
        }
        drop(seen);
        taken.into_iter().filter(|(_, left_out)| *left_out > 0).collect()
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<K, Window>> {
        lock(&self.seen)
    }
}

impl<K: Hash + Eq> fmt::Debug for LogLimit<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogLimit").field("most", &self.most).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(address: &str) -> Site {
        address.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn so_many_lines_a_minute_are_written_of_each_kind_and_the_rest_is_counted() {
        let limit = LogLimit::new(2);
        let begin = Instant::now();
        let due = |kind, after| limit.due(kind, begin + Duration::from_secs(after));
        assert_eq!([due("a", 0), due("a", 1)], [Some(0), Some(0)]);
        for after in 2..60 {
            assert_eq!(due("a", after), None);
        }
        assert_eq!(due("b", 59), Some(0));
        assert_eq!([due("a", 60), due("a", 61), due("a", 62)], [Some(58), Some(0), None]);
    }

    #[test]
    fn what_was_left_out_is_told_when_the_minute_is_over_and_only_once() {
        let limit = LogLimit::new(1);
        let begin = Instant::now();
        let at = |after| begin + Duration::from_secs(after);
        for kind in ["a", "a", "a", "b"] {
            limit.due(kind, begin);
        }
        assert_eq!(limit.ended(at(59)), []);
        assert_eq!(limit.ended(at(60)), [("a", 2)]);
        assert_eq!(limit.ended(at(120)), []);
        for _ in 0..3 {
            limit.due("a", at(121));
        }
        assert_eq!((limit.drain(), limit.drain()), (vec![("a", 2)], vec![]));
    }

    #[test]
    fn no_flood_of_kinds_fills_the_memory() {
        let limit = LogLimit::new(1);
        for kind in 0..2 * REMEMBERED {
            limit.due(kind, Instant::now());
        }
        assert_eq!(limit.lock().len(), REMEMBERED);
    }

    #[test]
    fn the_addresses_of_one_site_are_told_apart_by_nobody() {
        assert_eq!(site("2001:db8:7:1::1"), site("2001:db8:7:ffff::2"));
        assert_ne!(site("2001:db8:7::1"), site("2001:db8:8::1"));
        assert_eq!(site("::ffff:192.0.2.1"), site("192.0.2.1"));
        assert_ne!(site("192.0.2.1"), site("192.0.2.2"));
    }
}
