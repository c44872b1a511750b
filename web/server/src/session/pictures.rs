//! Whether a video shows anything just now: pure, time is an argument.

use std::time::Duration;

use tokio::time::Instant;

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
}

impl Pictures {
    /// Of a video that is connected now.
    pub(super) fn new(frames: u64, now: Instant) -> Self {
        Self { frames, grew: now }
    }

    /// So many have come by now. Whether there are pictures.
    pub(super) fn look(&mut self, frames: u64, now: Instant) -> bool {
        if frames > self.frames {
            self.frames = frames;
            self.grew = now;
        }
        now.duration_since(self.grew) < PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_pictures_after_three_seconds_without_a_frame() {
        let began = Instant::now();
        let at = |tenths: u64| began + Duration::from_millis(100 * tenths);
        let mut pictures = Pictures::new(0, began);
        assert!(pictures.look(0, at(29)));
        assert!(!pictures.look(0, at(30)));
        assert!(pictures.look(1, at(40)));
        assert!(pictures.look(1, at(69)));
        assert!(!pictures.look(1, at(70)));
        assert!(!pictures.look(1, at(700)));
        assert!(pictures.look(2, at(701)));
    }
}
