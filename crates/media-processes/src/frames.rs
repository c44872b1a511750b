//! How many frames of a connection came, and what became of them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use live_vlm_media_link::FrameCounts;

/// Frames so far, as the media process has told.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    received: AtomicU64,
    decoded: AtomicU64,
    asked: AtomicU64,
    unchanged: AtomicU64,
}

impl Frames {
    /// They never fall, whatever is told.
    pub(crate) fn tell(&self, counts: FrameCounts) {
        self.received.fetch_max(counts.received, Ordering::Relaxed);
        self.decoded.fetch_max(counts.decoded, Ordering::Relaxed);
        self.asked.fetch_max(counts.asked, Ordering::Relaxed);
        self.unchanged.fetch_max(counts.unchanged, Ordering::Relaxed);
    }
}

/// Reads a connection's [`FrameCounts`] from any thread, even when the connection has ended: they
/// then stay what they were. They are a second old at most while it runs. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct FrameCounter(pub(crate) Arc<Frames>);

impl FrameCounter {
    /// How many encoded frames have come from the peer.
    pub fn received(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }

    /// The counts so far. They never fall.
    pub fn read(&self) -> FrameCounts {
        FrameCounts {
            received: self.received(),
            decoded: self.0.decoded.load(Ordering::Relaxed),
            asked: self.0.asked.load(Ordering::Relaxed),
            unchanged: self.0.unchanged.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_never_fall_whatever_is_told() {
        let counter = FrameCounter::default();
        let counts = |received, decoded, asked, unchanged| FrameCounts {
            received,
            decoded,
            asked,
            unchanged,
        };
        counter.0.tell(counts(5, 4, 3, 1));
        counter.0.tell(counts(1, 6, 2, 2));
        assert_eq!(counter.read(), counts(5, 6, 3, 2));
    }
}
