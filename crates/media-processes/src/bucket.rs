//! How much may come at once, and how much in the long run.

use std::time::{Duration, Instant};

/// A token bucket: so much at once, and refilled at a steady rate. Time is an argument.
#[derive(Debug, Clone)]
pub struct Bucket {
    at_once: u64,
    a_second: u64,
    /// When it is full again.
    full_at: Option<Instant>,
}

impl Bucket {
    /// A full one. Both must be 1 or more; 0 is taken as 1.
    pub fn new(at_once: u64, a_second: u64) -> Self {
        Self { at_once: at_once.max(1), a_second: a_second.max(1), full_at: None }
    }

    /// Takes so much out, if that is there. Otherwise nothing is taken.
    pub fn take(&mut self, amount: u64, now: Instant) -> bool {
        let full_at = self.full_at.filter(|at| *at > now).unwrap_or(now);
        let after = full_at.checked_add(self.time_for(amount));
        let within = after.filter(|after| *after - now <= self.time_for(self.at_once));
        if within.is_some() {
            self.full_at = within;
        }
        within.is_some()
    }

    /// In which time so much flows in.
    fn time_for(&self, amount: u64) -> Duration {
        let nanos = u128::from(amount) * 1_000_000_000 / u128::from(self.a_second);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn so_much_may_come_at_once_and_then_at_a_steady_rate() {
        let mut bucket = Bucket::new(5, 10);
        let begin = Instant::now();
        assert!((0..5).all(|_| bucket.take(1, begin)));
        assert!(!bucket.take(1, begin + ms(99)));
        assert!(bucket.take(1, begin + ms(100)));
        assert!(!bucket.take(1, begin + ms(150)));
        assert!(bucket.take(1, begin + ms(200)));
    }

    #[test]
    fn what_is_not_used_is_not_saved_up_beyond_the_bucket() {
        let mut bucket = Bucket::new(5, 10);
        let begin = Instant::now();
        assert!(bucket.take(5, begin));
        let later = begin + Duration::from_secs(3600);
        assert!(bucket.take(5, later) && !bucket.take(1, later));
    }

    #[test]
    fn what_is_refused_costs_nothing() {
        let mut bucket = Bucket::new(5, 10);
        let begin = Instant::now();
        assert!(!bucket.take(6, begin));
        assert!(!bucket.take(u64::MAX, begin));
        assert!(bucket.take(5, begin));
    }

    #[test]
    fn in_no_span_of_time_comes_more_than_a_bucket_and_the_rate() {
        let mut bucket = Bucket::new(20, 7);
        let begin = Instant::now();
        let mut came = Vec::new();
        for step in 0..2000_u64 {
            // Odd amounts at odd times.
            let (amount, at) = (step * 7919 % 6, step * step % 97 + step * 40);
            if bucket.take(amount, begin + ms(at)) {
                came.push((at, amount));
            }
        }
        for (first, (from, _)) in came.iter().enumerate() {
            let mut sum = 0;
            for (until, amount) in &came[first..] {
                sum += amount;
                let most = 20 + 7 * until.saturating_sub(*from) / 1000 + 1;
                assert!(sum <= most, "{sum} within {from} to {until} ms, at most {most}");
            }
        }
    }
}
