//! Frames one by one: what a page does that gives a frame when one is wanted.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

/// Decides whether a sender sends all frames, or one each time it is [released](Self::release). Cheap
/// to clone.
#[derive(Debug, Clone, Default)]
pub struct Shutter(Arc<Inner>);

#[derive(Default)]
struct Inner {
    on_demand: AtomicBool,
    /// Frames that are to pass.
    wanted: AtomicU32,
    /// Sends a frame of a source that makes them itself.
    push: Mutex<Option<Box<dyn Fn() + Send>>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("on_demand", &self.on_demand).finish_non_exhaustive()
    }
}

impl Shutter {
    /// Whether frames are sent only when they are released. Default: no.
    pub fn set_on_demand(&self, on_demand: bool) {
        let was = self.0.on_demand.swap(on_demand, Ordering::Relaxed);
        self.0.wanted.store(0, Ordering::Relaxed);
        if was && !on_demand {
            // It waits for one.
            self.push();
        }
    }

    /// Lets the newest frame pass: at once, or of a live source the next one.
    pub fn release(&self) {
        self.0.wanted.store(1, Ordering::Relaxed);
        self.push();
    }

    pub(crate) fn is_on_demand(&self) -> bool {
        self.0.on_demand.load(Ordering::Relaxed)
    }

    /// Whether this frame of a live source may pass.
    pub(crate) fn passes(&self) -> bool {
        !self.is_on_demand() || self.0.wanted.swap(0, Ordering::Relaxed) > 0
    }

    /// How a frame is sent of a source that has no clock of its own.
    pub(crate) fn set_push(&self, push: impl Fn() + Send + 'static) {
        *self.0.push.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(push));
    }

    fn push(&self) {
        if let Some(push) = &*self.0.push.lock().unwrap_or_else(PoisonError::into_inner) {
            push();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_frame_passes_for_each_release_and_all_without() {
        let shutter = Shutter::default();
        assert!(shutter.passes() && shutter.passes());
        shutter.set_on_demand(true);
        assert!(!shutter.passes());
        shutter.release();
        assert!(shutter.passes() && !shutter.passes());
        shutter.set_on_demand(false);
        assert!(shutter.passes() && shutter.passes());
    }
}
