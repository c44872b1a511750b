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

/// Keeps one frame each spacing: as many as a question shows and not one more.
#[derive(Debug)]
pub(crate) struct Window<T> {
    frames: VecDeque<(Duration, T)>,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self { frames: VecDeque::new() }
    }
}

impl<T> Window<T> {
    /// Whether a frame of this time belongs into the window.
    pub(crate) fn wants(&self, time: Duration, rule: ClipRule) -> bool {
        let beat = || {
            self.frames.back().is_none_or(|(last, _)| time < *last || time - *last >= rule.spacing)
        };
        rule.earlier() > 0 && beat()
    }

    /// Takes a frame that it [wants](Self::wants). Gives back what leaves for it: the oldest, or
    /// all when time jumped back.
    pub(crate) fn add(&mut self, time: Duration, frame: T, rule: ClipRule) -> Vec<T> {
        let jumped_back = self.frames.back().is_some_and(|(last, _)| time < *last);
        let keep = if jumped_back { 0 } else { rule.frames.saturating_sub(1) };
        let surplus = self.frames.len().saturating_sub(keep);
        let gone = self.frames.drain(..surplus).map(|(_, frame)| frame).collect();
        self.frames.push_back((time, frame));
        gone
    }

    /// Whether a question about the frame of this time could show as many as it should.
    pub(crate) fn is_full(&self, time: Duration, rule: ClipRule) -> bool {
        self.places(time, rule).count() == rule.earlier()
    }

    /// The frames before the one of this time, oldest first: for each spacing back the nearest one
    /// that is kept.
    pub(crate) fn before(&self, time: Duration, rule: ClipRule) -> Vec<&T> {
        let mut places: Vec<_> = self.places(time, rule).collect();
        places.reverse();
        places.into_iter().filter_map(|at| self.frames.get(at)).map(|(_, frame)| frame).collect()
    }

    /// Newest first. One frame each spacing is kept, so each place has a frame of its own.
    fn places(&self, time: Duration, rule: ClipRule) -> impl Iterator<Item = usize> {
        let mut next = self.frames.len();
        let steps = u32::try_from(rule.earlier()).unwrap_or(u32::MAX);
        (1..=steps).map_while(move |step| {
            let wanted = time.checked_sub(rule.spacing.saturating_mul(step))?;
            let distance = |at: usize| self.frames[at].0.abs_diff(wanted);
            let at = (0..next)
                .filter(|at| self.frames[*at].0 < time && distance(*at) <= rule.spacing)
                .min_by_key(|at| distance(*at))?;
            next = at;
            Some(at)
        })
    }

    /// Gives everything back.
    pub(crate) fn clear(&mut self) -> Vec<T> {
        self.frames.drain(..).map(|(_, frame)| frame).collect()
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
            if window.wants(at(time), rule) {
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
        assert_eq!(before(&window, 2000, FOUR), [520, 1040, 1560]);
        assert_eq!(before(&window, 2040, FOUR), [520, 1040, 1560]);
    }

    #[test]
    fn no_more_is_kept_than_a_question_shows() {
        let window = seen((0..100_000).step_by(40), FOUR);
        assert_eq!(window.frames().count(), 4);
    }

    #[test]
    fn one_frame_needs_no_window() {
        let rule = ClipRule { frames: 1, ..FOUR };
        let window = seen(0..100, rule);
        assert_eq!(window.frames().count(), 0);
        assert!(window.is_full(at(100), rule));
    }

    #[test]
    fn a_clip_is_full_once_enough_time_has_passed() {
        let window = seen((0..=1480).step_by(40), FOUR);
        assert!(!window.is_full(at(1480), FOUR), "there is nothing of half a second before 0");
        assert!(window.is_full(at(1520), FOUR));
    }

    #[test]
    fn a_gap_in_the_video_leaves_the_clip_short() {
        let window = seen([0, 500, 1000, 60_000], FOUR);
        assert_eq!(before(&window, 60_500, FOUR), [60_000]);
        assert!(!window.is_full(at(60_500), FOUR));
    }

    #[test]
    fn time_that_jumps_back_starts_a_new_clip() {
        let window = seen([5000, 5500, 6000, 0, 500], FOUR);
        assert_eq!(before(&window, 1000, FOUR), [0, 500]);
    }

    #[test]
    fn no_frame_is_shown_twice() {
        let rule = ClipRule { frames: 5, spacing: Duration::ZERO };
        let window = seen([0, 1, 2, 3, 4, 5], rule);
        assert!(before(&window, 6, rule).len() <= 4);
        let window = seen([0, 300, 800, 1200], FOUR);
        assert_eq!(before(&window, 1500, FOUR), [0, 800]);
    }
}
