//! Where the streaming thread leaves samples and the asking task finds them.
//!
//! Made anew for each start of the element, so that a task of an earlier start cannot disturb.
//! While its mutex is held nothing is waited for but its own condition variable, no frame is
//! dropped, and nothing else is locked but the settings, to see whether to go on waiting.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{
    sample::{Clip, Sample},
    stream_position::Epoch,
    window::{ClipRule, Window},
};
use crate::lock::lock;

/// What a frame means to what is kept.
#[must_use]
pub(crate) struct Seen {
    /// Whether a later question may show it before its newest one, so that it is to be
    /// [added](Inbox::add_earlier).
    pub(crate) is_wanted: bool,
    /// Whether there was time enough for as many frames as a question shows.
    pub(crate) is_ready: bool,
    /// Whether frames that are no samples are kept, too.
    pub(crate) is_due: bool,
    /// Whether the element has posted an error.
    pub(crate) has_failed: bool,
    /// What is held no longer. It is to be dropped while nothing is locked.
    pub(crate) gone: Vec<Sample>,
}

/// How much is held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: Mutex<InboxState>,
    /// For the asking task: a sample has come, or the stream's end. One task waits, at one place
    /// at a time; a second would take the first one's wake-ups.
    arrived: Notify,
    /// For the streaming thread: a question has ended, or waiting has.
    settled: Condvar,
}

#[derive(Debug, Default)]
struct InboxState {
    newest: Option<Newest>,
    epoch: Epoch,
    /// Frames that a question with several shows before the newest.
    window: Window<Sample>,
    /// Whether a sample was taken since the stream began.
    was_taken: bool,
    /// When the last frame was left here, also if it was taken since.
    last_arrival: Option<Instant>,
    /// A sample is wanted and not yet asked about: frames replace `newest`.
    is_due: bool,
    video: Video,
    question: Question,
    asker: Asker,
    replaced: u64,
}

/// The newest frame that a question may be about.
#[derive(Debug)]
struct Newest {
    sample: Sample,
    /// What a question about it shows before it, if it was taken once already.
    before: Option<Vec<Sample>>,
}

/// What the video does.
#[derive(Debug, Default, PartialEq, Eq)]
enum Video {
    #[default]
    Flows,
    /// A flush has begun, and has not ended: no streaming thread may be held.
    Flushes,
    /// No more frames come.
    Ended,
}

/// What becomes of the sample that was taken last.
#[derive(Debug, Default, PartialEq, Eq)]
enum Question {
    #[default]
    Settled,
    InFlight,
    /// The VLM has failed, and is left alone for a while.
    BackingOff,
}

/// Whether anything will be asked.
#[derive(Debug, Default, PartialEq, Eq)]
enum Asker {
    #[default]
    Runs,
    /// The element has posted an error: the stream is to stop.
    Failed,
    /// The asking task is gone.
    Gone,
}

impl InboxState {
    /// Gives back what it takes the place of.
    fn keep(&mut self, sample: Sample) -> Option<Newest> {
        self.last_arrival = Some(sample.arrived);
        self.newest.replace(Newest { sample, before: None })
    }

    /// Whether a sample will be asked about without another frame coming.
    fn is_pending(&self) -> bool {
        self.is_due && self.newest.is_some()
    }

    /// Forgets what was to be asked about. Gives it back.
    fn forget(&mut self) -> Option<Newest> {
        self.is_due = false;
        self.newest.take()
    }

    /// Begins anew, with the video in this state. Gives back what was kept of before.
    fn begin(&mut self, video: Video) -> (Option<Newest>, Vec<Sample>) {
        self.video = video;
        self.was_taken = false;
        (self.forget(), self.window.clear())
    }
}

impl Inbox {
    /// For frames of this epoch.
    pub(crate) fn new(epoch: Epoch) -> Self {
        let state = Mutex::new(InboxState { epoch, ..InboxState::default() });
        Self { state, ..Self::default() }
    }

