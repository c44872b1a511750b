//! Which frames are samples: pure, by timestamps or by counting.

use std::time::Duration;

/// When a frame is a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The first frame, and then one each interval of running time.
    Every(Duration),
    /// The first frame, and then each n-th; n >= 1.
    EveryNth(u32),
}

impl Rule {
    /// How many frames one sample stands for, as far as the rule says.
    pub(crate) fn frames(self) -> u32 {
        match self {
            Self::Every(_) => 1,
            Self::EveryNth(n) => n.max(1),
        }
    }
}

/// Picks samples from a stream of frames.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    frames: u64,
    due: Option<Duration>,
    last: Option<Duration>,
    /// When the last sample was, and how long after the one before.
    last_sample: Option<Duration>,
    spacing: Option<Duration>,
}

impl Sampler {
    /// Whether the frame at `time` is a sample. Times come in order, but may jump: after a jump
    /// back the frame is a sample, and after one ahead the missed samples are not made up for.
    pub(crate) fn is_sample(&mut self, time: Duration, rule: Rule) -> bool {
        let nth = self.frames;
        self.frames += 1;
        let jumped_back = self.last.replace(time).is_some_and(|last| time < last);
        let is_sample = self.decide(nth, time, jumped_back, rule);
        if is_sample {
            let last = self.last_sample.replace(time);
            self.spacing = last.and_then(|last| time.checked_sub(last));
        }
        is_sample
    }

    /// How long it is from `time` to the next sample, if that can be told: with an interval, it
    /// is no sooner than this; else it is as far as the last two were apart.
    pub(crate) fn until_next(&self, time: Duration) -> Option<Duration> {
        let until = match self.due {
            Some(due) => due.checked_sub(time),
            None => self.spacing,
        };
        until.filter(|until| !until.is_zero()).or(self.spacing)
    }

    /// How long it is from the last frame to the next sample at least; zero if that may be the
    /// next frame. Counted frames are taken to be as far apart as they were.
    pub(crate) fn quiet(&self) -> Duration {
        let counted = || self.last_sample?.checked_add(self.spacing?);
        let next = self.due.or_else(counted);
        next.zip(self.last).and_then(|(next, last)| next.checked_sub(last)).unwrap_or_default()
    }

    fn decide(&mut self, nth: u64, time: Duration, jumped_back: bool, rule: Rule) -> bool {
        match rule {
            Rule::EveryNth(n) => {
                self.due = None;
                nth.is_multiple_of(u64::from(n.max(1)))
            }
            Rule::Every(interval) => {
                // A due time further away than the interval belongs to a longer interval that
                // was set before.
                let due = self.due.filter(|due| !jumped_back && *due <= time + interval);
                let is_sample = due.is_none_or(|due| time >= due);
                self.due = match due {
                    Some(due) if !is_sample => Some(due),
                    // Keeping the beat, so that jitter does not add up, unless it was missed.
                    Some(due) if due + interval > time => Some(due + interval),
                    _ => Some(time + interval),
                };
                is_sample
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(times: impl IntoIterator<Item = u64>, rule: Rule) -> Vec<u64> {
        let mut sampler = Sampler::default();
        times
            .into_iter()
            .filter(|time| sampler.is_sample(Duration::from_millis(*time), rule))
            .collect()
    }

    const SECOND: Rule = Rule::Every(Duration::from_secs(1));

    #[test]
    fn one_frame_an_interval_is_a_sample() {
        let times = (0..100).map(|frame| frame * 33);
        assert_eq!(samples(times, SECOND), [0, 1023, 2013, 3003]);
    }

    #[test]
    fn variable_rate_video_is_sampled_by_time() {
        assert_eq!(
            samples([0, 5, 10, 900, 1400, 2100, 2200, 2900, 3000], SECOND),
            [0, 1400, 2100, 3000]
        );
    }

    #[test]
    fn missed_samples_are_not_made_up_for() {
        assert_eq!(samples([0, 10_000, 10_033, 10_990, 11_000], SECOND), [0, 10_000, 11_000]);
    }

    #[test]
    fn a_jump_back_starts_anew() {
        assert_eq!(samples([5000, 5033, 0, 33, 1000], SECOND), [5000, 0, 1000]);
    }

    #[test]
    fn every_nth_frame_is_counted_from_the_first() {
        assert_eq!(samples(0..8, Rule::EveryNth(3)), [0, 3, 6]);
        assert_eq!(samples(0..3, Rule::EveryNth(1)), [0, 1, 2]);
    }

    #[test]
    fn the_next_sample_is_told_as_well_as_it_is_known() {
        let at = Duration::from_millis;
        let mut sampler = Sampler::default();
        assert_eq!(sampler.until_next(at(0)), None);
        sampler.is_sample(at(0), SECOND);
        assert_eq!(sampler.until_next(at(0)), Some(at(1000)));
        sampler.is_sample(at(1023), SECOND);
        assert_eq!(sampler.until_next(at(1023)), Some(at(977)));
        assert_eq!(sampler.until_next(at(1500)), Some(at(500)));

        let mut sampler = Sampler::default();
        sampler.is_sample(at(0), Rule::EveryNth(2));
        assert_eq!(sampler.until_next(at(0)), None);
        sampler.is_sample(at(30), Rule::EveryNth(2));
        sampler.is_sample(at(60), Rule::EveryNth(2));
        assert_eq!(sampler.until_next(at(60)), Some(at(60)));

        let every_frame = Rule::Every(Duration::ZERO);
        let mut sampler = Sampler::default();
        sampler.is_sample(at(0), every_frame);
        sampler.is_sample(at(40), every_frame);
        assert_eq!(sampler.until_next(at(40)), Some(at(40)));
    }

    #[test]
    fn a_shorter_interval_takes_effect_at_once() {
        let mut sampler = Sampler::default();
        let at = Duration::from_millis;
        assert!(sampler.is_sample(at(0), Rule::Every(at(60_000))));
        assert!(!sampler.is_sample(at(33), Rule::Every(at(60_000))));
        assert!(sampler.is_sample(at(66), Rule::Every(at(100))));
        assert!(!sampler.is_sample(at(99), Rule::Every(at(100))));
        assert!(sampler.is_sample(at(166), Rule::Every(at(100))));
    }

    #[test]
    fn between_samples_it_is_quiet_until_the_next() {
        let quiet = |rule, times: &[u64]| {
            let mut sampler = Sampler::default();
            assert_eq!(sampler.quiet(), Duration::ZERO);
            let quiet = |time: &u64| {
                sampler.is_sample(Duration::from_millis(*time), rule);
                sampler.quiet().as_millis()
            };
            times.iter().map(quiet).collect::<Vec<_>>()
        };
        assert_eq!(quiet(SECOND, &[0, 400, 999, 1030, 5000]), [1000, 600, 1, 970, 1000]);
        assert_eq!(quiet(Rule::EveryNth(2), &[0, 40, 80, 120, 160, 250]), [0, 0, 80, 40, 80, 0]);
        assert_eq!(quiet(Rule::EveryNth(1), &[0, 40, 80]), [0, 40, 40]);
    }
}
