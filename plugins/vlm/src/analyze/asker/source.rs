//! Frames that come because they are asked for: by a request for a key frame, or, where somebody
//! else asks whose source gives [frames on demand](RemoteAsker::set_frames_on_demand), by word.

use std::{
    future,
    time::{Duration, Instant},
};

use gst::{glib, prelude::*};
use live_vlm_ask::ahead::{Rhythm, Wishes};
use tokio::time::{sleep_until, timeout};

use super::super::{inbox::SharedInbox, window::ClipRule};
use crate::remote::RemoteAsker;

/// A frame that came on demand is asked about without asking for another, up to this age.
const FRESH: Duration = Duration::from_millis(250);
/// Browsers ignore a second request for a key frame within half a second of the first.
const KEY_FRAME_WAIT: Duration = Duration::from_millis(500);
/// Each of them, and the frame that it brings, may be lost on a bad network.
const KEY_FRAME_TRIES: u32 = 4;
/// How often a source that sends nothing is reminded.
const REMINDER: Duration = Duration::from_secs(1);
/// A frame on demand that is older is only asked about if no other comes.
const FRESH_ON_DEMAND: Duration = Duration::from_millis(150);
/// So long a turn waits for a frame on demand, with everybody behind it.
const PATIENCE: Duration = Duration::from_millis(120);
/// A frame that is older than this is not asked about though no other comes.
const STILL_GOOD: Duration = Duration::from_secs(1);
/// So many frames are wanted at once, at most.
const MOST_FRAMES: usize = 64;
const LONGEST_SPACING: Duration = Duration::from_secs(60);

/// Whoever sends the video.
pub(super) struct Source {
    element: glib::WeakRef<gst::Element>,
    inbox: SharedInbox,
    /// Where frames are asked for by word.
    remote: Option<RemoteAsker>,
    wishes: Wishes,
    pub(super) rhythm: Rhythm,
    /// The newest frame that is known to have come.
    seen: Option<Instant>,
    /// When the last question began; questions on demand keep the interval from there.
    last_asked: Option<Instant>,
    /// Whether frames asked for have not come; then no turn is taken before one does.
    is_silent: bool,
}

impl Source {
    pub(super) fn new(
        element: glib::WeakRef<gst::Element>,
        inbox: SharedInbox,
        remote: Option<RemoteAsker>,
    ) -> Self {
        Self {
            element,
            inbox,
            remote,
            wishes: Wishes::default(),
            rhythm: Rhythm::default(),
            seen: None,
            last_asked: None,
            is_silent: false,
        }
    }

    /// Whether it gives a frame when it is told that one is wanted, and none else.
    pub(super) fn gives_frames(&self) -> bool {
        self.remote.as_ref().is_some_and(RemoteAsker::gives_frames_on_demand)
    }

    /// How long before a turn a frame is to be asked for.
    pub(super) fn lead(&self) -> Duration {
        self.wishes.lead()
    }

    /// The next question need not keep the interval.
    pub(super) fn ask_at_once(&mut self) {
        self.last_asked = None;
    }

    /// Whether it is time for the next question.
    pub(super) fn is_due(&self, interval: Duration) -> bool {
        self.last_asked.is_some_and(|last| last.elapsed() >= interval)
    }

    /// When the turn of the next question is to be expected; `None` if others go before.
    pub(super) fn next_turn(&self, interval: Duration) -> Option<Instant> {
        self.rhythm.next_turn(self.due(interval))
    }

    fn due(&self, interval: Duration) -> Instant {
        self.last_asked.map_or_else(Instant::now, |last| last + interval)
    }

    /// Whether it has sent frames, and will.
    pub(super) fn sends(&self) -> bool {
        self.inbox.last_arrival().is_some() && !self.is_silent && !self.inbox.has_ended()
    }

    /// Waits until a question on demand is due and the source sends frames; false when the stream
    /// has ended.
    pub(super) async fn next(&mut self, interval: Duration, clip: ClipRule) -> bool {
        if self.gives_frames() {
            return self.next_on_demand(interval, clip).await;
        }
        if let Some(last) = self.last_asked {
            sleep_until((last + interval).into()).await;
        }
        if !self.is_silent {
            // Nothing to ask about before the source has sent its first frame.
            return self.inbox.newer_than(None).await && !self.inbox.has_ended();
        }
        let since = self.inbox.last_arrival();
        loop {
            self.request_key_frame();
            if let Ok(frames_come) = timeout(REMINDER, self.inbox.newer_than(since)).await {
                return frames_come;
            }
        }
    }

    async fn next_on_demand(&mut self, interval: Duration, clip: ClipRule) -> bool {
        if self.is_silent || self.inbox.last_arrival().is_none() {
            let came = self.first_frame(clip).await;
            self.is_silent &= !came;
            return came;
        }
        let due = self.due(interval);
        let turn = self.next_turn(interval);
        let is_due = sleep_until(due.into());
        tokio::pin!(is_due);
        loop {
            tokio::select! {
                () = &mut is_due => return !self.inbox.has_ended(),
                () = self.frame_for(turn, clip) => {}
            }
        }
    }

