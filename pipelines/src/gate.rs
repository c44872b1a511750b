use std::time::Duration;

use live_vlm_media_link::SamplingSettings;

/// What of a peer's video is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeMode {
    /// Only key frames; every other frame is dropped before the decoder. The element asks the
    /// peer for a key frame when its turn comes near. Costs a tenth of decoding everything.
    KeyFramesOnly,
    /// Every frame.
    All,
    /// Every frame, of a peer that sends one when it is told that one is wanted, and none else.
    /// Key frames are asked for after a loss only. Costs least.
    Wanted,
}

impl DecodeMode {
    /// Browsers ignore requests for key frames that come faster than about two a second.
    const SHORTEST_ON_DEMAND: Duration = Duration::from_millis(700);

    /// The cheapest mode that still gives a fresh frame for each question: those that are wanted,
    /// if the peer sends them so; else key frames only for intervals from 700 ms on, and all frames
    /// for shorter ones.
    pub fn of(settings: &SamplingSettings) -> Self {
        match settings.interval {
            _ if settings.frames_on_demand => Self::Wanted,
            short if short < Self::SHORTEST_ON_DEMAND => Self::All,
            _ => Self::KeyFramesOnly,
        }
    }

    /// Whether frames arrive only when they are asked for.
    pub fn is_on_demand(self) -> bool {
        self != Self::All
    }

    /// Whether a lost frame is missed by those after it.
    pub(crate) fn decodes_deltas(self) -> bool {
        self != Self::KeyFramesOnly
    }
}

/// Decides which encoded frames reach the decoder. Pure: it knows neither pads nor time.
#[derive(Debug)]
pub(crate) struct Gate {
    mode: DecodeMode,
    /// The decoder lacks what a delta frame builds on.
    needs_key_frame: bool,
    /// No key frame has come yet. The first one is easily lost: it is sent while the connection
    /// is coming about.
    is_new: bool,
    /// Frames dropped for want of a key frame since one was asked for.
    wanting: u32,
    closed: bool,
}

/// Frames to wait for a key frame before asking again: half a second's. Browsers ignore requests
/// that come faster.
const PATIENCE: u32 = 15;

/// What becomes of an encoded frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    Drop,
    /// Drop it, and ask the peer for a key frame, without which nothing can be decoded.
    DropAndAsk,
}

/// An encoded frame, as far as the gate cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame {
    Key,
    Delta,
}

impl Gate {
    pub(crate) fn new(mode: DecodeMode) -> Self {
        Self { mode, needs_key_frame: true, is_new: true, wanting: PATIENCE - 1, closed: false }
    }

    /// Changes the mode. Answers whether the peer must be asked for a key frame.
    #[must_use]
    pub(crate) fn set_mode(&mut self, mode: DecodeMode) -> bool {
        let changed = self.mode != mode;
        self.mode = mode;
        let asks = changed && mode.decodes_deltas() && self.needs_key_frame;
        if asks {
            self.wanting = 0;
        }
        asks
    }

    pub(crate) fn mode(&self) -> DecodeMode {
        self.mode
    }

    /// Nothing passes any more.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// Whether this frame goes to the decoder.
    pub(crate) fn judge(&mut self, frame: Frame) -> Verdict {
        if self.closed {
            return Verdict::Drop;
        }
        match (self.mode, frame) {
            (_, Frame::Key) => {
                self.needs_key_frame = false;
                self.is_new = false;
                self.wanting = 0;
                Verdict::Pass
            }
            (mode, Frame::Delta) if mode.decodes_deltas() && !self.needs_key_frame => Verdict::Pass,
            (mode, Frame::Delta) => {
                self.needs_key_frame = true;
                if self.is_new || mode.decodes_deltas() { self.want() } else { Verdict::Drop }
            }
        }
    }

    /// A frame that passed is not given to the decoder after all. What builds on it is not either.
    pub(crate) fn withhold(&mut self) -> Verdict {
        self.needs_key_frame = true;
        if self.mode.decodes_deltas() { self.want() } else { Verdict::Drop }
    }

