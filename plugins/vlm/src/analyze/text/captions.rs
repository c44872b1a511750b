//! What waits for the text pad's task: captions, gaps and events, in order and bounded.
//!
//! One for the life of an element. Its mutex is a leaf: while it is held nothing is waited for but
//! its own condition variable, nothing else is locked, and nothing is pushed.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, ThreadId},
    time::Duration,
};

use super::{
    super::stream_position::Epoch,
    timeline::{Lasts, Span, Timeline},
};
use crate::{lock::lock, messages::Answer};

/// A text pad that is further behind loses its oldest captions.
const LIMIT: usize = 64;

/// Something to push.
#[derive(Debug, Clone)]
pub(super) enum Item {
    /// The stream-start of the video, of which the text has its own.
    Start(gst::Event),
    /// Goes as it is.
    Event(gst::Event),
    Gap(Span),
    Caption(Span, Arc<Answer>),
}

/// Which pad it is, of those that there are one after another. One that was released may still be
/// kept downstream while the next is active.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PadId(u64);

#[derive(Debug, Default)]
pub(crate) struct Captions {
    state: Mutex<CaptionsState>,
    /// There is an item, the task is back for the next one, or something has ended.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct CaptionsState {
    /// Whether there is a pad with a task.
    active: bool,
    pad: PadId,
    /// How many pads there have been.
    pads: u64,
    flushing: bool,
    epoch: Epoch,
    /// What a pad that comes later starts with.
    start: Option<gst::Event>,
    segment: Option<gst::Event>,
    end: Option<gst::Event>,
    timeline: Timeline,
    items: VecDeque<Item>,
    /// The thread that pushes an item right now.
    pushing: Option<ThreadId>,
    dropped: u64,
}

impl CaptionsState {
    /// Leaves an item for the task, if there is one.
    fn add(&mut self, item: Item) {
        // What begins a pad's stream waits for the flush to end.
        let is_start = matches!(item, Item::Start(_));
        if !self.active || self.flushing && !is_start || self.start.is_none() {
            return;
        }
        if let (Some(Item::Gap(last)), Item::Gap(next)) = (self.items.back_mut(), &item) {
            // Where the later one begins, all is told.
            *last = *next;
            return;
        }
        self.items.push_back(item);
        while self.items.len() > LIMIT && self.shed() {}
    }

    /// Makes room; false if there is nothing that may go.
    fn shed(&mut self) -> bool {
        let oldest = |found: fn(&Item) -> bool| self.items.iter().position(found);
        if let Some(at) = oldest(|item| matches!(item, Item::Caption(..))) {
            self.dropped += 1;
            self.items.remove(at);
            let is_gap = |at| matches!(self.items.get(at), Some(Item::Gap(_)));
            // As they would be if it had never come.
            if let Some(before) = at.checked_sub(1).filter(|before| is_gap(*before) && is_gap(at)) {
                self.items.remove(before);
            }
            return true;
        }
        let stale = oldest(|item| matches!(item, Item::Gap(_))).or_else(|| {
            // Of each kind of event the newest one counts.
            self.items.iter().enumerate().position(|(at, item)| {
                self.items.iter().skip(at + 1).any(|later| is_same_kind(item, later))
            })
        });
        stale.is_some_and(|at| self.items.remove(at).is_some())
    }

    /// Leaves what a pad needs to know before anything else.
    fn add_start(&mut self) {
        let start = self.start.clone().map(Item::Start);
        let rest = [self.segment.clone(), self.end.clone()];
        let rest = rest.into_iter().flatten().map(Item::Event);
        for item in start.into_iter().chain(rest) {
            self.add(item);
        }
    }
}

fn is_same_kind(one: &Item, other: &Item) -> bool {
    match (one, other) {
        (Item::Start(_), Item::Start(_)) => true,
        (Item::Event(one), Item::Event(other)) => one.type_() == other.type_(),
        _ => false,
    }
}

