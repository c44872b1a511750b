//! What a peer connection's callbacks share.
//!
//! Each mutex is a leaf: while one is held no other is locked, and the owner is not called. `Once`
//! is held while the owner is told that the peer is connected.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, Once,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::{
    DecodeMode, LostReason, PeerEvent,
    frames::Frames,
    gate::{Frame, Gate, Verdict},
    hearing::Hearing,
    key_frame_retry::KeyFrameRetry,
    lock::lock,
    offer::Offer,
};

/// How long packets come without a frame that can be decoded before a key frame is asked for.
const KEY_FRAME_OVERDUE: Duration = Duration::from_millis(500);
/// Packets that come after so long without any are the end of an outage.
const OUTAGE: Duration = Duration::from_millis(500);

/// What a peer connection's callbacks share. It holds no element, so that no element holds itself.
pub(crate) struct Shared {
    events: Box<dyn Fn(PeerEvent) + Send + Sync>,
    /// What the log calls the connection, for threads that are not ours.
    pub(crate) span: tracing::Span,
    pub(crate) offer: Offer,
    gate: Mutex<Gate>,
    pub(crate) frames: Arc<Frames>,
    /// When a frame last passed the gate.
    passed: Moment,
    retry: Mutex<KeyFrameRetry>,
    /// How long key frames take to come.
    key_frames_take: Moment,
    over: AtomicBool,
    started: Instant,
    connected: Moment,
    told_connected: Once,
    hearing: Mutex<Hearing>,
    /// When the first packet came, and the last.
    began: Moment,
    media: Moment,
    goodbye: Moment,
    /// When the peer last reported on its streams.
    reported: Moment,
    /// Wakes the watchdog: a moment has changed, or the connection is over.
    pub(crate) changed: Notify,
}

/// A time since the connection's start or since something else, or never.
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
        events: Box<dyn Fn(PeerEvent) + Send + Sync>,
    ) -> Self {
        Self {
            events,
            span: tracing::Span::current(),
            offer,
            gate: Mutex::new(Gate::new(mode)),
            frames: Arc::default(),
            passed: Moment::never(),
            retry: Mutex::default(),
            key_frames_take: Moment::never(),
            over: AtomicBool::new(false),
            started: Instant::now(),
            connected: Moment::never(),
            told_connected: Once::new(),
            hearing: Mutex::default(),
            began: Moment::never(),
            media: Moment::never(),
            goodbye: Moment::never(),
            reported: Moment::never(),
            changed: Notify::new(),
        }
    }

    /// Tells the owner, unless the connection is over.
    pub(crate) fn tell(&self, event: PeerEvent) {
        if !self.is_over() {
            (self.events)(event);
        }
    }

    /// Ends the connection and says why; only the first reason counts.
    pub(crate) fn lose(&self, reason: LostReason) {
        if self.over.swap(true, Ordering::AcqRel) {
            return;
        }
        tracing::debug!(parent: &self.span, %reason, "peer connection lost");
        self.gate().close();
        (self.events)(PeerEvent::Lost(reason));
        self.changed.notify_one();
    }

    /// Ends the connection without a word, because its owner wants it so.
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
            self.tell(PeerEvent::Connected);
        });
    }

    /// A packet came. Answers whether the peer should be asked for a key frame because nothing
    /// comes of its packets: the frame it began with is easily lost while DTLS is finishing, as is
    /// our request for another, and depayloaders and parsers keep back all that builds on it, so
    /// that the gate never hears of the loss.
    pub(crate) fn mark_media(&self) -> bool {
        let now = self.started.elapsed();
        let last = self.media.get();
        if last.is_none() {
            self.began.set(now);
        }
        self.media.set(now);
        if last.is_some_and(|last| now.saturating_sub(last) >= OUTAGE) {
            return self.retry().resume(now);
        }
        let (began, passed) = (self.began.get(), self.passed.get());
        lacks_key_frame(self.mode(), now, began, passed) && self.retry().ask(now)
    }

    /// A depayloader would ask for a key frame. Answers whether it may.
    pub(crate) fn may_ask_for_key_frame(&self) -> bool {
        let now = self.started.elapsed();
        needs_key_frames(self.mode(), self.passed.get()) && self.retry().ask(now)
    }

    /// Somebody waits for a key frame. True if the peer is to be asked for it now; otherwise it was
    /// asked a moment ago.
    pub(crate) fn request_key_frame(&self) -> bool {
        let now = self.started.elapsed();
        let is_due = self.retry().ask(now);
        if is_due && self.hearing().asked(now) {
            self.changed.notify_one();
        }
        is_due
    }

    /// How long key frames take to come that the peer is asked for.
    pub(crate) fn key_frames_take(&self) -> Option<Duration> {
        self.key_frames_take.get()
    }

    /// A stream of the peer ended, which may be all of it.
    pub(crate) fn mark_goodbye(&self) {
        self.goodbye.set(self.started.elapsed());
        self.changed.notify_one();
    }

    /// The peer has reported on its streams (RTCP), which it does though it sends no frames.
    pub(crate) fn mark_report(&self) {
        self.reported.set(self.started.elapsed());
    }

    pub(crate) fn signs(&self) -> Signs {
        // Of who sends all frames, that none come is sign enough.
        let reported = self.reported.get().filter(|_| self.mode() == DecodeMode::Wanted);
        Signs {
            reported,
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
                let took = {
                    let mut retry = self.retry();
                    retry.came(now);
                    retry.took()
                };
                if let Some(took) = took {
                    self.key_frames_take.set(took);
                }
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

    fn retry(&self) -> MutexGuard<'_, KeyFrameRetry> {
        lock(&self.retry)
    }

    fn hearing(&self) -> MutexGuard<'_, Hearing> {
        lock(&self.hearing)
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        lock(&self.gate)
    }
}

