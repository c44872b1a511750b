//! Frames that come because they are asked for.

use std::time::{Duration, Instant};

use gst::{glib, prelude::*};
use tokio::time::{sleep_until, timeout};

use super::super::inbox::SharedInbox;

/// A frame that came on demand is asked about without asking for another, up to this age.
const FRESH: Duration = Duration::from_millis(250);
/// Browsers ignore a second request for a key frame within half a second of the first.
const KEY_FRAME_WAIT: Duration = Duration::from_millis(500);
/// Each of them, and the frame that it brings, may be lost on a bad network.
const KEY_FRAME_TRIES: u32 = 4;
/// How often a source that sends nothing is reminded.
const REMINDER: Duration = Duration::from_secs(1);

/// Whoever sends the video.
pub(super) struct Source {
    element: glib::WeakRef<gst::Element>,
    inbox: SharedInbox,
    /// When the last question began; questions on demand keep the interval from there.
    last_asked: Option<Instant>,
    /// Whether frames asked for have not come; then no turn is taken before one does.
    is_silent: bool,
}

impl Source {
    pub(super) fn new(element: glib::WeakRef<gst::Element>, inbox: SharedInbox) -> Self {
        Self { element, inbox, last_asked: None, is_silent: false }
    }

    /// The next question need not keep the interval.
    pub(super) fn ask_at_once(&mut self) {
        self.last_asked = None;
    }

    /// Whether it is time for the next question.
    pub(super) fn is_due(&self, interval: Duration) -> bool {
        self.last_asked.is_some_and(|last| last.elapsed() >= interval)
    }

    /// Whether it has sent frames, and will.
    pub(super) fn sends(&self) -> bool {
        self.inbox.last_arrival().is_some() && !self.is_silent && !self.inbox.has_ended()
    }

    /// Waits until a question on demand is due and the source sends frames; false when the stream
    /// has ended.
    pub(super) async fn next(&self, interval: Duration) -> bool {
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

    /// Begins a question: sees to it that the newest frame is fresh. False when the source sends
    /// none.
    pub(super) async fn fresh_frame(&mut self) -> bool {
        let began = Instant::now();
        let is_fresh = self.has_fresh_frame().await;
        self.is_silent = !is_fresh;
        self.last_asked = Some(began);
        is_fresh
    }

    async fn has_fresh_frame(&self) -> bool {
        if self.inbox.newest_arrival().is_some_and(|arrived| arrived.elapsed() <= FRESH) {
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

    pub(super) fn request_key_frame(&self) {
        let Some(pad) = self.element.upgrade().and_then(|element| element.static_pad("sink"))
        else {
            return;
        };
        let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
        pad.push_event(event);
    }
}
