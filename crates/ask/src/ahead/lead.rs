use std::time::Duration;

/// How long before it is needed a frame must be asked for: somewhat longer than frames take to come.
/// Pure.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lead {
    /// Of the times that frames took, smoothed: their mean, and how far they are from it.
    mean: Option<Duration>,
    deviation: Duration,
    /// Frames that do not come may be lost, or take longer than was thought.
    doublings: u32,
}

impl Lead {
    /// Before any frame was asked for.
    pub const UNKNOWN: Duration = Duration::from_millis(150);
    /// At least.
    pub const LEAST: Duration = Duration::from_millis(20);
    /// At most.
    pub const MOST: Duration = Duration::from_secs(1);
    /// So many deviations above the mean few frames come later.
    const DEVIATIONS: u32 = 2;
    const MOST_DOUBLINGS: u32 = 3;

    /// A frame took so long, of those that were asked for once.
    pub fn took(&mut self, took: Duration) {
        let took = took.min(Self::MOST);
        self.doublings = 0;
        match self.mean {
            None => (self.mean, self.deviation) = (Some(took), took / 4),
            Some(mean) => {
                // As TCP smooths its round trips (RFC 6298).
                self.deviation = (self.deviation * 3 + mean.abs_diff(took)) / 4;
                self.mean = Some((mean * 7 + took) / 8);
            }
        }
    }

    /// A frame did not come in time, and is asked for again.
    pub fn missed(&mut self) {
        self.doublings = (self.doublings + 1).min(Self::MOST_DOUBLINGS);
    }

    /// How long before: [`LEAST`](Self::LEAST) to [`MOST`](Self::MOST).
    pub fn get(&self) -> Duration {
        let usual =
            self.mean.map_or(Self::UNKNOWN, |mean| mean + self.deviation * Self::DEVIATIONS);
        (usual.clamp(Self::LEAST, Self::MOST) * 2_u32.pow(self.doublings)).min(Self::MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn after(times: impl IntoIterator<Item = u64>) -> Lead {
        let mut lead = Lead::default();
        times.into_iter().for_each(|time| lead.took(ms(time)));
        lead
    }

    #[test]
    fn a_frame_is_asked_for_somewhat_longer_before_than_frames_take() {
        assert_eq!(after([]).get(), ms(150));
        let near = after([16; 30]).get();
        assert!(near >= ms(20) && near < ms(25), "{near:?}");
        let far = after([300; 30]).get();
        assert!(far >= ms(300) && far < ms(310), "{far:?}");
        let unsteady = after([100, 180].repeat(20)).get();
        assert!(unsteady > ms(180) && unsteady < ms(260), "{unsteady:?}");
    }

    #[test]
    fn it_keeps_to_its_bounds_whatever_frames_do() {
        assert_eq!(after([0; 50]).get(), Lead::LEAST);
        assert_eq!(after([60_000; 50]).get(), Lead::MOST);
        assert!(after([1000, 0, 1000]).get() <= Lead::MOST);
        let mut lead = after([400; 20]);
        (0..100).for_each(|_| lead.missed());
        assert_eq!(lead.get(), Lead::MOST);
    }

    #[test]
    fn what_takes_longer_than_was_thought_is_found_out() {
        let mut lead = after([20; 30]);
        lead.missed();
        lead.missed();
        assert!(lead.get() >= ms(80));
        lead.took(ms(90));
        assert!(lead.get() >= ms(60), "{:?}", lead.get());
        (0..30).for_each(|_| lead.took(ms(90)));
        assert!(lead.get() >= ms(90) && lead.get() < ms(130), "{:?}", lead.get());
    }
}