impl Captions {
    fn lock(&self) -> MutexGuard<'_, CaptionsState> {
        lock(&self.state)
    }

    fn change(&self, change: impl FnOnce(&mut CaptionsState)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Forgets everything but the pad, as a new start of the element wants it.
    pub(crate) fn reset(&self, epoch: Epoch) {
        self.change(|state| {
            let CaptionsState { active, pad, pads, pushing, .. } = *state;
            *state =
                CaptionsState { active, pad, pads, pushing, epoch, ..CaptionsState::default() };
        });
    }

    /// Nothing is kept of the stream of an element that has stopped. The task that asks may have its
    /// share of this for a moment longer, and the process may be at its end.
    pub(crate) fn end(&self) {
        self.change(|state| {
            let CaptionsState { active, pad, pads, pushing, epoch, dropped, .. } = *state;
            let rest = CaptionsState::default();
            *state = CaptionsState { active, pad, pads, pushing, epoch, dropped, ..rest };
        });
    }

    /// There is another pad.
    pub(super) fn add_pad(&self) -> PadId {
        let mut state = self.lock();
        state.pads += 1;
        PadId(state.pads)
    }

    /// The pad has a task from now on.
    pub(super) fn activate(&self, pad: PadId) {
        self.change(|state| {
            state.pad = pad;
            state.active = true;
            state.pushing = None;
            state.items.clear();
            state.timeline.tell_anew();
            state.add_start();
        });
    }

    /// The pad's task is to end. Returns whether it is on its way downstream, where it may stay
    /// as long as it is kept there.
    pub(super) fn deactivate(&self, pad: PadId) -> bool {
        let mut state = self.lock();
        if state.pad != pad {
            return false;
        }
        state.active = false;
        state.items.clear();
        let is_pushing = state.pushing.is_some();
        drop(state);
        self.changed.notify_all();
        is_pushing
    }

    pub(super) fn begin_flush(&self) {
        self.change(|state| {
            state.flushing = true;
            // Its place is before everything that comes after the flush.
            state.items.retain(|item| matches!(item, Item::Start(_)));
            (state.segment, state.end) = (None, None);
            state.timeline.begin(None);
        });
    }

    /// Waits until what was before the flush is nowhere on its way any more.
    pub(super) fn wait_idle(&self) {
        let own = thread::current().id();
        let state = self.lock();
        drop(self.changed.wait_while(state, |state| {
            state.active && state.pushing.is_some_and(|thread| thread != own)
        }));
    }

    pub(super) fn end_flush(&self, epoch: Epoch) {
        self.change(|state| {
            state.flushing = false;
            state.epoch = epoch;
        });
    }

    /// A stream begins, with this event.
    pub(super) fn start(&self, event: &gst::Event, epoch: Epoch) {
        self.change(|state| {
            state.epoch = epoch;
            state.start = Some(event.clone());
            (state.segment, state.end) = (None, None);
            state.timeline.begin(None);
            state.add(Item::Start(event.clone()));
        });
    }

    /// A segment begins, with this event; it has a place for captions if it counts in time.
    pub(super) fn segment(&self, event: &gst::Event, segment: &gst::Segment) {
        let segment = segment.downcast_ref::<gst::ClockTime>().cloned();
        self.change(|state| {
            state.segment = segment.is_some().then(|| event.clone());
            state.timeline.begin(segment);
            if let Some(event) = state.segment.clone() {
                state.add(Item::Event(event));
            }
        });
    }

    /// Follows all that came before.
    pub(super) fn event(&self, event: &gst::Event) {
        self.change(|state| {
            if event.type_() == gst::EventType::Eos {
                state.end = Some(event.clone());
            }
            state.add(Item::Event(event.clone()));
        });
    }

    /// The pad is linked: what went nowhere is told again.
    pub(super) fn linked(&self) {
        self.change(|state| {
            state.timeline.tell_anew();
            // No buffer will follow it.
            if let Some(end) = state.end.clone()
                && state.items.is_empty()
            {
                state.add(Item::Event(end));
            }
        });
    }

    /// The video has come to `pts`, all that was to be said at that time was said, and no caption
    /// is to begin before `quiet` has passed in running time.
    pub(crate) fn pass(&self, pts: Option<gst::ClockTime>, quiet: Duration) {
        let Some(pts) = pts else { return };
        let mut state = self.lock();
        if let Some(gap) = state.timeline.pass(pts, quiet) {
            state.add(Item::Gap(gap));
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Leaves an answer about a frame of `epoch`. One of another epoch comes too late.
    pub(crate) fn caption(&self, answer: &Answer, epoch: Epoch, lasts: Lasts) {
        self.change(|state| {
            if state.epoch != epoch || !state.active || state.flushing {
                return;
            }
            let placed = state.timeline.caption(answer.pts, answer.running_time, lasts);
            if let Some(span) = placed {
                state.add(Item::Caption(span, Arc::new(answer.clone())));
            }
        });
    }

    /// Waits for the next item to push; `None` when the task is to end. Asking for it says that
    /// the one before is pushed.
    pub(super) fn next(&self, pad: PadId) -> Option<Item> {
        let mut state = self.lock();
        if state.pad == pad {
            state.pushing = None;
            self.changed.notify_all();
        }
        loop {
            if !state.active || state.pad != pad {
                return None;
            }
            if !state.flushing
                && let Some(item) = state.items.pop_front()
            {
                state.pushing = Some(thread::current().id());
                return Some(item);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How many captions a text pad lost that was too far behind.
    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }
}

#[cfg(test)]
#[path = "captions_tests.rs"]
mod tests;
