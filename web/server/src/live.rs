//! What may change while the server runs.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use live_vlm_access::{limits::ServerLimits, rules::AllRules};
use live_vlm_config::LogFilter;
use tokio::sync::watch;

/// The part of a configuration that can change without harm to what runs.
#[derive(Debug, Clone)]
pub(crate) struct Reloadable {
    /// What each user may do.
    pub(crate) all_rules: AllRules,
    /// What all may do together.
    pub(crate) limits: ServerLimits,
    pub(crate) log: LogFilter,
}

/// What is in force now. Cheap to clone; a clone sees the same.
#[derive(Debug, Clone)]
pub(crate) struct Live(Arc<InForce>);

#[derive(Debug)]
struct InForce {
    now: ArcSwap<Reloadable>,
    changed: watch::Sender<()>,
}

impl Live {
    /// What is in force at the start.
    pub(crate) fn new(now: Reloadable) -> Self {
        let now = ArcSwap::from_pointee(now);
        Self(Arc::new(InForce { now, changed: watch::Sender::new(()) }))
    }

    /// What is in force at this moment. Don't hold this for long: it keeps the old settings alive.
    pub(crate) fn now(&self) -> Guard<Arc<Reloadable>> {
        self.0.now.load()
    }

    /// Told when something else is in force than there was.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    /// Replaces what is in force, and tells whoever [waits](Self::changes) for that.
    pub(crate) fn put_in_force(&self, reloadable: Reloadable) {
        self.0.now.store(Arc::new(reloadable));
        self.0.changed.send_replace(());
    }
}
