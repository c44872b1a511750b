//! Watches the servers of the pool: whether they are there, what models they have, and, where the
//! number of slots is to be found, how many questions wait inside them.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    Shared,
    core::{BackendId, Slots},
    pool::Backend,
};
use crate::Error;

const EVERY: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(4);
/// Models change seldom, and large routers list hundreds. What is not well is asked each time.
const MODELS_EVERY: u64 = 3;

/// Runs until it is aborted.
pub(super) async fn watch(shared: Arc<Shared>) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for round in 0_u64.. {
        tick.tick().await;
        let watched = shared.watched();
        let regular = round.is_multiple_of(MODELS_EVERY);
        join_all(watched.into_iter().map(|(id, backend, well)| {
            let shared = &shared;
            async move {
                if matches!(backend.slots, Slots::Auto(_)) {
                    look_inside(shared, id, &backend).await;
                }
                if regular || !well {
                    check(shared, id, &backend, TIMEOUT).await;
                }
            }
        }))
        .await;
    }
}

impl Shared {
    fn watched(&self) -> Vec<(BackendId, Backend, bool)> {
        let state = self.lock();
        state.pool.watched(&state.core)
    }
}

/// Asks every server of the pool for its models now. Why the first does not answer, if none does.
pub(super) async fn check_all(shared: &Shared, timeout: Duration) -> Option<Error> {
    let watched = shared.watched();
    let checks = watched.iter().map(|(id, backend, _)| check(shared, *id, backend, timeout));
    let checked = join_all(checks).await;
    checked.into_iter().collect::<Option<Vec<Error>>>()?.into_iter().next()
}

/// Why the server is not well, if it is not.
async fn check(
    shared: &Shared,
    id: BackendId,
    backend: &Backend,
    timeout: Duration,
) -> Option<Error> {
    let models = shared.client.models(&backend.endpoint, timeout).await;
    let error = models.as_ref().err().cloned();
    if let Some(error) = &error {
        tracing::debug!(%error, "a VLM server is not well");
    }
    shared.decide(|state, now| state.pool.checked(&mut state.core, id, models, now));
    error
}

async fn look_inside(shared: &Shared, id: BackendId, backend: &Backend) {
    if let Some(waiting) = shared.client.waiting_inside(&backend.endpoint, TIMEOUT).await {
        shared.decide(|state, now| state.core.told_waiting(id, waiting, now));
    }
}
