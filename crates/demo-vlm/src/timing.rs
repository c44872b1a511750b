//! When each token of an answer is due.

use std::time::Duration;

use crate::Options;

/// Keeps deadlines far from overflow, whatever the options say.
const LONGEST: Duration = Duration::from_secs(60 * 60);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    total: Option<Duration>,
    first: Duration,
    gap: Duration,
}

impl Timing {
    pub(crate) fn new(options: &Options) -> Self {
        let total = (!options.latency.is_zero()).then(|| options.latency.min(LONGEST));
        let usual = total.map_or(Duration::ZERO, |total| total * 3 / 10);
        let first = options.first_token.unwrap_or(usual);
        Self {
            total,
            first: first.min(total.unwrap_or(LONGEST)),
            gap: options.token_delay.min(LONGEST),
        }
    }

    /// When token `index` of `count` is due, counted from the start of the answer. A lone token
    /// completes the answer, so it comes at the end.
    pub(crate) fn token(&self, index: usize, count: usize) -> Duration {
        let (index, last) = (as_u32(index), as_u32(count.saturating_sub(1)));
        match self.total {
            Some(total) if last == 0 => total,
            Some(total) => self.first + (total - self.first).mul_f64(ratio(index, last)),
            None => self.first + self.gap.saturating_mul(index).min(LONGEST),
        }
    }

    /// When an answer that is not streamed is due.
    pub(crate) fn whole(&self) -> Duration {
        self.total.unwrap_or(self.first)
    }

    /// Whole seconds after which a refused client may well find room.
    pub(crate) fn retry_after(&self) -> u64 {
        self.whole().as_millis().div_ceil(1000).max(1) as u64
    }
}

fn ratio(index: u32, last: u32) -> f64 {
    f64::from(index.min(last)) / f64::from(last)
}

fn as_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    fn dues(options: &Options, count: usize) -> Vec<Duration> {
        let timing = Timing::new(options);
        (0..count).map(|index| timing.token(index, count)).collect()
    }

    #[test]
    fn latency_spreads_the_tokens_evenly_and_ends_on_time() {
        let options = Options { latency: ms(1000), ..Options::default() };
        assert_eq!(dues(&options, 3), [ms(300), ms(650), ms(1000)]);
        assert_eq!(Timing::new(&options).whole(), ms(1000));
    }

    #[test]
    fn first_token_moves_only_the_start() {
        let options =
            Options { latency: ms(1000), first_token: Some(ms(800)), ..Options::default() };
        assert_eq!(dues(&options, 3), [ms(800), ms(900), ms(1000)]);
    }

    #[test]
    fn first_token_after_the_end_is_at_the_end() {
        let options = Options { latency: ms(10), first_token: Some(ms(99)), ..Options::default() };
        assert_eq!(dues(&options, 2), [ms(10), ms(10)]);
    }

    #[test]
    fn a_lone_token_comes_at_the_end() {
        let options = Options { latency: ms(1000), ..Options::default() };
        assert_eq!(dues(&options, 1), [ms(1000)]);
    }

    #[test]
    fn without_latency_tokens_follow_at_the_token_delay() {
        assert_eq!(dues(&Options::default(), 3), [ms(0), ms(15), ms(30)]);
        assert_eq!(Timing::new(&Options::default()).whole(), ms(0));
    }

    #[test]
    fn absurd_times_are_bounded() {
        let options = Options {
            latency: Duration::MAX,
            first_token: Some(Duration::MAX),
            ..Options::default()
        };
        assert_eq!(dues(&options, 2), [LONGEST, LONGEST]);
        let options = Options { token_delay: Duration::MAX, ..Options::default() };
        assert_eq!(dues(&options, 3)[2], LONGEST);
    }

    #[test]
    fn a_refused_client_is_told_whole_seconds() {
        assert_eq!(Timing::new(&Options::default()).retry_after(), 1);
        let options = Options { latency: ms(2001), ..Options::default() };
        assert_eq!(Timing::new(&options).retry_after(), 3);
    }
}
