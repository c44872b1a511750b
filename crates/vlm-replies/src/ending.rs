//! Whether an answer is at its end, by when its server says why the model stopped: some say `stop`
//! in every event. Pure.

use super::stops::Stop;

/// How sure it is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Nothing was said of an end.
    #[default]
    Open,
    /// A reason came with the first piece of the answer, or before it. That piece may be all.
    Early,
    /// A reason came behind the answer, or with its last piece.
    Sure,
    /// More of the answer came behind a reason.
    Doubtful,
}

impl Ending {
    /// What it is after an event: whether that `says` anything of the answer, and something
    /// `has_been_said` by those before it, and the reason in it.
    pub(crate) fn after(self, says: bool, has_been_said: bool, reason: Option<Stop>) -> Self {
        match (self, reason) {
            // Nobody says in every event that a filter stepped in.
            (_, Some(stop)) if stop != Stop::Said => Self::Sure,
            (Self::Early | Self::Sure | Self::Doubtful, _) if says => Self::Doubtful,
            (_, None) => self,
            (_, Some(_)) if has_been_said => Self::Sure,
            (_, Some(_)) => Self::Early,
        }
    }

    /// Whether the answer is complete although it was cut off.
    pub fn is_complete(self) -> bool {
        matches!(self, Self::Early | Self::Sure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOP: Option<Stop> = Some(Stop::Said);

    /// After events that each say something or not, with a reason or not.
    fn after(events: &[(bool, Option<Stop>)]) -> Ending {
        let mut has_been_said = false;
        let mut ending = Ending::default();
        for (says, reason) in events {
            ending = ending.after(*says, has_been_said, *reason);
            has_been_said |= says;
        }
        ending
    }

    #[test]
    fn a_reason_is_an_end_when_nothing_of_the_answer_follows() {
        for (events, ending) in [
            (&[(true, None), (true, None)][..], Ending::Open),
            (&[(true, None), (false, STOP)], Ending::Sure),
            (&[(true, None), (true, STOP)], Ending::Sure),
            (&[(true, None), (false, STOP), (false, None)], Ending::Sure),
            (&[(true, STOP)], Ending::Early),
            (&[(false, STOP)], Ending::Early),
            (&[(true, STOP), (false, STOP)], Ending::Sure),
            (&[(true, STOP), (true, STOP)], Ending::Doubtful),
            (&[(false, STOP), (true, STOP)], Ending::Doubtful),
            (&[(true, STOP), (true, STOP), (true, STOP)], Ending::Doubtful),
            (&[(true, STOP), (true, STOP), (false, STOP)], Ending::Sure),
            (&[(true, None), (true, STOP), (true, None)], Ending::Doubtful),
            (&[(false, Some(Stop::Filtered))], Ending::Sure),
            (&[(true, Some(Stop::Length))], Ending::Sure),
        ] {
            assert_eq!(after(events), ending, "{events:?}");
        }
    }
}
