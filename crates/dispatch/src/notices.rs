//! What a member is told of its turn, from the decision until it looks.

use std::{
    sync::{Mutex, MutexGuard},
    time::Instant,
};

use tokio::sync::Notify;

use crate::{
    core::{BackendId, Event},
    lock::lock,
};

/// A member's notices. Its mutex is a leaf.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    pending: Mutex<PendingNotices>,
    woken: Notify,
}

/// What was told since the member last looked.
#[derive(Debug, Default)]
pub(crate) struct PendingNotices {
    pub(crate) near: bool,
    pub(crate) turn: Option<BackendId>,
    pub(crate) unavailable: Option<Instant>,
    back: bool,
}

impl Notices {
    pub(crate) fn tell(&self, event: Event) {
        let mut pending = self.lock();
        match event {
            Event::Near(_) => pending.near = true,
            Event::Turn(_, backend) => pending.turn = Some(backend),
            Event::Unavailable(_, until) => pending.unavailable = Some(until),
            Event::Back(_) => pending.back = true,
        }
    }

    /// Has the member look.
    pub(crate) fn wake(&self) {
        self.woken.notify_one();
    }

    /// Waits until the member is to look. One task waits at a time.
    pub(crate) async fn woken(&self) {
        self.woken.notified().await;
    }

    pub(crate) fn take(&self) -> PendingNotices {
        std::mem::take(&mut *self.lock())
    }

    /// Whether a backend was seen again. Takes that notice, and leaves the others.
    pub(crate) fn take_back(&self) -> bool {
        std::mem::take(&mut self.lock().back)
    }

    fn lock(&self) -> MutexGuard<'_, PendingNotices> {
        lock(&self.pending)
    }
}
