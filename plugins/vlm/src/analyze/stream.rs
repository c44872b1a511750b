//! What the streaming thread does: look at each buffer, pass it on, and follow the stream's events.
//!
//! For the locking order see [`imp`](super::imp).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use gst::{prelude::*, subclass::prelude::*};
use gst_video::VideoOrientationMethod;

use super::{
    category::CAT,
    drawing::without_metas,
    imp::VlmAnalyze,
    inbox::{Frame, Inbox, Sample, SharedInbox},
    orientation::{self, Orientation},
    place::Place,
    sampler::Sampler,
    settings::{Busy, Settings},
};
use crate::{context, jpeg::RawFrame, lock::lock, meta};

/// Buffers that are held for asking are missing in their pool meanwhile: the newest sample, and
/// the one being encoded; with several frames to a question, those as well.
const HELD_BUFFERS: u32 = 2;
/// How long a caption can wait that comes whenever it is known.
const QUIET: Duration = Duration::from_millis(250);
/// And one that is asked for out of turn while the stream is held for each sample.
const QUIET_HELD: Duration = Duration::from_secs(1);
/// A later arrival than this is a clock that does not fit, not a slow network.
const PLAUSIBLE_LATENESS: Duration = Duration::from_secs(10);

/// What the streaming thread knows.
#[derive(Default)]
pub(super) struct Stream {
    /// What frames are, without what is said of their metadata.
    pub(super) caps: Option<gst::Caps>,
    segment: gst::FormattedSegment<gst::ClockTime>,
    sampler: Sampler,
    orientation: Orientation,
    /// Stands in for timestamps where buffers have none.
    began: Option<Instant>,
}

impl VlmAnalyze {
    pub(super) fn inbox(&self) -> Option<SharedInbox> {
        lock(&self.started).as_ref().map(|started| Arc::clone(&started.inbox))
    }

    pub(super) fn chain(
        &self,
        mut buffer: gst::Buffer,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        if let Some(inbox) = self.inbox() {
            self.look_at(&inbox, &buffer)?;
        }
        self.text.captions().pass(buffer.pts(), self.quiet());
        if let Some(answer) = self.shared.run().latest_answer() {
            // A copy of the buffer's head at the most; its memory is shared.
            meta::attach(buffer.make_mut(), &answer);
        }
        self.overlay.draw(self.obj().upcast_ref(), &mut buffer);
        self.srcpad.push(buffer)
    }

    fn look_at(&self, inbox: &Inbox, buffer: &gst::Buffer) -> Result<(), gst::FlowError> {
        let (ask, rule, clip, busy, on_demand) =
            self.shared.with_settings(|s| (s.ask, s.rule(), s.clip(), s.busy, s.on_demand));
        let arrived = Instant::now();
        let (time, caps, running_time, orientation) = {
            let mut stream = lock(&self.stream);
            let running_time = buffer.pts().and_then(|pts| stream.segment.to_running_time(pts));
            let began = *stream.began.get_or_insert(arrived);
            let time = running_time.map_or_else(|| arrived - began, Into::into);
            (time, stream.caps.clone(), running_time, stream.orientation.current())
        };
        let (is_wanted, is_ready) = inbox.see(time, clip);
        let is_sample = ask && is_ready && lock(&self.stream).sampler.is_sample(time, rule);
        // Of few frames more is wanted than their time.
        let sample = |caps| {
            let until_next = lock(&self.stream).sampler.until_next(time);
            let frames = || Duration::from(buffer.duration()?).checked_mul(rule.frames());
            let place = Place {
                stream: self.text.captions().stream(),
                until_next: until_next.or_else(frames),
            };
            // A stream that is held comes later and later, which says nothing of its capture.
            let lateness = match busy {
                Busy::Latest => self.lateness(running_time),
                Busy::Wait => Duration::ZERO,
            };
            Sample {
                frame: Frame::Raw(RawFrame { buffer: buffer.clone(), caps, orientation }),
                time,
                pts: buffer.pts(),
                running_time,
                captured: arrived.checked_sub(lateness).unwrap_or(arrived),
                arrived,
                place,
            }
        };
        self.shared.run().count(|counters| {
            counters.frames += 1;
            counters.samples += u64::from(is_sample);
        });
        if inbox.has_failed() {
            return Err(gst::FlowError::Error);
        }
        let Some(caps) = caps else { return Ok(()) };
        let is_offered = is_sample || on_demand || inbox.is_due();
        if !is_offered && !is_wanted {
            return Ok(());
        }
        let sample = sample(caps);
        let for_later = is_wanted.then(|| sample.clone());
        if on_demand {
            inbox.keep(sample);
        } else if is_offered {
            self.offer(inbox, is_sample, sample, busy)?;
        }
        // After it: what is kept for later makes room for itself, and the newest must not be older.
        if let Some(sample) = for_later {
            inbox.add_earlier(sample, clip);
        }
        Ok(())
    }

