//! When captions are shown, and what is said of the time between them: pure.
//!
//! Times are timestamps of the video's segment. Whoever muxes text with video lets a frame pass
//! once it has text of a later time, or knows that there is none before. So the timeline runs
//! ahead of the frames, with a gap that is short and late: a muxer that is a `GstAggregator` takes
//! a gap for a buffer at the time where it begins, and `matroskamux` 1.26 even writes an empty
//! block. Players choke on one for every frame, so there are as few as can be.

use std::time::Duration;

use gst::ClockTime;

/// How long a caption lasts when nothing says how often there is one.
const LONE: ClockTime = ClockTime::SECOND;
/// How long a gap is: the shortest time that Matroska can tell from none.
const GAP: ClockTime = ClockTime::MSECOND;

/// From `start` up to `end`, without `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: ClockTime,
    pub(super) end: ClockTime,
}

/// How long a caption is meant to last, in running time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasts {
    /// Until the next sample, if it is known when that is.
    Until(Option<Duration>),
    /// Until the next answer, which comes no sooner than this after the one before.
    AtLeast(Duration),
}

#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// `None` where there is no place for captions.
    segment: Option<gst::FormattedSegment<ClockTime>>,
    /// No caption begins before.
    position: ClockTime,
    /// When that begins which was said last: frames up to there pass muxers.
    reach: Option<ClockTime>,
    /// When the last caption began.
    last: Option<ClockTime>,
}

impl Timeline {
    /// Begins a segment. One that plays backwards has no captions.
    pub(super) fn begin(&mut self, segment: Option<gst::FormattedSegment<ClockTime>>) {
        self.segment = segment.filter(|segment| segment.rate() > 0.0);
        self.position =
            self.segment.as_ref().and_then(|segment| segment.start()).unwrap_or_default();
        self.reach = None;
        self.last = None;
    }

    /// Whoever listens now has heard nothing.
    pub(super) fn tell_anew(&mut self) {
        self.reach = None;
    }

    /// A frame passes, and in running time no caption is to begin before `quiet` has passed after
    /// it, or only a late one that can wait so long. Gives the gap that says so, unless enough is
    /// told.
    pub(super) fn pass(&mut self, pts: ClockTime, quiet: Duration) -> Option<Span> {
        let segment = self.segment.as_ref()?;
        if self.reach.is_some_and(|reach| pts < reach) {
            return None;
        }
        let end = pts.saturating_add(in_stream(quiet, segment.rate()).max(GAP));
        let end = segment.stop().map_or(end, |stop| end.min(stop));
        let mut start = end.saturating_sub(GAP);
        if self.reach.is_some() {
            start = start.max(self.position);
        }
        if start >= end {
            return None;
        }
        self.position = self.position.max(end);
        self.reach = Some(start);
        Some(Span { start, end })
    }

    /// When a frame's caption is shown: from the frame's time on, or from when the next may begin
    /// if that is later. `None` if the segment has no place for it.
    pub(super) fn caption(
        &mut self,
        pts: Option<ClockTime>,
        running_time: Option<ClockTime>,
        lasts: Lasts,
    ) -> Option<Span> {
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
        self.position = start;
        self.reach = Some(start);
        self.last = Some(start);
        Some(Span { start, end })
    }
}

/// Running time as the segment's own.
fn in_stream(time: Duration, rate: f64) -> ClockTime {
    let time = match rate {
        1.0 => Some(time),
        _ => Duration::try_from_secs_f64(time.as_secs_f64() * rate).ok(),
    };
    time.and_then(|time| ClockTime::try_from(time).ok()).unwrap_or(ClockTime::MAX)
}

