//! Whether there is anything new to see, for `min-change`.

use std::sync::Arc;

use super::super::{sample::Frame, shared::Run};
use crate::change::{Thumbnail, Thumbnails};

pub(super) struct Novelty {
    run: Arc<Run>,
    thumbnails: Thumbnails,
    /// What the frame looked like that was asked about last.
    seen: Option<Thumbnail>,
    /// Whether the next question is asked whatever the picture looks like.
    pub(super) look_anyway: bool,
}

impl Novelty {
    pub(super) fn new(run: Arc<Run>) -> Self {
        Self { run, thumbnails: Thumbnails::default(), seen: None, look_anyway: false }
    }

    /// Whether a frame was asked about that others can be compared with.
    pub(super) fn has_seen(&self) -> bool {
        self.seen.is_some()
    }

    /// This is asked about.
    pub(super) fn see(&mut self, now: Thumbnail) {
        self.seen = Some(now);
    }

    pub(super) fn thumbnail(&mut self, frame: &Frame) -> Option<Thumbnail> {
        match frame {
            Frame::Raw(frame) => self.thumbnails.of(&frame.buffer, &frame.caps),
            Frame::Encoded(_) => None,
        }
    }

    /// Whether there is nothing new to see. Counts it.
    pub(super) fn is_old(&self, now: &Thumbnail, min_change: f64) -> bool {
        let is_old = self.seen.as_ref().is_some_and(|seen| seen.change(now) < min_change);
        if is_old {
            self.run.count(|counters| counters.unchanged += 1);
        }
        is_old
    }
}