    /// Asks for a frame until one comes; false when the stream has ended.
    async fn first_frame(&mut self, clip: ClipRule) -> bool {
        if !self.wishes.is_open() {
            self.wish(clip);
        }
        loop {
            let again = self.wishes.retry().unwrap_or_else(Instant::now);
            tokio::select! {
                frames_come = self.inbox.newer_than(self.seen) => {
                    self.note_frames();
                    return frames_come;
                }
                () = sleep_until(again.into()) => self.wish(clip),
            }
        }
    }

    /// Waits for a frame. It is asked for by word as long before `turn` as it takes to come; without a
    /// turn to expect it is not. To be called again afterwards: a frame grows old, and is then
    /// asked for anew. If the future is dropped, nothing is lost.
    pub(super) async fn frame_for(&mut self, turn: Option<Instant>, clip: ClipRule) {
        loop {
            let turn = turn.filter(|_| self.gives_frames());
            let first = turn.map(|turn| turn.checked_sub(span(clip)).unwrap_or(turn));
            let next = first.and_then(|turn| self.wishes.next(turn));
            tokio::select! {
                biased;
                () = frame_after(&self.inbox, self.seen) => return self.note_frames(),
                () = reached(next) => self.wish(clip),
            }
        }
    }

    /// Asks for a frame by word.
    fn wish(&mut self, clip: ClipRule) {
        if let Some(remote) = &self.remote {
            let frames = u32::try_from(clip.frames.clamp(1, MOST_FRAMES)).unwrap_or(1);
            let spacing = match frames {
                1 => Duration::ZERO,
                _ => clip.spacing.min(LONGEST_SPACING),
            };
            remote.want_frames(frames, spacing);
            self.wishes.wish(Instant::now());
        }
    }

    fn note_frames(&mut self) {
        let newest = self.inbox.last_arrival().filter(|newest| Some(*newest) > self.seen);
        if let Some(newest) = newest {
            self.seen = Some(newest);
            self.wishes.came(newest);
        }
    }

    /// Begins a question: sees to it that the newest frame is fresh. False when the source sends
    /// none.
    pub(super) async fn fresh_frame(&mut self, clip: ClipRule) -> bool {
        let began = Instant::now();
        let is_fresh = match self.gives_frames() {
            true => self.has_frame_on_demand(clip).await,
            false => self.has_fresh_frame().await,
        };
        self.wishes.used();
        self.is_silent = !is_fresh;
        // What comes too late for this turn is asked about on the next.
        if is_fresh || !self.gives_frames() {
            self.last_asked = Some(began);
        }
        is_fresh
    }

    async fn has_fresh_frame(&self) -> bool {
        if self.has_frame_of(FRESH) {
            return true;
        }
        let since = self.inbox.last_arrival();
        for _ in 0..KEY_FRAME_TRIES {
            self.request_key_frame();
            if let Ok(came) = timeout(KEY_FRAME_WAIT, self.inbox.newer_than(since)).await {
                return came;
            }
        }
        false
    }

    async fn has_frame_on_demand(&mut self, clip: ClipRule) -> bool {
        let until = Instant::now() + PATIENCE;
        loop {
            self.note_frames();
            if self.has_frame_of(FRESH_ON_DEMAND) {
                return true;
            }
            if !self.wishes.is_open() {
                self.wish(clip);
            }
            let again = self.wishes.retry().unwrap_or(until);
            tokio::select! {
                frames_come = self.inbox.newer_than(self.seen) => {
                    if !frames_come {
                        return false;
                    }
                }
                () = sleep_until(again.min(until).into()) => {
                    if Instant::now() >= until {
                        return self.has_frame_of(STILL_GOOD);
                    }
                    self.wish(clip);
                }
            }
        }
    }

    fn has_frame_of(&self, age: Duration) -> bool {
        self.inbox.newest_arrival().is_some_and(|arrived| arrived.elapsed() <= age)
    }

    pub(super) fn request_key_frame(&self) {
        let Some(pad) = self.element.upgrade().and_then(|element| element.static_pad("sink"))
        else {
            return;
        };
        let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
        pad.push_event(event);
    }
}

/// From the first frame of a clip to its last.
fn span(clip: ClipRule) -> Duration {
    let steps = u32::try_from(clip.frames.saturating_sub(1)).unwrap_or(u32::MAX);
    clip.spacing.saturating_mul(steps)
}

/// Waits for a frame after `seen`; for ever if the stream ends.
async fn frame_after(inbox: &SharedInbox, seen: Option<Instant>) {
    if !inbox.newer_than(seen).await {
        future::pending().await
    }
}

/// Waits until then; without a time for ever.
async fn reached(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => future::pending().await,
    }
}
