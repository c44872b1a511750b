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
use vlm_client::Picture;

/// A frame that a question may be about.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) frame: Frame,
    pub(crate) pts: Option<gst::ClockTime>,
    pub(crate) running_time: Option<gst::ClockTime>,
    /// When the frame was captured, as well as that is known here.
    pub(crate) captured: Instant,
    /// When it reached the element.
    pub(crate) arrived: Instant,
}

/// What there is of a sample's picture.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    /// A reference, which its pool misses.
    Raw {
        /// The frame.
        buffer: gst::Buffer,
        /// Its format.
        caps: gst::Caps,
    },
    /// The frame went back to its pool.
    Encoded(Picture),
}

impl Sample {
    pub(crate) fn age(&self) -> Duration {
        self.captured.elapsed()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    /// For the asking task: a sample has come, or the stream's end. One task waits, at one place
    /// at a time; a second would take the first one's wake-ups.
    arrived: Notify,
    /// For the streaming thread: a question has ended, or waiting has.
    settled: Condvar,
}

#[derive(Debug, Default)]
struct State {
    newest: Option<Sample>,
    /// When the last frame was left here, also if it was taken since.
    last_arrival: Option<Instant>,
    /// A sample is wanted and not yet asked about: frames replace `newest`.
    due: bool,
    asking: bool,
    /// The VLM has failed and is left alone for a while.
    backing_off: bool,
    released: bool,
    ended: bool,
    /// The asking task is gone: nothing will be asked any more.
    closed: bool,
    replaced: u64,
}

impl State {
    fn keep(&mut self, sample: Sample) -> Option<Sample> {
        self.last_arrival = Some(sample.arrived);
        self.newest.replace(sample)
    }

    /// Whether a sample will be asked about without another frame coming.
    fn is_pending(&self) -> bool {
        self.due && self.newest.is_some()
    }
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a frame. While one is due it takes the place of the one before; `is_sample` makes
    /// it due. Returns whether it is kept.
    pub(crate) fn offer(&self, is_sample: bool, sample: Sample) -> bool {
        let replaced = {
            let mut state = self.lock();
            if state.closed || !is_sample && !state.due {
                return false;
            }
            if is_sample && state.due {
                state.replaced += 1;
            }
            state.due = true;
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
            if state.closed {
                return;
            }
            state.keep(sample)
        };
        drop(replaced);
        self.arrived.notify_one();
    }

    /// Whether frames that are no samples would be kept too.
    pub(crate) fn is_due(&self) -> bool {
        self.lock().due
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
                if state.due && state.newest.is_some() {
                    return Some(());
                }
                if state.ended {
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
                if state.ended {
                    return false;
                }
            }
            self.arrived.notified().await;
        }
    }

    /// When the newest frame arrived, if it is still here.
    pub(crate) fn newest_arrival(&self) -> Option<Instant> {
        self.lock().newest.as_ref().map(|sample| sample.arrived)
    }

    /// When a frame arrived last, also if it was taken since.
    pub(crate) fn last_arrival(&self) -> Option<Instant> {
        self.lock().last_arrival
    }

    /// Whether the stream has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// Takes the newest sample to ask about it, unless it is older than `max_age`; then it stays
    /// due, for a newer one to take its place.
    pub(crate) fn take(&self, max_age: Option<Duration>) -> Option<Sample> {
        let mut state = self.lock();
        let too_old = |sample: &Sample| max_age.is_some_and(|max_age| sample.age() > max_age);
        if state.newest.as_ref().is_none_or(too_old) {
            let old = state.newest.take();
            drop(state);
            drop(old);
            self.settled.notify_all();
            return None;
        }
        state.due = false;
        state.asking = true;
        state.newest.take()
    }

    /// Gives a sample back whose question was cancelled. It is asked about again, if no newer one
    /// has come; at once if `due`.
    pub(crate) fn put_back(&self, sample: Sample, due: bool) {
        let unwanted = {
            let mut state = self.lock();
            state.due |= due;
            if state.newest.is_some() || state.closed {
                Some(sample)
            } else {
                state.newest = Some(sample);
                None
            }
        };
        drop(unwanted);
    }

    /// Makes the next frame a sample.
    pub(crate) fn want(&self) {
        self.lock().due = true;
        self.arrived.notify_one();
    }

    /// The question about the sample taken last has ended.
    pub(crate) fn settle(&self) {
        self.lock().asking = false;
        self.settled.notify_all();
    }

    /// Says whether the VLM is being left alone: nobody should wait for an answer meanwhile.
    pub(crate) fn set_backing_off(&self, backing_off: bool) {
        self.lock().backing_off = backing_off;
        self.settled.notify_all();
    }

