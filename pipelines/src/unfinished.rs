use std::sync::atomic::{AtomicUsize, Ordering};

/// So many bytes of packets without a frame mean that the depayloader waits for a key frame, which
/// it does not always say.
const OVERDUE: usize = 4 << 20;
/// The most bytes of packets without a frame, for a depayloader keeps them until it is complete.
/// The largest key frames of 4096x2304 have a quarter.
pub(crate) const MOST: usize = 16 << 20;

/// Counts what went into a depayloader since a frame came out of it. Pure but for being shared.
#[derive(Debug, Default)]
pub(crate) struct Unfinished(AtomicUsize);

/// What a packet means that is one of too many, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backlog {
    Usual,
    /// A key frame must be asked for.
    Overdue,
    /// Whatever the peer sends, it is no video.
    TooMuch,
}

impl Unfinished {
    /// A packet of so many bytes went in.
    pub(crate) fn took(&self, bytes: usize) -> Backlog {
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        let now = before.saturating_add(bytes);
        if now > MOST {
            Backlog::TooMuch
        } else if before / OVERDUE < now / OVERDUE {
            Backlog::Overdue
        } else {
            Backlog::Usual
        }
    }

    /// A frame came out.
    pub(crate) fn gave(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: usize = 1200;

    #[test]
    fn frames_that_come_mean_that_nothing_waits() {
        let unfinished = Unfinished::default();
        for _ in 0..100 {
            assert!((0..MOST / 5 / PACKET).all(|_| unfinished.took(PACKET) == Backlog::Usual));
            unfinished.gave();
        }
    }

    #[test]
    fn a_key_frame_is_asked_for_now_and_then_before_it_is_too_much() {
        let unfinished = Unfinished::default();
        let packets: Vec<_> = (0..=MOST / PACKET).map(|_| unfinished.took(PACKET)).collect();
        let count = |wanted| packets.iter().filter(|backlog| **backlog == wanted).count();
        assert_eq!((count(Backlog::Overdue), count(Backlog::TooMuch)), (3, 1));
        assert_eq!(packets.last(), Some(&Backlog::TooMuch));
        unfinished.gave();
        assert_eq!(unfinished.took(PACKET), Backlog::Usual);
    }
}