    /// Leaves a frame for asking, and waits until it is answered if the stream is to be held.
    fn offer(
        &self,
        inbox: &Inbox,
        is_sample: bool,
        sample: Sample,
        busy: Busy,
    ) -> Result<(), gst::FlowError> {
        if !inbox.offer(is_sample, sample) || busy != Busy::Wait {
            return Ok(());
        }
        gst::trace!(CAT, imp = self, "Holding the stream until the sample is answered");
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
    fn quiet(&self) -> Duration {
        let is_held = self.shared.with_settings(|s| s.busy == Busy::Wait && !s.on_demand);
        if is_held { lock(&self.stream).sampler.quiet().min(QUIET_HELD) } else { QUIET }
    }

    /// How long ago a live source captured what has just arrived.
    fn lateness(&self, running_time: Option<gst::ClockTime>) -> Duration {
        let now = self.obj().current_running_time();
        // A buffer that is ahead of the clock waits for it further on.
        now.zip(running_time)
            .and_then(|(now, then)| now.checked_sub(then))
            .map(Duration::from)
            .filter(|lateness| *lateness <= PLAUSIBLE_LATENESS)
            .unwrap_or_default()
    }

    pub(super) fn sink_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        use gst::EventView;
        gst::log!(CAT, obj = pad, "Handling event {event:?}");
        match event.view() {
            EventView::Caps(caps) => {
                let caps = caps.caps_owned();
                lock(&self.stream).caps = Some(without_metas(&caps));
                return self.overlay.caps_event(self.obj().upcast_ref(), event, &caps);
            }
            EventView::Segment(segment) => {
                if let Ok(segment) = segment.segment().clone().downcast() {
                    lock(&self.stream).segment = segment;
                }
            }
            EventView::Tag(tag) => self.tag_event(pad, tag.tag()),
            EventView::StreamStart(_) | EventView::FlushStop(_) => {
                if let EventView::StreamStart(start) = event.view() {
                    lock(&self.stream).orientation.begin(start.stream_id());
                }
                // What comes now is new to the user, whatever its timestamps.
                lock(&self.stream).sampler = Sampler::default();
                if let Some(inbox) = self.inbox() {
                    inbox.release(false);
                }
                self.shared.schedule_changed();
            }
            EventView::FlushStart(_) => {
                if let Some(inbox) = self.inbox() {
                    inbox.release(true);
                }
            }
            EventView::Eos(_) => {
                if let Some(inbox) = self.inbox() {
                    gst::debug!(CAT, imp = self, "Finishing the question in flight before EOS");
                    inbox.drain();
                }
            }
            _ => {}
        }
        self.text.follow(self.obj().upcast_ref(), &event);
        gst::Pad::event_default(pad, Some(&*self.obj()), event)
    }

    /// Tags of a file from a phone say how its picture is to be turned.
    fn tag_event(&self, pad: &gst::Pad, tags: &gst::TagListRef) {
        let Some(said) = VideoOrientationMethod::from_tag(tags) else { return };
        let is_done = orientation::is_applied_before(pad);
        let method = if is_done { VideoOrientationMethod::Identity } else { said };
        lock(&self.stream).orientation.tagged(tags.scope(), method);
        gst::debug!(CAT, imp = self, "By the tags of {:?}: {method:?}", tags.scope());
    }

    pub(super) fn sink_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        if self.answer_context(query) || self.overlay.answer_sink_caps(query) {
            return true;
        }
        let answered = gst::Pad::query_default(pad, Some(&*self.obj()), query);
        if let gst::QueryViewMut::Allocation(allocation) = query.view_mut()
            && answered
        {
            let held = match self.shared.with_settings(|settings| settings.frames) {
                0 | 1 => HELD_BUFFERS,
                frames => HELD_BUFFERS.saturating_add(frames),
            };
            hold_more_buffers(allocation, held);
        }
        answered
    }

    pub(super) fn src_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        self.answer_context(query)
            || self.overlay.answer_src_caps(query)
            || gst::Pad::query_default(pad, Some(&*self.obj()), query)
    }

    /// Shares the dispatcher with a neighbour that looks for one.
    fn answer_context(&self, query: &mut gst::QueryRef) -> bool {
        let gst::QueryViewMut::Context(query) = query.view_mut() else { return false };
        if query.context_type() != context::CONTEXT_TYPE {
            return false;
        }
        let Some(dispatcher) = lock(&self.dispatcher).clone() else { return false };
        query.set_context(&context::context(&dispatcher));
        true
    }
}

fn hold_more_buffers(allocation: &mut gst::query::Allocation, held: u32) {
    let pools: Vec<_> = allocation.allocation_pools().map(|pool| pool.to_owned()).collect();
    for (at, (pool, size, min, max)) in (0..).zip(pools) {
        let max = if max == 0 { 0 } else { max.saturating_add(held) };
        let min = min.saturating_add(held);
        allocation.set_nth_allocation_pool(at, pool.as_ref(), size, min, max);
    }
}