    /// Holds the caller until the sample it left has been answered, failed or released; false if
    /// a flush has begun.
    pub(crate) fn wait_settled(&self, keep_waiting: impl Fn() -> bool) -> bool {
        self.wait(|state| (state.asking || state.is_pending()) && keep_waiting())
    }

    /// No more frames will come; returns when no question is in flight or about to be.
    pub(crate) fn drain(&self) {
        self.lock().ended = true;
        self.arrived.notify_one();
        self.wait(|state| state.asking || (state.is_pending() && !state.backing_off));
    }

    fn wait(&self, unsettled: impl Fn(&State) -> bool) -> bool {
        let state = self.lock();
        let state = self
            .settled
            .wait_while(state, |state| !state.released && !state.closed && unsettled(state))
            .unwrap_or_else(PoisonError::into_inner);
        state.closed || !state.released
    }

    /// Lets a streaming thread go that waits here (`true`), or lets it wait again (`false`), as
    /// flushes and state changes need it. Forgets the sample that is due.
    pub(crate) fn release(&self, released: bool) {
        let newest = {
            let mut state = self.lock();
            state.released = released;
            state.due = false;
            state.ended = false;
            state.newest.take()
        };
        drop(newest);
        self.settled.notify_all();
    }

    /// The asking task is gone: nobody waits for it any more, and nothing is kept for it.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.release(true);
    }

    /// Whether the asking task is gone, or about to go.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
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
mod tests {
    use super::*;

    fn sample(pts: u64) -> Sample {
        gst::init().unwrap();
        Sample {
            frame: Frame::Raw { buffer: gst::Buffer::new(), caps: gst::Caps::new_empty() },
            pts: Some(gst::ClockTime::from_seconds(pts)),
            running_time: None,
            captured: Instant::now(),
            arrived: Instant::now(),
        }
    }

    fn pts(sample: &Sample) -> u64 {
        sample.pts.unwrap().seconds()
    }

    #[test]
    fn while_a_sample_is_due_every_newer_frame_takes_its_place() {
        let inbox = Inbox::default();
        assert!(!inbox.offer(false, sample(0)), "no sample is due");
        assert!(inbox.offer(true, sample(1)));
        assert!(inbox.offer(false, sample(2)));
        assert_eq!(pts(&inbox.take(None).unwrap()), 2);
        assert!(!inbox.offer(false, sample(3)), "the due sample was taken");
        assert_eq!(inbox.replaced(), 0);
    }

    #[test]
    fn a_sample_that_is_too_old_is_not_taken_and_stays_due() {
        let inbox = Inbox::default();
        let old = Sample { captured: Instant::now() - Duration::from_secs(9), ..sample(1) };
        inbox.offer(true, old);
        assert!(inbox.take(Some(Duration::from_secs(1))).is_none());
        inbox.offer(false, sample(2));
        assert_eq!(pts(&inbox.take(Some(Duration::from_secs(1))).unwrap()), 2);
    }

    #[test]
    fn draining_waits_for_the_question_in_flight() {
        let inbox = Arc::new(Inbox::default());
        inbox.offer(true, sample(1));
        let taken = inbox.take(None);
        let drained = std::thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || inbox.drain()
        });
        assert!(!drained.is_finished());
        drop(taken);
        inbox.settle();
        drained.join().unwrap();
    }

    #[test]
    fn releasing_lets_a_held_thread_go() {
        let inbox = Arc::new(Inbox::default());
        inbox.offer(true, sample(1));
        let held = std::thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || inbox.wait_settled(|| true)
        });
        inbox.release(true);
        held.join().unwrap();
    }

    #[test]
    fn draining_does_not_wait_for_a_vlm_that_is_left_alone() {
        let inbox = Inbox::default();
        inbox.offer(true, sample(1));
        inbox.set_backing_off(true);
        inbox.drain();
    }

    #[test]
    fn a_held_thread_goes_on_when_its_sample_was_too_old() {
        let inbox = Arc::new(Inbox::default());
        let old = Sample { captured: Instant::now() - Duration::from_secs(9), ..sample(1) };
        inbox.offer(true, old);
        let held = std::thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || inbox.wait_settled(|| true)
        });
        assert!(inbox.take(Some(Duration::from_secs(1))).is_none());
        held.join().unwrap();
    }

    #[test]
    fn nobody_waits_and_nothing_is_kept_once_the_asking_task_is_gone() {
        let inbox = Inbox::default();
        inbox.offer(true, sample(1));
        let taken = inbox.take(None).unwrap();
        inbox.close();
        inbox.put_back(taken, true);
        // As a flush does, whose end comes after the task's.
        inbox.release(false);
        assert!(!inbox.offer(true, sample(2)));
        inbox.wait_settled(|| true);
        inbox.drain();
    }
}