/// `distance` is that of the last two captions.
fn lasting(lasts: Lasts, distance: Option<ClockTime>, rate: f64) -> ClockTime {
    let in_stream = |time| in_stream(time, rate);
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
    fn caption(timeline: &mut Timeline, pts: u64, lasts: Lasts) -> Span {
        timeline.caption(Some(ms(pts)), Some(ms(pts)), lasts).unwrap()
    }

    fn pass(timeline: &mut Timeline, pts: u64, quiet: u64) -> Option<Span> {
        timeline.pass(ms(pts), Duration::from_millis(quiet))
    }

    const WAIT: Lasts = Lasts::Until(Some(Duration::from_secs(1)));
    const LIVE: Lasts = Lasts::AtLeast(Duration::from_secs(1));

    #[test]
    fn a_held_frames_caption_has_its_time_and_one_gap_reaches_up_to_the_next() {
        let mut timeline = timeline(0, None);
        assert_eq!(caption(&mut timeline, 0, WAIT), span(0, 1000));
        assert_eq!(pass(&mut timeline, 0, 1000), Some(span(999, 1000)));
        for frame in 1..10 {
            assert_eq!(pass(&mut timeline, frame * 100, 1000 - frame * 100), None, "it is told");
        }
        assert_eq!(caption(&mut timeline, 1000, WAIT), span(1000, 2000));
        assert_eq!(pass(&mut timeline, 1000, 1000), Some(span(1999, 2000)));
    }

    /// Or a muxer would wait for text with the frame, and hold up the next.
    #[test]
    fn what_was_said_last_always_begins_at_a_frame_or_later() {
        for quiet in [0, 1, 7, 40, 100, 250] {
            let mut timeline = timeline(0, None);
            let mut reach = ms(0);
            for frame in 0..200 {
                if let Some(gap) = pass(&mut timeline, frame * 40, quiet) {
                    assert!(gap.start >= reach && gap.end > gap.start, "{gap:?}");
                    reach = gap.start;
                }
                assert!(reach >= ms(frame * 40), "frame {frame} with {quiet} ms");
            }
        }
    }

    #[test]
    fn a_new_listener_is_told_with_the_next_frame() {
        let mut timeline = timeline(0, None);
        pass(&mut timeline, 0, 1000);
        timeline.tell_anew();
        assert_eq!(pass(&mut timeline, 40, 960), Some(span(999, 1000)));
    }

    #[test]
    fn a_late_answer_is_shown_when_the_next_caption_may_begin() {
        let mut timeline = timeline(0, None);
        pass(&mut timeline, 0, 250);
        pass(&mut timeline, 700, 250);
        assert_eq!(caption(&mut timeline, 0, LIVE), span(950, 1950));
        assert_eq!(pass(&mut timeline, 940, 250), None, "the caption reaches further");
        assert_eq!(pass(&mut timeline, 950, 250), Some(span(1199, 1200)));
    }

    #[test]
    fn a_live_caption_stands_until_the_next_is_expected() {
        let mut timeline = timeline(0, None);
        caption(&mut timeline, 0, LIVE);
        pass(&mut timeline, 3000, 100);
        assert_eq!(caption(&mut timeline, 10, LIVE), span(3100, 6200));
        pass(&mut timeline, 3200, 100);
        assert_eq!(caption(&mut timeline, 3150, LIVE), span(3300, 4300), "the interval at least");
    }

    #[test]
    fn what_lasts_for_an_unknown_time_lasts_as_long_as_the_one_before() {
        let mut timeline = timeline(0, None);
        let unknown = Lasts::Until(None);
        assert_eq!(caption(&mut timeline, 0, unknown).end, LONE);
        assert_eq!(caption(&mut timeline, 200, unknown), span(200, 400));
        let nothing = Lasts::AtLeast(Duration::ZERO);
        assert_eq!(caption(&mut timeline, 300, nothing), span(300, 400));
    }

    #[test]
    fn nothing_is_outside_the_segment() {
        let mut timeline = timeline(1000, Some(2500));
        let first = timeline.caption(Some(ms(1000)), Some(ms(0)), WAIT);
        assert_eq!(first, Some(span(1000, 2000)));
        let second = timeline.caption(Some(ms(2000)), Some(ms(1000)), WAIT);
        assert_eq!(second, Some(span(2000, 2500)));
        assert_eq!(pass(&mut timeline, 2400, 1000), Some(span(2499, 2500)));
        assert_eq!(pass(&mut timeline, 2500, 0), None);
        assert_eq!(timeline.caption(Some(ms(2400)), Some(ms(1400)), WAIT), None);
    }

    #[test]
    fn a_frame_of_the_segment_before_keeps_its_running_time() {
        let mut timeline = timeline(0, None);
        pass(&mut timeline, 5000, 0);
        let mut next = segment(0, None);
        next.set_base(ms(5000));
        timeline.begin(Some(next));
        let placed = timeline.caption(Some(ms(4900)), Some(ms(4900)), LIVE);
        assert_eq!(placed, Some(span(0, 1000)));
        timeline.begin(Some(segment(0, None)));
        assert_eq!(pass(&mut timeline, 0, 100), Some(span(99, 100)), "it begins anew");
    }

    #[test]
    fn at_twice_the_speed_a_caption_lasts_twice_as_long_in_the_stream() {
        let mut fast = segment(0, None);
        fast.set_rate(2.0);
        let mut timeline = Timeline::default();
        timeline.begin(Some(fast));
        let placed = timeline.caption(Some(ms(4000)), Some(ms(2000)), WAIT);
        assert_eq!(placed, Some(span(4000, 6000)));
        assert_eq!(pass(&mut timeline, 4000, 1000), Some(span(5999, 6000)));
    }

    #[test]
    fn backwards_and_without_times_there_are_none() {
        let mut timeline = timeline(0, None);
        let mut back = segment(0, Some(9000));
        back.set_rate(-1.0);
        timeline.begin(Some(back));
        assert_eq!(pass(&mut timeline, 8000, 100), None);
        assert_eq!(timeline.caption(Some(ms(8000)), Some(ms(1000)), LIVE), None);
        timeline.begin(None);
        assert_eq!(pass(&mut timeline, 1, 100), None);
    }

    #[test]
    fn the_end_of_time_does_not_overflow() {
        let mut endless = segment(0, None);
        endless.set_rate(f64::MAX);
        let mut timeline = Timeline::default();
        timeline.begin(Some(endless));
        assert!(timeline.pass(ms(1), Duration::MAX).is_some());
        let placed = timeline.caption(Some(ClockTime::MAX), Some(ClockTime::MAX), LIVE).unwrap();
        assert_eq!(placed.end, ClockTime::MAX);
        assert_eq!(timeline.pass(ClockTime::MAX, Duration::MAX), None);
    }
}
