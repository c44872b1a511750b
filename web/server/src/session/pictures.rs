//! Whether a video shows anything just now: pure, time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use crate::protocol::FramesMode;

/// Video that has brought no frame for this long shows nothing.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// How often to look.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// Follows how many frames have come.
#[derive(Debug)]
pub(super) struct Pictures {
    frames: u64,
    /// When more of them were seen.
    grew: Instant,
    /// When one was wanted first of those that have not come.
    wanted: Option<Instant>,
}

impl Pictures {
    /// Of a video that is connected now.
    pub(super) fn new(frames: u64, now: Instant) -> Self {
        Self { frames, grew: now, wanted: None }
    }

    /// A frame is wanted.
    pub(super) fn want(&mut self, now: Instant) {
        self.wanted.get_or_insert(now);
    }

    /// Frames come otherwise from now on.
    pub(super) fn switch(&mut self, now: Instant) {
        (self.grew, self.wanted) = (now, None);
    }

    /// So many have come by now, all or only those that are wanted. Whether there are pictures.
    pub(super) fn look(&mut self, frames: u64, mode: FramesMode, now: Instant) -> bool {
        if frames > self.frames {
            self.frames = frames;
            self.switch(now);
        }
        let since = match mode {
            FramesMode::All => self.grew,
            FramesMode::OnDemand | FramesMode::Pictures => self.wanted.unwrap_or(now),
        };
        now.duration_since(since) < PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_pictures_after_three_seconds_without_a_frame() {
        let began = Instant::now();
        let mut pictures = Pictures::new(0, began);
        let looks = [(0, 29), (0, 30), (1, 40), (1, 69), (1, 70), (1, 700), (2, 701)];
        let seen = looks.map(|(frames, tenths)| {
            pictures.look(frames, FramesMode::All, began + Duration::from_millis(100 * tenths))
        });
        assert_eq!(seen, [true, false, true, true, false, false, true]);
    }

    #[test]
    fn of_frames_on_demand_only_those_are_missed_that_were_wanted() {
        let began = Instant::now();
        let at = |tenths: u64| began + Duration::from_millis(100 * tenths);
        let mut pictures = Pictures::new(0, began);
        let mut look = |frames, tenths| pictures.look(frames, FramesMode::OnDemand, at(tenths));
        assert!(look(1, 10) && look(1, 1000));
        pictures.want(at(1000));
        pictures.want(at(1020));
        let mut look = |frames, tenths| pictures.look(frames, FramesMode::OnDemand, at(tenths));
        assert!(look(1, 1029) && !look(1, 1030));
        assert!(look(2, 1031) && look(2, 9000));
        pictures.switch(at(9000));
        assert!(pictures.look(2, FramesMode::All, at(9029)), "all begin to come");
        assert!(!pictures.look(2, FramesMode::All, at(9030)));
    }
}
