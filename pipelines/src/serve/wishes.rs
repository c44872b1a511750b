//! What is made of wishes for frames, and of a peer that sends them unasked.

use std::time::{Duration, Instant};

/// How many frames may be wanted at once, and in which time one more. live-vlm takes twice that for
/// dishonest.
const AT_ONCE: u32 = 20;
const ONE_MORE: Duration = Duration::from_millis(100);

/// Bounds how often frames are wanted, whatever the element does: pure.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    /// When all of them may be wanted again.
    full_at: Option<Instant>,
}

impl Wishes {
    /// Whether one may be wanted now, which it then is.
    pub(super) fn may(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.filter(|at| *at > now).unwrap_or(now) + ONE_MORE;
        let may = full_at - now <= ONE_MORE * AT_ONCE;
        if may {
            self.full_at = Some(full_at);
        }
        may
    }
}

/// Frames a second beyond which a peer does not wait for wishes.
const FLOOD: u64 = 20;
/// So many seconds in a row of them are no remainder of what it sent before.
const SECONDS: u32 = 3;

/// Whether a peer sends frames on demand, as it has promised: looked at each second; pure. Of one that
/// does not, only key frames are decoded.
#[derive(Debug, Default)]
pub(super) struct Obedience {
    received: u64,
    floods: u32,
}

impl Obedience {
    /// So many frames have come by now. Whether it keeps its promise.
    pub(super) fn look(&mut self, received: u64) -> bool {
        let came = received.saturating_sub(self.received);
        self.received = received;
        self.floods = if came > FLOOD { self.floods.saturating_add(1) } else { 0 };
        self.floods < SECONDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_not_wanted_without_end() {
        let (mut wishes, now) = (Wishes::default(), Instant::now());
        assert_eq!((0..100).filter(|_| wishes.may(now)).count(), 20);
        assert!(!wishes.may(now + ONE_MORE / 2));
        assert!(wishes.may(now + ONE_MORE));
        assert_eq!((0..100).filter(|_| wishes.may(now + ONE_MORE * 11)).count(), 10);
    }

    #[test]
    fn who_sends_all_frames_unasked_is_noticed_and_forgiven() {
        let mut obedience = Obedience::default();
        let kept: Vec<bool> =
            [30, 60, 62, 92, 122, 152, 182, 183].map(|frames| obedience.look(frames)).to_vec();
        assert_eq!(kept, [true, true, true, true, true, false, false, true]);
    }
}
