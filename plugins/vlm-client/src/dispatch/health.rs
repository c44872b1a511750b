//! Watches the servers of the pool: whether they are there, what models they have, and, where the
//! number of slots is to be found, how many questions wait inside them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{
    Shared,
    core::{BackendId, BackendState, Slots},
    pool::Backend,
};
use crate::Error;

const EVERY: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(4);
/// Models change seldom, and large routers list hundreds. What is not well is asked each time.
const MODELS_EVERY: u64 = 3;
/// How long a list that somebody asked for is good.
const LISTED: Duration = Duration::from_secs(1);

/// Runs until it is aborted.
pub(super) async fn watch(shared: Arc<Shared>) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = HashMap::new();
    for round in 0_u64.. {
        tick.tick().await;
        tell_changes(&shared, &mut told);
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

/// Says which servers are left alone from now on, and which are asked again.
fn tell_changes(shared: &Shared, told: &mut HashMap<String, bool>) {
    let snapshots = {
        let state = shared.lock();
        state.pool.snapshot(&state.core)
    };
    for backend in snapshots {
        let is_up = backend.state == BackendState::Up;
        let base = backend.base;
        match told.insert(base.clone(), is_up) {
            Some(was_up) if was_up != is_up && is_up => {
                tracing::info!(base, "a VLM server answers again");
            }
            None | Some(true) if !is_up => {
                let error = backend.last_error.unwrap_or_default();
                tracing::warn!(base, error, "a VLM server fails, and is left alone for a while");
            }
            _ => {}
        }
    }
}

impl Shared {
    fn watched(&self) -> Vec<(BackendId, Backend, bool)> {
        let state = self.lock();
        state.pool.watched(&state.core)
    }
}

/// Asks every server of the pool for its models, unless that was done within the last second:
/// however many ask for them at once, each server is asked once. Why the first does not answer, if
/// none does.
pub(super) async fn check_all(shared: &Shared, timeout: Duration) -> Option<Error> {
    let mut listed = shared.listed.lock().await;
    if let Some((at, error)) = &*listed
        && at.elapsed() < LISTED
    {
        return error.clone();
    }
    let watched = shared.watched();
    let checks = watched.iter().map(|(id, backend, _)| check(shared, *id, backend, timeout));
    let checked = join_all(checks).await;
    let error = checked.into_iter().collect::<Option<Vec<Error>>>();
    let error = error.and_then(|errors| errors.into_iter().next());
    *listed = Some((Instant::now(), error.clone()));
    error
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
