//! What the asking task is told meanwhile.

use tokio::sync::watch;

use super::super::shared::Shared;

pub(super) struct Changes {
    /// An answer in flight has become worthless.
    pub(super) question: watch::Receiver<u64>,
    /// When to ask has changed.
    pub(super) schedule: watch::Receiver<u64>,
    /// Somebody wants the next question at once.
    pub(super) now: watch::Receiver<u64>,
}

impl Changes {
    /// Those from now on.
    pub(super) fn of(shared: &Shared) -> Self {
        Self {
            question: shared.question_changes(),
            schedule: shared.schedule_changes(),
            now: shared.wishes_for_now(),
        }
    }
}
