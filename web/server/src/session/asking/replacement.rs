use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::Notify;

use super::Source;

/// What is to be asked about next, in place of what is asked about now. Only the newest counts. The
/// lock is a leaf.
#[derive(Debug, Default)]
pub(super) struct Replacement {
    source: Mutex<Option<Source>>,
    is_there: AtomicBool,
    put: Notify,
}

impl Replacement {
    pub(super) fn put(&self, source: Source) {
        let before = self.lock().replace(source);
        self.is_there.store(true, Ordering::Release);
        self.put.notify_one();
        drop(before);
    }

    pub(super) fn is_there(&self) -> bool {
        self.is_there.load(Ordering::Acquire)
    }

    /// Waits until there is one. If the future is dropped, nothing is lost.
    pub(super) async fn there(&self) {
        while !self.is_there() {
            self.put.notified().await;
        }
    }

    /// Waits for one, and takes it.
    pub(super) async fn take(&self) -> Source {
        loop {
            self.there().await;
            let mut source = self.lock();
            self.is_there.store(false, Ordering::Release);
            if let Some(source) = source.take() {
                return source;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Source>> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
