//! When captions are shown, and what is said of the time between them: pure.
//!
//! Times are timestamps of the video's segment. Whoever muxes text with video waits until it
//! knows that no caption will come for a frame, so each frame that passes moves the timeline just
//! past its timestamp, and no further: the next frame's caption is to fit.

use std::time::Duration;

use gst::ClockTime;

/// How long a caption lasts when nothing says how often there is one.
const LONE: ClockTime = ClockTime::SECOND;

/// From `start` up to `end`, without `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: ClockTime,
    pub(super) end: ClockTime,
}

/// How long a caption is meant to last, in running time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lasts {
    /// Until the next sample, if it is known when that is.
    Until(Option<Duration>),
    /// Until the next answer, which comes no sooner than this after the one before.
    AtLeast(Duration),
}

/// A caption's time, and the gap that reaches up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) gap: Option<Span>,
    pub(super) caption: Span,
}

#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// `None` where there is no place for captions.
    segment: Option<gst::FormattedSegment<ClockTime>>,
    /// All before is told.
    position: ClockTime,
    /// When the last caption began.
    last: Option<ClockTime>,
}

impl Timeline {
    /// Begins a segment. One that plays backwards has no captions.
    pub(super) fn begin(&mut self, segment: Option<gst::FormattedSegment<ClockTime>>) {
        self.segment = segment.filter(|segment| segment.rate() > 0.0);
        self.position =
            self.segment.as_ref().and_then(|segment| segment.start()).unwrap_or_default();
        self.last = None;
    }

    /// A frame passes, about which nothing more will be said at its own time. Gives the gap that
    /// there is up to it.
    pub(super) fn pass(&mut self, pts: ClockTime) -> Option<Span> {
        let segment = self.segment.as_ref()?;
        let end = pts.saturating_add(ClockTime::NSECOND);
        let end = segment.stop().map_or(end, |stop| end.min(stop));
        let gap = Span { start: self.position, end };
        if gap.start >= gap.end {
            return None;
        }
        self.position = end;
        Some(gap)
    }

    /// Places the caption of a frame: at the frame's time, or now if that has passed. `None` if
    /// the segment has no place for it.
    pub(super) fn caption(
        &mut self,
        pts: Option<ClockTime>,
        running_time: Option<ClockTime>,
        lasts: Lasts,
    ) -> Option<Placed> {
        let segment = self.segment.as_ref()?;
        // A frame of an earlier segment has another time in this one.
        let own = pts.filter(|pts| segment.to_running_time(*pts) == running_time);
        let wanted = own.or_else(|| segment.position_from_running_time(running_time));
        let start = wanted.map_or(self.position, |wanted| wanted.max(self.position));
        if segment.stop().is_some_and(|stop| start >= stop) {
            return None;
        }
        let distance = self.last.map(|last| start.saturating_sub(last));
        let end = start.saturating_add(lasting(lasts, distance, segment.rate()));
        let end = segment.stop().map_or(end, |stop| end.min(stop));
        let gap = (start > self.position).then_some(Span { start: self.position, end: start });
        self.position = start;
        self.last = Some(start);
        Some(Placed { gap, caption: Span { start, end } })
    }
}

