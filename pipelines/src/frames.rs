//! How many frames of a peer connection came, and what became of them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use gst::{glib, prelude::*};
use live_vlm_media_link::FrameCounts;

use crate::properties::get_if_present;

/// Reads a connection's [`FrameCounts`] from any thread, even when the connection has ended: they
/// then stay what they were when last read. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FrameCounter {
    frames: Arc<Frames>,
    analyzer: glib::WeakRef<gst::Element>,
}

#[derive(Debug, Default)]
pub(crate) struct Frames {
    received: AtomicU64,
    decoded: AtomicU64,
    asked: AtomicU64,
    unchanged: AtomicU64,
}

impl Frames {
    /// A frame came to the gate.
    pub(crate) fn came(&self, passes: bool) {
        self.received.fetch_add(1, Ordering::Relaxed);
        if passes {
            self.decoded.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl FrameCounter {
    pub(crate) fn new(frames: Arc<Frames>, analyzer: &gst::Element) -> Self {
        Self { frames, analyzer: analyzer.downgrade() }
    }

    /// How many encoded frames have come from the peer, which costs less to read than all.
    pub fn received(&self) -> u64 {
        self.frames.received.load(Ordering::Relaxed)
    }

    /// The counts so far. They never fall.
    pub fn read(&self) -> FrameCounts {
        let stats = self.analyzer.upgrade().and_then(|analyzer| stats(&analyzer));
        let newest = |field: &str, known: &AtomicU64| {
            let now = stats.as_ref().and_then(|stats| stats.get::<u64>(field).ok());
            let now = now.unwrap_or_default();
            known.fetch_max(now, Ordering::Relaxed).max(now)
        };
        FrameCounts {
            received: self.received(),
            decoded: self.frames.decoded.load(Ordering::Relaxed),
            asked: newest("questions", &self.frames.asked),
            unchanged: newest("samples-unchanged", &self.frames.unchanged),
        }
    }
}

/// The `vlm-stats` of an element that has any.
fn stats(analyzer: &gst::Element) -> Option<gst::Structure> {
    get_if_present::<gst::Structure>(analyzer, "stats")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_as_they_come_and_as_they_pass() {
        let frames = Arc::new(Frames::default());
        let analyzer = crate::analyze::element().unwrap();
        let counter = FrameCounter::new(Arc::clone(&frames), &analyzer);
        for passes in [true, false, false] {
            frames.came(passes);
        }
        assert_eq!(counter.read(), FrameCounts { received: 3, decoded: 1, asked: 0, unchanged: 0 });
    }

    #[test]
    fn counts_stay_when_the_element_is_gone() {
        let frames = Arc::new(Frames::default());
        frames.asked.store(7, Ordering::Relaxed);
        let analyzer = crate::analyze::element().unwrap();
        let counter = FrameCounter::new(frames, &analyzer);
        drop(analyzer);
        assert_eq!(counter.read().asked, 7);
    }

    #[test]
    fn questions_are_read_from_the_elements_statistics() {
        let analyzer = crate::analyze::element().unwrap();
        let stats = stats(&analyzer).unwrap();
        assert_eq!(stats.name(), "vlm-stats");
        assert_eq!(stats.get::<u64>("questions").unwrap(), 0);
        assert_eq!(stats.get::<u64>("samples-unchanged").unwrap(), 0);
    }
}
