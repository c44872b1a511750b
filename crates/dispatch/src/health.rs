//! Watches the servers of the pool: whether they are there, what models they have, and, where the
//! number of slots is to be found, how many questions wait inside them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::time::{Instant, MissedTickBehavior, interval};

use vlm_client::{Error, Trouble};

use crate::{
    core::{BackendId, BackendState},
    server::Backend,
    shared::Shared,
};

const TIMEOUT: Duration = Duration::from_secs(4);
/// Models change seldom, and large routers list hundreds. What is not well is asked each time.
const MODELS_EVERY: u64 = 3;
/// How often those that show what waits inside are looked at in the meantime, while they are asked.
const LOOKS: u32 = 5;
/// Whoever showed no figures is asked for some again so seldom.
const FIGURES_EVERY: u64 = 60;
/// How long a list that somebody asked for is good.
const LISTED: Duration = Duration::from_secs(1);

/// Looks at them so often until it is aborted.
pub(super) async fn watch(shared: Arc<Shared>, every: Duration) {
    let mut tick = interval(every / LOOKS);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut logged = HashMap::new();
    for look in 0_u64.. {
        tick.tick().await;
        let watched = shared.watched();
        if !look.is_multiple_of(LOOKS.into()) {
            join_all(watched.iter().map(|(id, backend, _)| look_again(&shared, *id, backend)))
                .await;
            continue;
        }
        let round = look / u64::from(LOOKS);
        let regular = round.is_multiple_of(MODELS_EVERY);
        join_all(watched.into_iter().map(|(id, backend, well)| {
            let shared = &shared;
            async move {
                if regular || !well {
                    check(shared, id, &backend, TIMEOUT).await;
                }
                if shared.shows_figures(id, round.is_multiple_of(FIGURES_EVERY)) {
                    look_inside(shared, id, &backend).await;
                }
            }
        }))
        .await;
        log_changes(&shared, &mut logged);
    }
}

/// How a server was when that was last logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LoggedHealth {
    is_up: bool,
    trouble: Option<Trouble>,
}

impl LoggedHealth {
    const WELL: Self = Self { is_up: true, trouble: None };
}

/// Says which servers are in trouble or left alone from now on, once, and which are asked again.
fn log_changes(shared: &Shared, logged: &mut HashMap<String, LoggedHealth>) {
    let snapshots = {
        let state = shared.lock();
        state.pool.snapshot(&state.core)
    };
    for backend in snapshots {
        let is_up = backend.state == BackendState::Up;
        let now = LoggedHealth { is_up, trouble: backend.trouble };
        let base = backend.base;
        let before = logged.insert(base.clone(), now).unwrap_or(LoggedHealth::WELL);
        let error = backend.last_error.unwrap_or_default();
        if now == before {
            continue;
        }
        if now == LoggedHealth::WELL {
            tracing::info!(base, "a VLM server answers again");
        } else if let Some(trouble) = now.trouble.filter(|_| now.trouble != before.trouble) {
            tracing::warn!(base, error, "a VLM server cannot be asked: {}", trouble.words());
        } else if !is_up && before == LoggedHealth::WELL {
            tracing::warn!(base, error, "a VLM server fails, and is left alone for a while");
        }
    }
}

impl Shared {
    fn shows_figures(&self, id: BackendId, again: bool) -> bool {
        self.lock().pool.shows_figures(id, again)
    }

    /// Whether the server is being asked, and has shown figures.
    fn is_seen_at_work(&self, id: BackendId) -> bool {
        let state = self.lock();
        state.core.load(id).0 > 0 && state.pool.has_figures(id)
    }

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
    let listed = shared.client.listed(&backend.endpoint, timeout).await;
    let error = listed.as_ref().err().cloned();
    if let Some(error) = &error {
        tracing::debug!(%error, "a VLM server is not well");
        // Some have no list, and answer all the same.
        if error.trouble() == Some(Trouble::NoApi)
            && shared.client.takes_questions(&backend.endpoint, timeout).await
        {
            shared.decide(|state, _| state.pool.takes_questions(id));
        }
    }
    shared.decide(|state, now| state.pool.checked(&mut state.core, id, listed, now));
    error
}

/// What waits inside matters more often than whether a server is there.
async fn look_again(shared: &Shared, id: BackendId, backend: &Backend) {
    if shared.is_seen_at_work(id) {
        look_inside(shared, id, backend).await;
    }
}

async fn look_inside(shared: &Shared, id: BackendId, backend: &Backend) {
    let figures = shared.client.figures(&backend.endpoint, TIMEOUT).await;
    shared.decide(|state, now| {
        state.pool.had_figures(id, figures.is_some());
        let Some(figures) = figures else { return };
        if let Some(waiting) = figures.waiting {
            state.core.told_waiting(id, waiting, now);
        }
        if let Some(kind) = figures.kind {
            state.pool.is_kind(&mut state.core, id, kind, now);
        }
    });
}
