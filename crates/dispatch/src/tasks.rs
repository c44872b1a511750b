//! The tasks of a dispatcher.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::task::AbortHandle;

use crate::{
    health,
    lock::lock,
    shared::{Shared, run_timer},
};

/// Ends the dispatcher's tasks with whoever last uses it.
#[derive(Debug)]
pub(crate) struct Tasks {
    timer: AbortHandle,
    check_every: Duration,
    health: Mutex<Option<AbortHandle>>,
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.timer.abort();
        let health = lock(&self.health).take();
        if let Some(health) = health {
            health.abort();
        }
    }
}

impl Tasks {
    /// Starts what every dispatcher needs.
    pub(crate) fn start(shared: &Arc<Shared>, check_every: Duration) -> Self {
        let timer = shared.runtime.spawn(run_timer(Arc::clone(shared))).abort_handle();
        Self { timer, check_every, health: Mutex::default() }
    }

    /// Watches the servers of the pool from now on.
    pub(crate) fn watch_health(&self, shared: &Arc<Shared>) {
        let mut health = lock(&self.health);
        if health.is_none() {
            let watched = health::watch(Arc::clone(shared), self.check_every);
            *health = Some(shared.runtime.spawn(watched).abort_handle());
        }
    }
}
