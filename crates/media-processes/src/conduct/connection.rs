//! What may come of one connection.

use std::time::Instant;

use live_vlm_media_link::FromMedia;

use super::asking::{Asking, Verdict, Wrong};
use crate::bucket::Bucket;

/// How often frames may be wanted at once, and a second: an honest process wants half of that.
const WISHES: [u64; 2] = [40, 20];

/// A connection that a media process has, as far as what it says must be in order.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) asking: Asking,
    is_answered: bool,
    is_connected: bool,
    has_frame: bool,
    is_lost: bool,
    wishes: Bucket,
    /// We want it to end.
    pub(super) is_stopping: bool,
}

impl Default for Connection {
    fn default() -> Self {
        let [at_once, a_second] = WISHES;
        Self {
            asking: Asking::default(),
            is_answered: false,
            is_connected: false,
            has_frame: false,
            is_lost: false,
            wishes: Bucket::new(at_once, a_second),
            is_stopping: false,
        }
    }
}

/// Marks that something has happened, which may be once.
fn once(has_happened: &mut bool, twice: Wrong) -> Result<Verdict, Wrong> {
    if std::mem::replace(has_happened, true) { Err(twice) } else { Ok(Verdict::Counts) }
}

impl Connection {
    /// Judges a message about it.
    pub(super) fn hear(&mut self, message: &FromMedia, now: Instant) -> Result<Verdict, Wrong> {
        let verdict = self.judge(message, now)?;
        let is_last = matches!(
            message,
            FromMedia::Stopped { .. } | FromMedia::Answered { result: Err(_), .. }
        );
        let comes_late = self.is_stopping && !is_last;
        Ok(if comes_late { Verdict::TooLate } else { verdict })
    }

    fn judge(&mut self, message: &FromMedia, now: Instant) -> Result<Verdict, Wrong> {
        match message {
            FromMedia::Answered { .. } => {
                once(&mut self.is_answered, "answered an offer a second time")
            }
            FromMedia::Stopped { .. } if !self.is_stopping => {
                Err("ended a connection that was to go on")
            }
            FromMedia::Stopped { .. } => Ok(Verdict::Counts),
            FromMedia::Lost { .. } => once(&mut self.is_lost, "lost a peer a second time"),
            FromMedia::Connected { .. } if self.is_lost => {
                Err("connected with a peer that it had lost")
            }
            FromMedia::Connected { .. } => {
                once(&mut self.is_connected, "connected with a peer a second time")
            }
            FromMedia::FirstFrame { .. } if self.is_lost => {
                Err("had a frame of a peer that it had lost")
            }
            FromMedia::FirstFrame { .. } if !self.is_connected => {
                Err("had a frame of a peer before the connection")
            }
            FromMedia::FirstFrame { .. } => {
                once(&mut self.has_frame, "had a first frame a second time")
            }
            FromMedia::FrameWanted { .. } if !self.is_answered => {
                Err("wanted a frame of a peer that has no answer")
            }
            FromMedia::FrameWanted { .. } if !self.wishes.take(1, now) => {
                Err("wanted more frames than it may")
            }
            FromMedia::Want { .. } => self.asking.want(),
            FromMedia::GiveUp { .. } => self.asking.give_up(),
            FromMedia::Question { .. } | FromMedia::NoQuestion { .. } => self.asking.reply(),
            _ => Ok(Verdict::Counts),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use live_vlm_media_link::{Answered, Codec, ConnectionId};

    use super::*;

    #[test]
    fn frames_may_be_wanted_of_a_peer_with_an_answer_and_not_without_end() {
        let (connection, spacing) = (ConnectionId(1), Duration::ZERO);
        let wish = FromMedia::FrameWanted { connection, frames: 1, spacing };
        let (mut known, now) = (Connection::default(), Instant::now());
        assert_eq!(known.hear(&wish, now), Err("wanted a frame of a peer that has no answer"));
        let (sdp, codec) = (String::new(), Codec::Vp8);
        let answered = Ok(Answered { sdp, codec, found_all: true, goes_back: false });
        known.hear(&FromMedia::Answered { connection, result: answered }, now).unwrap();
        for (at_once, now) in [(40, now), (10, now + Duration::from_millis(500))] {
            for _ in 0..at_once {
                assert_eq!(known.hear(&wish, now), Ok(Verdict::Counts));
            }
            assert_eq!(known.hear(&wish, now), Err("wanted more frames than it may"));
        }
    }
}
