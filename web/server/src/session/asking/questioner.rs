//! What asks, whatever it is about: from a question to the next one.

use std::{sync::Arc, time::Duration};

use live_vlm_ask::{Asker, Changes, Failure, Outcome};
use tokio::sync::watch;

use super::{AskEvent, AskSettings, replacement::Replacement, telling::Telling};
use crate::session::answers::AnswerError;

/// How often a question is asked again after a failure that may pass.
const RETRIES: u32 = 2;
/// A turn that follows at once is kept for a source for so long.
pub(super) const NEXT_WANT: Duration = Duration::from_secs(1);

/// What asks, whatever it is about.
pub(super) struct Questioner {
    pub(super) asker: Asker,
    pub(super) telling: Telling,
    pub(super) settings: watch::Receiver<AskSettings>,
    pub(super) changes: Changes,
    /// What is to be asked about next.
    pub(super) replacement: Arc<Replacement>,
}

/// How a question ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    /// The next one is to be asked at once.
    pub(super) at_once: bool,
    /// The next one is due already, and has its place in the queue.
    pub(super) has_place: bool,
}

impl Questioner {
    /// What follows from a question; `None`: it was dropped.
    pub(super) async fn follow<C>(&mut self, outcome: Option<Outcome<C>>) -> Ended {
        let (at_once, has_place) = match outcome {
            Some(Outcome::Answered { again }) => (again, again),
            Some(Outcome::Cancelled) => (true, false),
            Some(Outcome::Nothing) => (false, false),
            Some(Outcome::Failed(failure, _)) => (self.follow_failure(failure).await, false),
            None => {
                self.telling.cancelled();
                (false, false)
            }
        };
        Ended { at_once, has_place }
    }

    /// Tells of a failure, and leaves the VLM alone for a while. True if the next question is to be
    /// asked at once then.
    async fn follow_failure(&mut self, failure: Failure) -> bool {
        let next = self.asker.failed(&failure, RETRIES);
        if next.is_told {
            let Failure { kind, message, limit, .. } = failure;
            let retry_in_ms = u64::try_from(next.after.as_millis()).unwrap_or(u64::MAX);
            let seq = self.asker.seq();
            let error = AnswerError { seq, kind, message, retry_in_ms, limit };
            self.telling.report(AskEvent::Failed(error));
        }
        let has_changed = self.asker.wait_after(next, &mut self.changes).await;
        next.retry || has_changed
    }
}
