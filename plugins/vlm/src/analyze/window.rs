//! The frames before the newest one that a question with several frames shows: pure.

use std::{collections::VecDeque, time::Duration};

/// Which frames a question shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClipRule {
    /// How many, the newest among them; >= 1.
    pub(crate) frames: usize,
    /// How far they are apart.
    pub(crate) spacing: Duration,
}

impl ClipRule {
    fn earlier(self) -> usize {
        self.frames.saturating_sub(1)
    }
}

/// Further apart than this many times the usual, frames are not of one clip.
const GAP: u32 = 4;

/// Keeps one frame each spacing: as many as a question shows and not one more.
#[derive(Debug)]
pub(crate) struct Window<T> {
    frames: VecDeque<(Duration, T)>,
    /// When the next frame is to be kept.
    due: Option<Duration>,
    /// The first frame of the stream, or after a jump back.
    began: Option<Duration>,
    /// The frame before, and how far it was from its own.
    last: Option<Duration>,
    distance: Option<Duration>,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self { frames: VecDeque::new(), due: None, began: None, last: None, distance: None }
    }
}

/// What a frame means to a window.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen<T> {
    /// Whether it is to be [added](Window::add).
    pub(crate) wanted: bool,
    /// What is of another clip, or of a longer one that was wanted before.
    pub(crate) gone: Vec<T>,
}

impl<T> Window<T> {
    /// Looks at the time of each frame.
    pub(crate) fn see(&mut self, time: Duration, rule: ClipRule) -> Seen<T> {
        if rule.frames <= 1 {
            return Seen { wanted: false, gone: self.clear() };
        }
        let since = self.last.map(|last| time.checked_sub(last));
        let mut gone = Vec::new();
        match since {
            Some(None) => gone = self.clear(),
            Some(Some(distance)) => {
                let usual = self.distance.unwrap_or(distance).max(rule.spacing);
                if distance > usual.saturating_mul(GAP) {
                    gone = self.frames.drain(..).map(|(_, frame)| frame).collect();
                    self.due = None;
                } else {
                    self.distance = Some(distance);
                }
            }
            None => {}
        }
        self.began.get_or_insert(time);
        self.last = Some(time);
        let wanted = self.due.is_none_or(|due| time >= due || due > time + rule.spacing);
        Seen { wanted, gone }
    }

    /// Takes a frame that is wanted. Gives back what leaves for it.
    pub(crate) fn add(&mut self, time: Duration, frame: T, rule: ClipRule) -> Vec<T> {
        let next = time + rule.spacing;
        // Keeping the beat, so that frame rates that do not fit the spacing do not stretch it.
        self.due = Some(match self.due {
            Some(due) if due <= time => (due + rule.spacing).max(time + rule.spacing / 2),
            _ => next,
        });
        let surplus = self.frames.len().saturating_sub(rule.earlier());
        let gone = self.frames.drain(..surplus).map(|(_, frame)| frame).collect();
        self.frames.push_back((time, frame));
        gone
    }

    /// Whether there was time enough for as many frames as a question shows. Then it is asked with
    /// what there is: of a slow source, or after a gap, there may be fewer.
    pub(crate) fn is_ready(&self, time: Duration, rule: ClipRule) -> bool {
        let steps = u32::try_from(rule.earlier()).unwrap_or(u32::MAX);
        let span = rule.spacing.saturating_mul(steps);
        self.began.is_some_and(|began| time.saturating_sub(began) >= span)
    }

    /// The frames before the one of this time, oldest first: from each one back, that which is
    /// nearest to a spacing away.
    pub(crate) fn before(&self, time: Duration, rule: ClipRule) -> Vec<&T> {
        let mut found = Vec::new();
        let mut later = time;
        let mut left = self.frames.len();
        for _ in 0..rule.earlier() {
            let wanted = later.saturating_sub(rule.spacing);
            let distance = |at: usize| self.frames[at].0.abs_diff(wanted);
            let earlier = (0..left).filter(|at| self.frames[*at].0 < later);
            let Some(at) = earlier.min_by_key(|at| distance(*at)) else { break };
            (later, left) = (self.frames[at].0, at);
            found.push(&self.frames[at].1);
        }
        found.reverse();
        found
    }

    /// Gives everything back, as a new stream wants it.
    pub(crate) fn clear(&mut self) -> Vec<T> {
        let Self { frames, .. } = std::mem::take(self);
        frames.into_iter().map(|(_, frame)| frame).collect()
    }

    /// The newest that is kept, with its time.
    pub(crate) fn newest(&self) -> Option<&(Duration, T)> {
        self.frames.back()
    }

