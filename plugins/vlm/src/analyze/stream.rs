//! What the streaming thread looks at in each buffer, and how it follows the stream's events.
//!
//! For the locking order see [`imp`](super::imp).

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use gst::prelude::*;
use gst_video::VideoOrientationMethod;
use gst_vlm_jpeg::RawFrame;

use super::{
    category::CAT,
    inbox::{Inbox, Seen},
    orientation::{self, Orientation},
    sample::{Frame, Sample},
    sampler::{Rule, Sampler},
    settings::{Busy, Settings},
    shared::Shared,
    stream_position::{Epoch, StreamPosition},
    window::ClipRule,
};
use crate::lock::lock;

/// How long a caption can wait that comes whenever it is known.
const QUIET: Duration = Duration::from_millis(250);
/// And one that is asked for out of turn while the stream is held for each sample.
const QUIET_HELD: Duration = Duration::from_secs(1);
/// A later arrival than this is a clock that does not fit, not a slow network.
const PLAUSIBLE_LATENESS: Duration = Duration::from_secs(10);

/// The video of one element.
pub(super) struct Stream {
    shared: Arc<Shared>,
    state: Mutex<StreamState>,
}

/// What the streaming thread knows.
#[derive(Default)]
struct StreamState {
    epoch: Epoch,
    /// What frames are, without what is said of their metadata.
    caps: Option<gst::Caps>,
    segment: gst::FormattedSegment<gst::ClockTime>,
    sampler: Sampler,
    orientation: Orientation,
    /// Stands in for timestamps where buffers have none.
    began: Option<Instant>,
}

/// What is wanted of frames, by the settings.
#[derive(Clone, Copy)]
struct Wanted {
    ask: bool,
    rule: Rule,
    clip: ClipRule,
    busy: Busy,
    on_demand: bool,
}

impl Wanted {
    fn of(settings: &Settings) -> Self {
        Self {
            ask: settings.ask,
            rule: settings.rule(),
            clip: settings.clip(),
            busy: settings.busy,
            on_demand: settings.on_demand,
        }
    }
}

/// What there is to know of a frame before anybody keeps it.
struct Arrival {
    epoch: Epoch,
    arrived: Instant,
    /// When it is in its stream: its running time, or a stand-in for it.
    time: Duration,
    running_time: Option<gst::ClockTime>,
    caps: Option<gst::Caps>,
    orientation: VideoOrientationMethod,
    is_sample: bool,
    until_next: Option<Duration>,
}