/// The signs of life of a peer, as times since the connection's start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signs {
    pub(crate) now: Duration,
    pub(crate) connected: Option<Duration>,
    pub(crate) media: Option<Duration>,
    /// When it last reported, if it sends frames only when they are wanted.
    pub(crate) reported: Option<Duration>,
    pub(crate) goodbye: Option<Duration>,
    /// Since when it has not done what it was asked for.
    pub(crate) unheard: Option<Duration>,
}

/// Whether packets have come for too long without a frame that can be decoded.
fn lacks_key_frame(
    mode: DecodeMode,
    now: Duration,
    began: Option<Duration>,
    passed: Option<Duration>,
) -> bool {
    let last = began.max(passed).unwrap_or_default();
    let is_missed = passed.is_none() || mode == DecodeMode::All;
    is_missed && now.saturating_sub(last) >= KEY_FRAME_OVERDUE
}

/// Whether a missing key frame is asked for without a question. Once the first has passed, whoever
/// decodes on demand asks on their own.
fn needs_key_frames(mode: DecodeMode, passed: Option<Duration>) -> bool {
    passed.is_none() || mode.decodes_deltas()
}

#[cfg(test)]
mod tests {
    use DecodeMode::{All, KeyFramesOnly, Wanted};

    use super::*;

    const ZERO: Option<Duration> = Some(Duration::ZERO);
    const SOON: Duration = Duration::from_millis(499);

    #[test]
    fn without_a_first_frame_a_key_frame_is_missing_after_half_a_second() {
        for mode in [All, KeyFramesOnly, Wanted] {
            assert!(!lacks_key_frame(mode, SOON, ZERO, None));
            assert!(lacks_key_frame(mode, KEY_FRAME_OVERDUE, ZERO, None));
        }
    }

    #[test]
    fn after_the_first_frame_only_who_decodes_all_goes_on_asking() {
        let minute = Duration::from_secs(60);
        assert!(!lacks_key_frame(KeyFramesOnly, minute, ZERO, ZERO));
        assert!(!lacks_key_frame(Wanted, minute, ZERO, ZERO), "frames are far apart");
        assert!(lacks_key_frame(All, minute, ZERO, ZERO));
        assert!(!lacks_key_frame(All, minute + SOON, ZERO, Some(minute)));
    }
}