/// `distance` is that of the last two captions.
fn lasting(lasts: Lasts, distance: Option<ClockTime>, rate: f64) -> ClockTime {
    let in_stream = |time: Duration| {
        let time = if rate == 1.0 { time } else { time.mul_f64(rate) };
        ClockTime::try_from(time).unwrap_or(ClockTime::MAX)
    };
    let known = match lasts {
        Lasts::Until(next) => next.map(in_stream).or(distance),
        Lasts::AtLeast(least) => Some(in_stream(least)).max(distance),
    };
    known.filter(|time| !time.is_zero()).unwrap_or(LONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> ClockTime {
        ClockTime::from_mseconds(ms)
    }

    fn span(start: u64, end: u64) -> Span {
        Span { start: ms(start), end: ms(end) }
    }

    /// Just past a time.
    fn past(time: u64) -> ClockTime {
        ms(time) + ClockTime::NSECOND
    }

    fn segment(start: u64, stop: Option<u64>) -> gst::FormattedSegment<ClockTime> {
        gst::init().unwrap();
        let mut segment = gst::FormattedSegment::new();
        segment.set_start(ms(start));
        segment.set_stop(stop.map(ms));
        segment
    }

    fn timeline(start: u64, stop: Option<u64>) -> Timeline {
        let mut timeline = Timeline::default();
        timeline.begin(Some(segment(start, stop)));
        timeline
    }

    /// The caption of a frame in a segment that begins at 0.
    fn caption(timeline: &mut Timeline, pts: u64, lasts: Lasts) -> Placed {
        timeline.caption(Some(ms(pts)), Some(ms(pts)), lasts).unwrap()
    }

    const WAIT: Lasts = Lasts::Until(Some(Duration::from_secs(1)));
    const LIVE: Lasts = Lasts::AtLeast(Duration::from_secs(1));

    #[test]
    fn a_held_frames_caption_has_its_time_and_gaps_leave_no_hole() {
        let mut timeline = timeline(0, None);
        let first = caption(&mut timeline, 0, WAIT);
        assert_eq!(first, Placed { gap: None, caption: span(0, 1000) });
        assert_eq!(timeline.pass(ms(0)), Some(Span { start: ms(0), end: past(0) }));
        assert_eq!(timeline.pass(ms(500)), Some(Span { start: past(0), end: past(500) }));
        let second = caption(&mut timeline, 1000, WAIT);
        assert_eq!(second.gap, Some(Span { start: past(500), end: ms(1000) }));
        assert_eq!(second.caption, span(1000, 2000));
    }

    #[test]
    fn a_late_answer_is_shown_when_it_is_known() {
        let mut timeline = timeline(0, None);
        timeline.pass(ms(0));
        timeline.pass(ms(700));
        let placed = caption(&mut timeline, 0, LIVE);
        assert_eq!(placed.gap, None);
        assert_eq!(placed.caption, Span { start: past(700), end: past(1700) });
        assert_eq!(timeline.pass(ms(700)), None, "it has passed");
    }

    #[test]
    fn a_live_caption_stands_until_the_next_is_expected() {
        let mut timeline = timeline(0, None);
        caption(&mut timeline, 0, LIVE);
        timeline.pass(ms(3000));
        assert_eq!(caption(&mut timeline, 10, LIVE).caption.end, ms(6000) + past(0) + past(0));
        timeline.pass(ms(3100));
        let quick = caption(&mut timeline, 3050, LIVE).caption;
        assert_eq!(quick.end - quick.start, ms(1000), "no shorter than the interval");
    }

    #[test]
    fn what_lasts_for_an_unknown_time_lasts_as_long_as_the_one_before() {
        let mut timeline = timeline(0, None);
        let unknown = Lasts::Until(None);
        assert_eq!(caption(&mut timeline, 0, unknown).caption.end, LONE);
        assert_eq!(caption(&mut timeline, 200, unknown).caption, span(200, 400));
        let nothing = Lasts::AtLeast(Duration::ZERO);
        assert_eq!(caption(&mut timeline, 300, nothing).caption, span(300, 400));
    }

    #[test]
    fn nothing_is_outside_the_segment() {
        let mut timeline = timeline(1000, Some(2500));
        let first = timeline.caption(Some(ms(1000)), Some(ms(0)), WAIT).unwrap();
        assert_eq!(first, Placed { gap: None, caption: span(1000, 2000) });
        let second = timeline.caption(Some(ms(2000)), Some(ms(1000)), WAIT).unwrap();
        assert_eq!(second.caption, span(2000, 2500));
        assert_eq!(timeline.pass(ms(2500)), Some(span(2000, 2500)));
        assert_eq!(timeline.caption(Some(ms(2400)), Some(ms(1400)), WAIT), None);
    }

    #[test]
    fn a_frame_of_the_segment_before_keeps_its_running_time() {
        let mut timeline = timeline(0, None);
        timeline.pass(ms(5000));
        let mut next = segment(0, None);
        next.set_base(ms(5000));
        timeline.begin(Some(next));
        let placed = timeline.caption(Some(ms(4900)), Some(ms(4900)), LIVE).unwrap();
        assert_eq!(placed.caption, span(0, 1000));
    }

    #[test]
    fn at_twice_the_speed_a_caption_lasts_twice_as_long_in_the_stream() {
        let mut fast = segment(0, None);
        fast.set_rate(2.0);
        let mut timeline = Timeline::default();
        timeline.begin(Some(fast));
        let placed = timeline.caption(Some(ms(4000)), Some(ms(2000)), WAIT).unwrap();
        assert_eq!(placed.caption, span(4000, 6000));
    }

    #[test]
    fn backwards_and_without_times_there_are_none() {
        let mut timeline = timeline(0, None);
        let mut back = segment(0, Some(9000));
        back.set_rate(-1.0);
        timeline.begin(Some(back));
        assert_eq!(timeline.pass(ms(8000)), None);
        assert_eq!(timeline.caption(Some(ms(8000)), Some(ms(1000)), LIVE), None);
        timeline.begin(None);
        assert_eq!(timeline.pass(ms(1)), None);
    }

    #[test]
    fn the_end_of_time_does_not_overflow() {
        let mut timeline = timeline(0, None);
        assert!(timeline.pass(ClockTime::MAX).is_some());
        let placed = timeline.caption(Some(ClockTime::MAX), Some(ClockTime::MAX), LIVE).unwrap();
        assert_eq!(placed.caption.end, ClockTime::MAX);
    }
}
