//! How a connection wants a turn, gets it and uses it.

/// What is to be done with a message that is in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is to be acted on.
    Counts,
    /// It crossed with something of ours that made it void.
    TooLate,
}

/// A connection's want, from when it is told to when it is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asking {
    stage: Stage,
    /// The media process has given the want up.
    is_given_up: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// None. What the last one still had to say may cross with our having ended it.
    Idle { reply: bool, give_up: bool },
    /// It waits for its turn.
    Waits,
    /// It has its turn.
    HasTurn,
    /// It has used it.
    HasAsked,
}

impl Default for Asking {
    fn default() -> Self {
        Self { stage: Stage::Idle { reply: false, give_up: false }, is_given_up: false }
    }
}

/// What it did, as a breach says it.
pub(super) type Wrong = &'static str;

impl Asking {
    pub(super) fn want(&mut self) -> Result<Verdict, Wrong> {
        match self.stage {
            Stage::Idle { .. } => {
                *self = Self { stage: Stage::Waits, is_given_up: false };
                Ok(Verdict::Counts)
            }
            _ => Err("told of a second want"),
        }
    }

    pub(super) fn give_up(&mut self) -> Result<Verdict, Wrong> {
        match &mut self.stage {
            Stage::Idle { give_up, .. } if *give_up => {
                *give_up = false;
                Ok(Verdict::TooLate)
            }
            Stage::Idle { .. } => Err("gave up a want that was not there"),
            _ if self.is_given_up => Err("gave up a want twice"),
            _ => {
                self.is_given_up = true;
                Ok(Verdict::Counts)
            }
        }
    }

    /// The reply to a turn: a question, or that there is none.
    pub(super) fn reply(&mut self) -> Result<Verdict, Wrong> {
        match &mut self.stage {
            Stage::Idle { reply, .. } if *reply => {
                *reply = false;
                Ok(Verdict::TooLate)
            }
            Stage::HasTurn => {
                self.stage = Stage::HasAsked;
                Ok(if self.is_given_up { Verdict::TooLate } else { Verdict::Counts })
            }
            Stage::HasAsked => Err("used a turn twice"),
            Stage::Idle { .. } | Stage::Waits => Err("used a turn that it did not have"),
        }
    }

    /// Whether it may be told that its turn is near.
    pub(super) fn waits(&self) -> bool {
        self.stage == Stage::Waits && !self.is_given_up
    }

    /// Gives the turn; false if nobody waits for it any more.
    pub(super) fn give_turn(&mut self) -> bool {
        let waits = self.waits();
        if waits {
            self.stage = Stage::HasTurn;
        }
        waits
    }

    /// Ends the want; false if there is none.
    pub(super) fn end(&mut self) -> bool {
        let reply = match self.stage {
            Stage::Idle { .. } => return false,
            Stage::HasTurn => true,
            Stage::Waits | Stage::HasAsked => false,
        };
        self.stage = Stage::Idle { reply, give_up: !self.is_given_up };
        true
    }
}
