//! How long to wait after one failure, and longer after each of those that follow it. Pure.

use std::time::Duration;

/// `first` after no earlier failures, twice as long with each of them, and `longest` at most.
pub fn doubled(first: Duration, earlier: u32, longest: Duration) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(earlier)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_a_bound_however_many_there_were() {
        let (first, longest) = (Duration::from_secs(1), Duration::from_secs(30));
        let after = |earlier| doubled(first, earlier, longest).as_secs();
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 6, 31, 32, u32::MAX].map(after),
            [1, 2, 4, 8, 16, 30, 30, 30, 30, 30]
        );
        assert_eq!(doubled(Duration::MAX, 1, Duration::MAX), Duration::MAX);
    }
}