    /// All that is kept, oldest first.
    pub(crate) fn frames(&self) -> impl Iterator<Item = &T> {
        self.frames.iter().map(|(_, frame)| frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR: ClipRule = ClipRule { frames: 4, spacing: Duration::from_millis(500) };

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A window that has seen these times; its frames are their times.
    fn seen(times: impl IntoIterator<Item = u64>, rule: ClipRule) -> Window<u64> {
        let mut window = Window::default();
        for time in times {
            if window.see(at(time), rule).wanted {
                window.add(at(time), time, rule);
            }
        }
        window
    }

    fn before(window: &Window<u64>, time: u64, rule: ClipRule) -> Vec<u64> {
        window.before(at(time), rule).into_iter().copied().collect()
    }

    #[test]
    fn a_clip_is_spaced_and_oldest_first() {
        let window = seen((0..=2000).step_by(40), FOUR);
        assert_eq!(before(&window, 2000, FOUR), [520, 1000, 1520]);
        assert_eq!(before(&window, 2040, FOUR), [520, 1000, 1520]);
        assert_eq!(before(&window, 2240, FOUR).len(), 3);
    }

    #[test]
    fn frame_rates_that_do_not_fit_the_spacing_do_not_stretch_a_clip() {
        let rule = ClipRule { frames: 12, spacing: at(100) };
        let window = seen((0..=4000).step_by(40), rule);
        assert!(window.is_ready(at(4000), rule));
        let clip = before(&window, 4000, rule);
        assert_eq!(clip.len(), 11);
        assert!((2860..=2940).contains(&clip[0]), "{clip:?}");
    }

    #[test]
    fn of_a_slow_source_each_frame_is_shown() {
        let window = seen((0..=9).map(|n| n * 1000), FOUR);
        assert!(window.is_ready(at(9000), FOUR));
        assert_eq!(before(&window, 9000, FOUR), [6000, 7000, 8000]);
        let close = ClipRule { frames: 2, spacing: at(10) };
        let window = seen((0..=100).step_by(40), close);
        assert_eq!(before(&window, 80, close), [40]);
        // At the beginning there are fewer.
        let window = seen([0, 1000, 2000], FOUR);
        assert!(window.is_ready(at(2000), FOUR));
        assert_eq!(before(&window, 2000, FOUR), [0, 1000]);
    }

    #[test]
    fn no_more_is_kept_than_a_question_shows() {
        let window = seen((0..100_000).step_by(40), FOUR);
        assert_eq!(window.frames().count(), 4);
    }

    #[test]
    fn one_frame_needs_no_window_and_a_shorter_clip_less() {
        let one = ClipRule { frames: 1, ..FOUR };
        let mut window = seen((0..=2000).step_by(40), one);
        assert_eq!(window.frames().count(), 0);
        assert!(!window.see(at(2040), one).wanted);
        let mut window = seen((0..=2000).step_by(40), FOUR);
        assert_eq!(window.see(at(2040), one).gone.len(), 4);
    }

    #[test]
    fn a_clip_is_ready_once_enough_time_has_passed() {
        let window = seen((0..=1480).step_by(40), FOUR);
        assert!(!window.is_ready(at(1480), FOUR));
        assert!(window.is_ready(at(1500), FOUR));
    }

    #[test]
    fn a_gap_in_the_video_leaves_the_clip_short() {
        let window = seen([0, 500, 1000, 60_000], FOUR);
        assert_eq!(before(&window, 60_500, FOUR), [60_000]);
        assert!(window.is_ready(at(60_500), FOUR), "it is asked with what there is");
    }

    #[test]
    fn time_that_jumps_back_starts_a_new_clip() {
        let window = seen([5000, 5500, 6000, 0, 500], FOUR);
        assert!(!window.is_ready(at(1000), FOUR));
        assert_eq!(before(&window, 1000, FOUR), [0, 500]);
    }

    #[test]
    fn a_shorter_spacing_takes_effect_at_once() {
        let far = ClipRule { frames: 3, spacing: at(60_000) };
        let near = ClipRule { frames: 3, spacing: at(100) };
        let mut window = seen([0, 40], far);
        assert!(window.see(at(80), near).wanted);
    }

    #[test]
    fn frames_are_not_shown_twice_nor_nearly() {
        let rule = ClipRule { frames: 3, spacing: at(500) };
        let window = seen([0, 999, 1000, 1001, 1500, 2000], rule);
        let clip = before(&window, 2000, rule);
        assert!(clip.windows(2).all(|pair| pair[1] - pair[0] >= 250), "{clip:?}");
    }
}