    fn want(&mut self) -> Verdict {
        self.wanting += 1;
        // Of frames that are wanted one by one, the next is as far as somebody is patient.
        if self.wanting < PATIENCE && self.mode != DecodeMode::Wanted {
            return Verdict::Drop;
        }
        self.wanting = 0;
        Verdict::DropAndAsk
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DecodeMode::{All, KeyFramesOnly, Wanted};
    use Frame::{Delta, Key};

    fn passed(gate: &mut Gate, frames: &[Frame]) -> Vec<bool> {
        frames.iter().map(|frame| gate.judge(*frame) == Verdict::Pass).collect()
    }

    #[test]
    fn key_frames_only_drops_every_delta() {
        let mut gate = Gate::new(KeyFramesOnly);
        assert_eq!(
            passed(&mut gate, &[Delta, Key, Delta, Delta, Key, Delta]),
            [false, true, false, false, true, false]
        );
    }

    #[test]
    fn all_begins_with_a_key_frame() {
        let mut gate = Gate::new(All);
        assert_eq!(passed(&mut gate, &[Delta, Key, Delta, Delta]), [false, true, true, true]);
    }

    #[test]
    fn a_switch_to_all_waits_for_the_next_key_frame_and_asks_for_it() {
        let mut gate = Gate::new(KeyFramesOnly);
        passed(&mut gate, &[Key, Delta]);
        assert!(gate.set_mode(All));
        assert_eq!(passed(&mut gate, &[Delta, Key, Delta]), [false, true, true]);
        assert!(!gate.set_mode(All), "nothing changed");
    }

    #[test]
    fn a_switch_to_all_right_after_a_key_frame_goes_on_from_it() {
        let mut gate = Gate::new(KeyFramesOnly);
        passed(&mut gate, &[Key]);
        assert!(!gate.set_mode(All));
        assert_eq!(passed(&mut gate, &[Delta]), [true]);
    }

    #[test]
    fn what_builds_on_a_withheld_frame_is_dropped_and_a_new_start_asked_for() {
        let mut gate = Gate::new(All);
        passed(&mut gate, &[Key, Delta]);
        assert_eq!(gate.withhold(), Verdict::Drop);
        let verdicts: Vec<Verdict> = (1..PATIENCE).map(|_| gate.judge(Delta)).collect();
        assert_eq!(verdicts.iter().position(|v| *v == Verdict::DropAndAsk), Some(13));
        assert_eq!(passed(&mut gate, &[Key, Delta]), [true, true]);
        let mut gate = Gate::new(KeyFramesOnly);
        passed(&mut gate, &[Key]);
        assert_eq!(gate.withhold(), Verdict::Drop);
        assert!(gate.set_mode(All), "nothing is there to go on from");
    }

    #[test]
    fn a_switch_back_asks_for_nothing() {
        let mut gate = Gate::new(All);
        passed(&mut gate, &[Key, Delta]);
        assert!(!gate.set_mode(KeyFramesOnly));
        assert_eq!(passed(&mut gate, &[Delta, Key]), [false, true]);
    }

    #[test]
    fn a_closed_gate_admits_nothing() {
        let mut gate = Gate::new(All);
        gate.close();
        assert_eq!(passed(&mut gate, &[Key, Delta]), [false, false]);
    }

    #[test]
    fn a_lost_first_key_frame_is_asked_for_until_it_comes() {
        for mode in [All, KeyFramesOnly] {
            let mut gate = Gate::new(mode);
            assert_eq!(gate.judge(Delta), Verdict::DropAndAsk);
            let rest: Vec<Verdict> = (0..2 * PATIENCE).map(|_| gate.judge(Delta)).collect();
            let asked = rest.iter().filter(|verdict| **verdict == Verdict::DropAndAsk).count();
            assert_eq!(asked, 2, "{mode:?}");
            assert_eq!(gate.judge(Key), Verdict::Pass);
        }
    }

    #[test]
    fn who_decodes_on_demand_asks_on_its_own() {
        let mut gate = Gate::new(KeyFramesOnly);
        passed(&mut gate, &[Key]);
        assert!((0..5 * PATIENCE).all(|_| gate.judge(Delta) == Verdict::Drop));
    }

    #[test]
    fn an_ignored_request_is_repeated() {
        let mut gate = Gate::new(KeyFramesOnly);
        passed(&mut gate, &[Key, Delta]);
        assert!(gate.set_mode(All));
        let verdicts: Vec<Verdict> = (0..PATIENCE).map(|_| gate.judge(Delta)).collect();
        assert_eq!(verdicts.iter().position(|v| *v == Verdict::DropAndAsk), Some(14));
    }

    #[test]
    fn slow_questions_decode_key_frames_only_where_frames_cannot_be_wanted() {
        let mode = |ms, frames_on_demand| {
            let interval = Duration::from_millis(ms);
            DecodeMode::of(&SamplingSettings { interval, frames_on_demand, ..Default::default() })
        };
        assert_eq!([0, 699, 700].map(|ms| mode(ms, false)), [All, All, KeyFramesOnly]);
        assert_eq!([0, 700].map(|ms| mode(ms, true)), [Wanted, Wanted]);
    }

    #[test]
    fn of_wanted_frames_all_are_decoded_and_each_that_cannot_be_asks_for_a_key_frame() {
        let mut gate = Gate::new(Wanted);
        assert_eq!(gate.judge(Delta), Verdict::DropAndAsk);
        assert_eq!(gate.judge(Delta), Verdict::DropAndAsk);
        assert_eq!(passed(&mut gate, &[Key, Delta, Delta]), [true, true, true]);
        assert_eq!(gate.withhold(), Verdict::DropAndAsk);
        assert_eq!(gate.judge(Delta), Verdict::DropAndAsk);
        let mut gate = Gate::new(KeyFramesOnly);
        passed(&mut gate, &[Key, Delta]);
        assert!(gate.set_mode(Wanted), "nothing is there to go on from");
    }
}
