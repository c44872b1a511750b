use tokio::time::Instant;

/// Messages at once: a page's settings and a browser's candidates are a few dozen.
const BURST: f64 = 200.0;
/// Messages a second from then on.
pub(super) const PER_SECOND: u32 = 50;

/// So many bytes count as one more message.
const BYTES: usize = 64 * 1024;

/// How many messages one connection may send: a token bucket.
#[derive(Debug)]
pub(super) struct RateLimit {
    left: f64,
    at: Instant,
}

impl RateLimit {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: BURST, at: now }
    }

    /// Whether one more message of so many bytes may come now; counts it. A long one counts as many.
    pub(super) fn admits(&mut self, now: Instant, bytes: usize) -> bool {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * f64::from(PER_SECOND);
        let cost = 1.0 + (bytes / BYTES) as f64;
        self.left = (self.left + gained).min(BURST) - cost;
        self.at = now;
        self.left >= 0.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_and_a_steady_rate_are_admitted_and_no_more() {
        let start = Instant::now();
        let mut limit = RateLimit::new(start);
        assert_eq!((0..1000).take_while(|_| limit.admits(start, 9)).count(), 200);

        let mut limit = RateLimit::new(start);
        let at =
            |n: u32, per_second: f64| start + Duration::from_secs_f64(f64::from(n) / per_second);
        assert!((0..10_000).all(|n| limit.admits(at(n, 50.0), 9)));
        let mut limit = RateLimit::new(start);
        let admitted = (0..10_000).take_while(|n| limit.admits(at(*n, 60.0), 9)).count();
        assert!((1190..1210).contains(&admitted), "{admitted}");

        // What was saved up is a burst, and no more than that.
        let mut limit = RateLimit::new(start);
        let later = start + Duration::from_secs(3600);
        assert_eq!((0..1000).take_while(|_| limit.admits(later, 9)).count(), 200);

        // Three megabytes a second, in pictures of any size.
        let mut limit = RateLimit::new(start);
        let admitted = (0..1000).take_while(|_| limit.admits(start, 2 << 20)).count();
        assert_eq!(admitted, 6);
        let mut limit = RateLimit::new(start);
        assert!((0..1000).all(|n| limit.admits(at(n, 1.5), 2 << 20)));
    }
}