    fn lock(&self) -> MutexGuard<'_, InboxState> {
        lock(&self.state)
    }

    /// Leaves a frame. While one is due it takes the place of the one before; `is_sample` makes
    /// it due. Returns whether it is kept.
    pub(crate) fn offer(&self, is_sample: bool, sample: Sample) -> bool {
        let replaced = {
            let mut state = self.lock();
            if state.asker != Asker::Runs || !is_sample && !state.is_due {
                return false;
            }
            if is_sample && state.is_due {
                state.replaced += 1;
            }
            state.is_due = true;
            state.keep(sample)
        };
        drop(replaced);
        self.arrived.notify_one();
        true
    }

    /// Leaves a frame that came because it was asked for: it is the newest, but nothing is due.
    pub(crate) fn keep(&self, sample: Sample) {
        let replaced = {
            let mut state = self.lock();
            if state.asker != Asker::Runs {
                return;
            }
            state.keep(sample)
        };
        drop(replaced);
        self.arrived.notify_one();
    }

    /// Looks at the time of each frame.
    pub(crate) fn see(&self, time: Duration, rule: ClipRule) -> Seen {
        let mut state = self.lock();
        let window = &mut state.window;
        let (is_wanted, is_ready, gone) = if rule.frames <= 1 && window.newest().is_none() {
            (false, true, Vec::new())
        } else {
            let seen = window.see(time, rule);
            (seen.wanted, rule.frames <= 1 || window.is_ready(time, rule), seen.gone)
        };
        Seen {
            is_wanted,
            is_ready,
            is_due: state.is_due,
            has_failed: state.asker == Asker::Failed,
            gone,
        }
    }

    /// Leaves a frame that a later question may show before its newest one.
    pub(crate) fn add_earlier(&self, sample: Sample, rule: ClipRule) {
        let gone = {
            let mut state = self.lock();
            if state.asker != Asker::Runs {
                return;
            }
            state.window.add(sample.time, sample, rule)
        };
        drop(gone);
    }

    /// What is held.
    pub(crate) fn held(&self) -> Held {
        let state = self.lock();
        let newest = state.newest.iter().flat_map(|newest| {
            std::iter::once(&newest.sample).chain(newest.before.iter().flatten())
        });
        let held = state.window.frames().chain(newest);
        held.fold(Held::default(), |held, sample| Held {
            frames: held.frames + 1,
            bytes: held.bytes + sample.size(),
        })
    }

    /// Whether a sample is due and there.
    pub(crate) fn is_pending(&self) -> bool {
        self.lock().is_pending()
    }

    /// Waits until a sample is due; `None` when the stream has ended and none is.
    pub(crate) async fn due(&self) -> Option<()> {
        loop {
            {
                let state = self.lock();
                if state.is_pending() {
                    return Some(());
                }
                if state.video == Video::Ended {
                    return None;
                }
            }
            self.arrived.notified().await;
        }
    }

    /// Waits until a frame has arrived after `since`; false when the stream has ended instead.
    pub(crate) async fn newer_than(&self, since: Option<Instant>) -> bool {
        loop {
            {
                let state = self.lock();
                if state.last_arrival.is_some_and(|at| since.is_none_or(|since| at > since)) {
                    return true;
                }
                if state.video == Video::Ended {
                    return false;
                }
            }
            self.arrived.notified().await;
        }
    }

    /// When the newest frame arrived, if it is still here.
    pub(crate) fn newest_arrival(&self) -> Option<Instant> {
        self.lock().newest.as_ref().map(|newest| newest.sample.arrived)
    }

    /// When a frame arrived last, also if it was taken since.
    pub(crate) fn last_arrival(&self) -> Option<Instant> {
        self.lock().last_arrival
    }

    /// Whether the stream has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.lock().video == Video::Ended
    }

    /// Takes the newest sample to ask about it, with those before it that the question shows;
    /// unless it is older than `max_age`: then it stays due, for a newer one to take its place.
    pub(crate) fn take(&self, max_age: Option<Duration>, rule: ClipRule) -> Option<Clip> {
        let mut state = self.lock();
        let is_fresh =
            |newest: &Newest| max_age.is_none_or(|max_age| newest.sample.age() <= max_age);
        if !state.newest.as_ref().is_some_and(is_fresh) {
            let old = state.newest.take();
            drop(state);
            drop(old);
            self.settled.notify_all();
            return None;
        }
        let Newest { sample: newest, before } = state.newest.take()?;
        state.is_due = false;
        state.question = Question::InFlight;
        state.was_taken = true;
        let earlier = match before {
            Some(before) => before,
            None => state.window.before(newest.time, rule).into_iter().cloned().collect(),
        };
        Some(Clip { earlier, newest })
    }

    /// The sample that would be taken.
    pub(crate) fn peek(&self) -> Option<Sample> {
        self.lock().newest.as_ref().map(|newest| newest.sample.clone())
    }

    /// Does not ask about the sample that is due, if it is still the one that arrived then.
    pub(crate) fn pass_over(&self, arrived: Instant) {
        let gone = {
            let mut state = self.lock();
            if state.newest.as_ref().is_none_or(|newest| newest.sample.arrived != arrived) {
                return;
            }
            state.forget()
        };
        drop(gone);
        self.settled.notify_all();
    }

    /// Nothing will be asked about before the next stream: whoever waits is let go.
    pub(crate) fn give_up(&self) {
        let gone = self.lock().forget();
        drop(gone);
        self.settled.notify_all();
    }

    /// Gives back what was taken for a question that was cancelled or has failed. It is asked about
    /// again, if no newer frame has come; at once if `due`. What is of an earlier epoch is dropped.
    pub(crate) fn put_back(&self, clip: Clip, due: bool) {
        let unwanted = {
            let mut state = self.lock();
            if state.asker != Asker::Runs || state.epoch != clip.newest.position.epoch {
                Some(clip)
            } else {
                state.is_due |= due;
                if state.newest.is_some() {
                    Some(clip)
                } else {
                    let Clip { newest: sample, earlier } = clip;
                    state.newest = Some(Newest { sample, before: Some(earlier) });
                    None
                }
            }
        };
        drop(unwanted);
    }

    /// Makes the next frame a sample.
    pub(crate) fn want(&self) {
        self.lock().is_due = true;
        self.arrived.notify_one();
    }

    /// The question about the sample taken last has ended.
    pub(crate) fn settle(&self) {
        self.lock().question = Question::Settled;
        self.settled.notify_all();
    }

    /// It has failed, and the VLM is left alone until the question [settles](Self::settle): the
    /// stream's end does not wait for it meanwhile.
    pub(crate) fn back_off(&self) {
        self.lock().question = Question::BackingOff;
        self.settled.notify_all();
    }

    /// Holds the caller until the sample it left has been answered, failed or released; false if
    /// a flush has begun.
    pub(crate) fn wait_settled(&self, keep_waiting: impl Fn() -> bool) -> bool {
        self.wait(|state| {
            (state.question == Question::InFlight || state.is_pending()) && keep_waiting()
        })
    }

    /// The element has posted an error.
    pub(crate) fn fail(&self) {
        self.lock().asker = Asker::Failed;
        self.settled.notify_all();
    }

    /// Whether the element has posted an error.
    pub(crate) fn has_failed(&self) -> bool {
        self.lock().asker == Asker::Failed
    }

    /// No more frames will come; returns when no question is in flight or about to be.
    pub(crate) fn drain(&self) {
        {
            let mut state = self.lock();
            state.video = Video::Ended;
            // A stream that is shorter than a clip is asked about once, with what there is.
            if !state.was_taken
                && state.newest.is_none()
                && let Some((_, newest)) = state.window.newest().cloned()
            {
                state.newest = Some(Newest { sample: newest, before: None });
                state.is_due = true;
            }
        }
        self.arrived.notify_one();
        self.wait(|state| match state.question {
            Question::Settled => state.is_pending(),
            Question::InFlight => true,
            Question::BackingOff => false,
        });
    }

    fn wait(&self, unsettled: impl Fn(&InboxState) -> bool) -> bool {
        let state = self.lock();
        let state = self
            .settled
            .wait_while(state, |state| {
                state.video != Video::Flushes && state.asker == Asker::Runs && unsettled(state)
            })
            .unwrap_or_else(PoisonError::into_inner);
        state.asker != Asker::Runs || state.video != Video::Flushes
    }

    /// A flush begins: a streaming thread that waits here is let go, and what was kept is
    /// forgotten.
    pub(crate) fn flush_start(&self, epoch: Epoch) {
        self.begin(Video::Flushes, epoch);
    }

    /// A flush has ended, or a stream begins: frames of this epoch come.
    pub(crate) fn flow(&self, epoch: Epoch) {
        self.begin(Video::Flows, epoch);
    }

    fn begin(&self, video: Video, epoch: Epoch) {
        let gone = {
            let mut state = self.lock();
            state.epoch = epoch;
            state.begin(video)
        };
        drop(gone);
        self.settled.notify_all();
    }

    /// The asking task is gone: nobody waits for it any more, and nothing is kept for it.
    pub(crate) fn close(&self) {
        let gone = {
            let mut state = self.lock();
            if state.asker == Asker::Runs {
                state.asker = Asker::Gone;
            }
            state.begin(Video::Flushes)
        };
        drop(gone);
        self.settled.notify_all();
    }

    /// Whether the asking task is gone, or about to go.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().asker != Asker::Runs
    }

    /// Wakes a waiting streaming thread to look at the settings again.
    pub(crate) fn recheck(&self) {
        // Taking the lock orders the change before the check of a thread about to wait.
        drop(self.lock());
        self.settled.notify_all();
    }

    /// How many samples were replaced by newer ones before the VLM was free.
    pub(crate) fn replaced(&self) -> u64 {
        self.lock().replaced
    }
}

pub(crate) type SharedInbox = Arc<Inbox>;

#[cfg(test)]
#[path = "inbox_tests.rs"]
mod tests;