impl Stream {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), state: Mutex::default() }
    }

    /// What was known of an earlier start says nothing of the next. Gives the epoch that begins.
    pub(super) fn reset(&self) -> Epoch {
        let mut state = lock(&self.state);
        let epoch = state.epoch.next();
        let before =
            std::mem::replace(&mut *state, StreamState { epoch, ..StreamState::default() });
        drop(state);
        drop(before);
        epoch
    }

    /// Looks at a buffer, and leaves it in the inbox if it is of use. With `busy=wait` this waits
    /// for the answer.
    ///
    /// # Errors
    /// When the element has failed, or a flush has begun.
    pub(super) fn look_at(
        &self,
        element: &gst::Element,
        inbox: &Inbox,
        buffer: &gst::Buffer,
    ) -> Result<(), gst::FlowError> {
        let wanted = self.shared.with_settings(Wanted::of);
        let (arrival, seen) = {
            let mut state = lock(&self.state);
            state.arrival(inbox, buffer, wanted)
        };
        drop(seen.gone);
        self.shared.run().count(|counters| {
            counters.frames += 1;
            counters.samples += u64::from(arrival.is_sample);
        });
        if seen.has_failed {
            return Err(gst::FlowError::Error);
        }
        let is_offered = arrival.is_sample || wanted.on_demand || seen.is_due;
        // Of few frames more is wanted than their time.
        if !is_offered && !seen.is_wanted {
            return Ok(());
        }
        let is_sample = arrival.is_sample;
        let Some(sample) = self.sample(element, buffer, arrival, wanted) else { return Ok(()) };
        let for_later = seen.is_wanted.then(|| sample.clone());
        if wanted.on_demand {
            inbox.keep(sample);
        } else if is_offered {
            self.offer(element, inbox, is_sample, sample, wanted.busy)?;
        }
        // After it: what is kept for later makes room for itself, and the newest must not be older.
        if let Some(sample) = for_later {
            inbox.add_earlier(sample, wanted.clip);
        }
        Ok(())
    }

    /// `None` before the first caps.
    fn sample(
        &self,
        element: &gst::Element,
        buffer: &gst::Buffer,
        arrival: Arrival,
        wanted: Wanted,
    ) -> Option<Sample> {
        let Arrival { epoch, arrived, time, running_time, caps, orientation, until_next, .. } =
            arrival;
        let frames = || Duration::from(buffer.duration()?).checked_mul(wanted.rule.frames());
        let until_next = until_next.or_else(frames);
        // A stream that is held comes later and later, which says nothing of its capture.
        let lateness = match wanted.busy {
            Busy::Latest => lateness(element, running_time),
            Busy::Wait => Duration::ZERO,
        };
        Some(Sample {
            frame: Frame::Raw(RawFrame { buffer: buffer.clone(), caps: caps?, orientation }),
            time,
            pts: buffer.pts(),
            running_time,
            captured: arrived.checked_sub(lateness).unwrap_or(arrived),
            arrived,
            position: StreamPosition { epoch, until_next },
        })
    }

    /// Leaves a frame for asking, and waits until it is answered if the stream is to be held.
    fn offer(
        &self,
        element: &gst::Element,
        inbox: &Inbox,
        is_sample: bool,
        sample: Sample,
        busy: Busy,
    ) -> Result<(), gst::FlowError> {
        if !inbox.offer(is_sample, sample) || busy != Busy::Wait {
            return Ok(());
        }
        gst::trace!(CAT, obj = element, "Holding the stream until the sample is answered");
        let holds = || {
            let holds = |s: &Settings| s.ask && s.busy == Busy::Wait && !s.on_demand;
            self.shared.with_settings(holds)
        };
        let go_on = inbox.wait_settled(holds);
        match go_on {
            _ if inbox.has_failed() => Err(gst::FlowError::Error),
            true => Ok(()),
            false => Err(gst::FlowError::Flushing),
        }
    }

    /// How long no caption begins, or can wait, after the frame that was looked at last.
    pub(super) fn quiet(&self) -> Duration {
        let is_held = self.shared.with_settings(|s| s.busy == Busy::Wait && !s.on_demand);
        if is_held { lock(&self.state).sampler.quiet().min(QUIET_HELD) } else { QUIET }
    }

    /// What frames are from now on, without what is said of their metadata.
    pub(super) fn set_caps(&self, caps: gst::Caps) {
        let before = lock(&self.state).caps.replace(caps);
        drop(before);
    }

    /// Follows an event of the video; gives the epoch that is then. At the stream's end this waits
    /// for the question in flight.
    pub(super) fn follow(
        &self,
        element: &gst::Element,
        inbox: Option<&Inbox>,
        pad: &gst::Pad,
        event: &gst::EventRef,
    ) -> Epoch {
        use gst::EventView;
        match event.view() {
            EventView::Segment(segment) => {
                if let Ok(segment) = segment.segment().clone().downcast() {
                    lock(&self.state).segment = segment;
                }
            }
            EventView::Tag(tag) => self.tag_event(element, pad, tag.tag()),
            EventView::StreamStart(start) => {
                lock(&self.state).orientation.begin(start.stream_id());
                self.begin(inbox);
            }
            EventView::FlushStart(_) => {
                let epoch = self.begin_epoch();
                if let Some(inbox) = inbox {
                    inbox.flush_start(epoch);
                }
            }
            EventView::FlushStop(_) => self.begin(inbox),
            EventView::Eos(_) => {
                if let Some(inbox) = inbox {
                    gst::debug!(CAT, obj = element, "Finishing the question in flight before EOS");
                    inbox.drain();
                }
            }
            _ => {}
        }
        lock(&self.state).epoch
    }

    fn begin_epoch(&self) -> Epoch {
        let mut state = lock(&self.state);
        state.epoch = state.epoch.next();
        state.epoch
    }

    /// What comes now is new to the user, whatever its timestamps.
    fn begin(&self, inbox: Option<&Inbox>) {
        let epoch = self.begin_epoch();
        lock(&self.state).sampler = Sampler::default();
        if let Some(inbox) = inbox {
            inbox.flow(epoch);
        }
        self.shared.signals.schedule_changed();
    }

    /// Tags of a file from a phone say how its picture is to be turned.
    fn tag_event(&self, element: &gst::Element, pad: &gst::Pad, tags: &gst::TagListRef) {
        let Some(said) = VideoOrientationMethod::from_tag(tags) else { return };
        let is_done = orientation::is_applied_before(pad);
        let method = if is_done { VideoOrientationMethod::Identity } else { said };
        lock(&self.state).orientation.tagged(tags.scope(), method);
        gst::debug!(CAT, obj = element, "By the tags of {:?}: {method:?}", tags.scope());
    }
}

impl StreamState {
    fn arrival(&mut self, inbox: &Inbox, buffer: &gst::Buffer, wanted: Wanted) -> (Arrival, Seen) {
        let arrived = Instant::now();
        let running_time = buffer.pts().and_then(|pts| self.segment.to_running_time(pts));
        let began = *self.began.get_or_insert(arrived);
        let time = running_time.map_or_else(|| arrived - began, Into::into);
        let seen = inbox.see(time, wanted.clip);
        let is_sample = wanted.ask && seen.is_ready && self.sampler.is_sample(time, wanted.rule);
        let arrival = Arrival {
            epoch: self.epoch,
            arrived,
            time,
            running_time,
            caps: self.caps.clone(),
            orientation: self.orientation.current(),
            is_sample,
            until_next: self.sampler.until_next(time),
        };
        (arrival, seen)
    }
}

/// How long ago a live source captured what has just arrived.
fn lateness(element: &gst::Element, running_time: Option<gst::ClockTime>) -> Duration {
    let now = element.current_running_time();
    // A buffer that is ahead of the clock waits for it further on.
    now.zip(running_time)
        .and_then(|(now, then)| now.checked_sub(then))
        .map(Duration::from)
        .filter(|lateness| *lateness <= PLAUSIBLE_LATENESS)
        .unwrap_or_default()
}
