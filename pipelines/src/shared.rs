use std::{
    sync::{
        Arc, Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::{
    DecodeMode, LostReason, SessionEvent,
    frames::Frames,
    gate::{Frame, Gate, Verdict},
    hearing::Hearing,
    offer::Offer,
};

/// How long packets come without a frame that can be decoded before a key frame is asked for, and
/// asked for again. Browsers ignore requests that come faster.
const KEY_FRAME_OVERDUE: Duration = Duration::from_millis(500);

/// The same for what a depayloader asks by itself before the first frame: its requests are lost as
/// easily as the frame.
const FIRST_KEY_FRAME_OVERDUE: Duration = Duration::from_millis(100);

/// What a session's callbacks share. It holds no element, so that no element holds itself.
pub(crate) struct Shared {
    events: Box<dyn Fn(SessionEvent) + Send + Sync>,
    pub(crate) offer: Offer,
    gate: Mutex<Gate>,
    pub(crate) frames: Arc<Frames>,
    /// When a frame last passed the gate.
    passed: Moment,
    /// When a key frame was last asked for because something was missing.
    asked: Moment,
    over: AtomicBool,
    started: Instant,
    connected: Moment,
    told_connected: Once,
    hearing: Mutex<Hearing>,
    /// When the first packet came, and the last.
    began: Moment,
    media: Moment,
    goodbye: Moment,
    /// Wakes the watchdog: a moment has changed, or the session is over.
    pub(crate) changed: Notify,
}

/// A point in time since the session's start, or never.
struct Moment(AtomicU64);

impl Moment {
    const fn never() -> Self {
        Self(AtomicU64::new(0))
    }

    fn set(&self, since_start: Duration) {
        let micros = u64::try_from(since_start.as_micros()).unwrap_or(u64::MAX);
        self.0.store(micros.max(1), Ordering::Relaxed);
    }

    fn get(&self) -> Option<Duration> {
        let micros = self.0.load(Ordering::Relaxed);
        (micros != 0).then(|| Duration::from_micros(micros))
    }
}

impl Shared {
    pub(crate) fn new(
        offer: Offer,
        mode: DecodeMode,
        events: Box<dyn Fn(SessionEvent) + Send + Sync>,
    ) -> Self {
        Self {
            events,
            offer,
            gate: Mutex::new(Gate::new(mode)),
            frames: Arc::default(),
            passed: Moment::never(),
            asked: Moment::never(),
            over: AtomicBool::new(false),
            started: Instant::now(),
            connected: Moment::never(),
            told_connected: Once::new(),
            hearing: Mutex::default(),
            began: Moment::never(),
            media: Moment::never(),
            goodbye: Moment::never(),
            changed: Notify::new(),
        }
    }

    /// Tells the owner, unless the session is over.
    pub(crate) fn tell(&self, event: SessionEvent) {
        if !self.is_over() {
            (self.events)(event);
        }
    }

    /// Ends the session and says why; only the first reason counts.
    pub(crate) fn lose(&self, reason: LostReason) {
        if self.over.swap(true, Ordering::AcqRel) {
            return;
        }
        tracing::debug!(%reason, "session lost");
        self.gate().close();
        (self.events)(SessionEvent::Lost(reason));
        self.changed.notify_one();
    }

    /// Ends the session without a word, because its owner wants it so.
    pub(crate) fn finish(&self) {
        self.over.store(true, Ordering::Release);
        self.gate().close();
        self.changed.notify_one();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// The connection is there. The owner is told once; whoever else finds it there waits until
    /// that is done, or a first frame could be told before it.
    pub(crate) fn mark_connected(&self) {
        self.told_connected.call_once(|| {
            self.connected.set(self.started.elapsed());
            self.changed.notify_one();
            self.tell(SessionEvent::Connected);
        });
    }

    /// A packet came. Answers whether the peer should be asked for a key frame because nothing
    /// comes of its packets: the frame it began with is easily lost while DTLS is finishing, as is
    /// our request for another, and depayloaders and parsers keep back all that builds on it, so
    /// that the gate never hears of the loss.
    pub(crate) fn mark_media(&self) -> bool {
        let now = self.started.elapsed();
        if self.media.get().is_none() {
            self.began.set(now);
        }
        self.media.set(now);
        let last = self.began.get().max(self.asked.get());
        let overdue = lacks_key_frame(self.mode(), now, last, self.passed.get());
        if overdue {
            self.asked.set(now);
        }
        overdue
    }

    /// A depayloader would ask for a key frame. Answers whether it may.
    pub(crate) fn may_ask_for_key_frame(&self) -> bool {
        let now = self.started.elapsed();
        let may = may_ask(self.mode(), now, self.asked.get(), self.passed.get());
        if may {
            self.asked.set(now);
        }
        may
    }

    /// The peer is asked for a key frame that somebody waits for.
    pub(crate) fn mark_asked(&self) {
        if self.hearing().asked(self.started.elapsed()) {
            self.changed.notify_one();
        }
    }

    /// A stream of the peer ended, which may be all of it.
    pub(crate) fn mark_goodbye(&self) {
        self.goodbye.set(self.started.elapsed());
        self.changed.notify_one();
    }

    pub(crate) fn signs(&self) -> Signs {
        Signs {
            now: self.started.elapsed(),
            connected: self.connected.get(),
            media: self.media.get(),
            goodbye: self.goodbye.get(),
            unheard: self.hearing().unheard(),
        }
    }

    /// Whether a frame goes to the decoder. Of those that would, `admit` is asked too.
    pub(crate) fn judge(&self, frame: Frame, admit: impl FnOnce() -> bool) -> Verdict {
        let mut verdict = self.gate().judge(frame);
        if verdict == Verdict::Pass && !admit() {
            verdict = self.gate().withhold();
        }
        self.frames.came(verdict == Verdict::Pass);
        if verdict == Verdict::Pass {
            let now = self.started.elapsed();
            self.passed.set(now);
            if frame == Frame::Key {
                self.hearing().answered(now);
            }
        }
        verdict
    }

    /// Changes what is decoded. Answers whether the peer must be asked for a key frame.
    #[must_use]
    pub(crate) fn set_mode(&self, mode: DecodeMode) -> bool {
        self.gate().set_mode(mode)
    }

    pub(crate) fn mode(&self) -> DecodeMode {
        self.gate().mode()
    }

    fn hearing(&self) -> MutexGuard<'_, Hearing> {
        // Nothing panics while holding it either.
        self.hearing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        // Nothing panics while holding it, and a gate is right in every state.
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The signs of life of a peer, as times since the session's start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signs {
    pub(crate) now: Duration,
    pub(crate) connected: Option<Duration>,
    pub(crate) media: Option<Duration>,
    pub(crate) goodbye: Option<Duration>,
    /// Since when it has not done what it was asked for.
    pub(crate) unheard: Option<Duration>,
}

/// Whether packets have come for too long without a frame that can be decoded.
fn lacks_key_frame(
    mode: DecodeMode,
    now: Duration,
    asked: Option<Duration>,
    passed: Option<Duration>,
) -> bool {
    let last = asked.max(passed).unwrap_or_default();
    needs_key_frames(mode, passed) && now.saturating_sub(last) >= KEY_FRAME_OVERDUE
}

/// Whether a key frame may be asked for that is missing now.
fn may_ask(
    mode: DecodeMode,
    now: Duration,
    asked: Option<Duration>,
    passed: Option<Duration>,
) -> bool {
    let rest = if passed.is_none() { FIRST_KEY_FRAME_OVERDUE } else { KEY_FRAME_OVERDUE };
    let rested = |asked| now.saturating_sub(asked) >= rest;
    needs_key_frames(mode, passed) && asked.is_none_or(rested)
}

/// Whether a missing key frame is asked for without a question. Once the first has passed, whoever
/// decodes on demand asks on their own.
fn needs_key_frames(mode: DecodeMode, passed: Option<Duration>) -> bool {
    passed.is_none() || mode == DecodeMode::All
}

#[cfg(test)]
mod tests {
    use DecodeMode::{All, KeyFramesOnly};

    use super::*;

    const ZERO: Option<Duration> = Some(Duration::ZERO);
    const SOON: Duration = Duration::from_millis(499);

    #[test]
    fn without_a_first_frame_a_key_frame_is_asked_for_every_half_second() {
        for mode in [All, KeyFramesOnly] {
            assert!(!lacks_key_frame(mode, SOON, ZERO, None));
            assert!(lacks_key_frame(mode, KEY_FRAME_OVERDUE, ZERO, None));
            let asked = Some(KEY_FRAME_OVERDUE);
            assert!(!lacks_key_frame(mode, KEY_FRAME_OVERDUE + SOON, asked, None));
            assert!(lacks_key_frame(mode, 2 * KEY_FRAME_OVERDUE, asked, None));
        }
    }

    #[test]
    fn after_the_first_frame_only_who_decodes_all_goes_on_asking() {
        let minute = Duration::from_secs(60);
        assert!(!lacks_key_frame(KeyFramesOnly, minute, ZERO, ZERO));
        assert!(lacks_key_frame(All, minute, ZERO, ZERO));
        assert!(!lacks_key_frame(All, minute + SOON, ZERO, Some(minute)));
    }

    #[test]
    fn a_depayloader_asks_at_once_and_then_now_and_then_where_frames_are_needed() {
        let moment = Duration::from_millis(1);
        for (mode, passed, rest) in [
            (All, ZERO, KEY_FRAME_OVERDUE),
            (All, None, FIRST_KEY_FRAME_OVERDUE),
            (KeyFramesOnly, None, FIRST_KEY_FRAME_OVERDUE),
        ] {
            assert!(may_ask(mode, moment, None, passed));
            assert!(!may_ask(mode, rest - moment, ZERO, passed));
            assert!(may_ask(mode, rest, ZERO, passed));
        }
        assert!(!may_ask(KeyFramesOnly, Duration::from_secs(60), None, ZERO));
    }
}
