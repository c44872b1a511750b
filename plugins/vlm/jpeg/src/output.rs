//! What comes out of an encoder, on whichever thread it comes.
//!
//! The mutex is a leaf: while it is held nothing is waited for but its own condition variable, and
//! nothing else is locked.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::lock::lock;

/// What has come since the frame went in.
#[derive(Default)]
pub(super) struct Got {
    pub(super) jpeg: Option<gst::Buffer>,
    /// What an element has said.
    pub(super) error: Option<String>,
    /// Nothing more comes.
    pub(super) ended: bool,
}

#[derive(Default)]
pub(super) struct Output {
    got: Mutex<Got>,
    changed: Condvar,
}

impl Output {
    pub(super) fn clear(&self) {
        *self.lock() = Got::default();
    }

    pub(super) fn got_jpeg(&self, jpeg: gst::Buffer) {
        self.lock().jpeg.get_or_insert(jpeg);
        self.changed.notify_all();
    }

    pub(super) fn got_error(&self, error: String) {
        self.lock().error.get_or_insert(error);
        self.changed.notify_all();
    }

    pub(super) fn got_end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// What has come by now.
    pub(super) fn take(&self) -> Got {
        std::mem::take(&mut *self.lock())
    }

    /// Waits for a picture, an error or the end, but not longer than `longest`.
    pub(super) fn wait(&self, longest: Duration) -> Got {
        let until = Instant::now() + longest;
        let mut got = self.lock();
        while got.jpeg.is_none() && got.error.is_none() && !got.ended {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            got = self.changed.wait_timeout(got, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut *got)
    }

    fn lock(&self) -> MutexGuard<'_, Got> {
        lock(&self.got)
    }
}
