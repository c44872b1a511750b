//! For whoever decides whether this server lives, and whether it gets new visitors.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use live_vlm_observe::metrics::{BackendFigures, BackendHealth};
use serde::Serialize;
use vlm_client::Trouble;

use crate::app::App;

/// `GET /healthz`: whoever answers is alive.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: whether a new session would be served.
pub(super) async fn readyz(State(app): State<App>) -> Response {
    let observer = &app.observer;
    let reasons = Condition {
        closing: app.sessions.is_closing(),
        full: app.sessions.is_full(),
        overloaded: observer.overload.reached().is_some(),
        backends: observer.metrics.backends(),
    }
    .reasons();
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, reasons })).into_response()
}

#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<Reason>,
}

/// Why a new session would not be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Reason {
    /// The server stops.
    Draining,
    /// All sessions are taken.
    Full,
    /// There is no CPU time or memory for more.
    Overloaded,
    /// No VLM server is up.
    NoBackend,
    /// One of them cannot be reached.
    Unreachable,
    /// There is no secure connection to one of them.
    Tls,
    /// One of them wants a key, and none was given.
    NoKey,
    /// One of them refuses the key.
    KeyRefused,
    /// One of them has no OpenAI-compatible API at its address.
    NoApi,
}

impl From<Trouble> for Reason {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unreachable => Self::Unreachable,
            Trouble::Tls => Self::Tls,
            Trouble::NoKey => Self::NoKey,
            Trouble::KeyRefused => Self::KeyRefused,
            Trouble::NoApi => Self::NoApi,
        }
    }
}

struct Condition {
    closing: bool,
    full: bool,
    overloaded: bool,
    /// `None` if nobody has said how to read them.
    backends: Option<Vec<BackendFigures>>,
}

impl Condition {
    fn reasons(&self) -> Vec<Reason> {
        // One that refuses every question is of no more use than one that is not there.
        let is_up = |backend: &BackendFigures| {
            backend.state == BackendHealth::Up
                && !backend.trouble.is_some_and(Trouble::is_said_by_server)
        };
        let down = self.backends.as_ref().is_some_and(|backends| !backends.iter().any(is_up));
        let backends = self.backends.iter().flatten().filter(|_| down);
        let mut troubles: Vec<Trouble> = backends.filter_map(|backend| backend.trouble).collect();
        troubles.sort_unstable();
        troubles.dedup();
        [
            (self.closing, Reason::Draining),
            (self.full, Reason::Full),
            (self.overloaded, Reason::Overloaded),
            (down, Reason::NoBackend),
        ]
        .into_iter()
        .filter_map(|(holds, reason)| holds.then_some(reason))
        .chain(troubles.into_iter().map(Reason::from))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend(state: BackendHealth) -> BackendFigures {
        let name = "http://localhost:8000/v1".to_owned();
        let (models, trouble) = (Vec::new(), None);
        BackendFigures { name, models, state, slots: 1, asking: 0, waiting: 0, trouble }
    }

    fn with(backends: Option<Vec<BackendFigures>>) -> Vec<Reason> {
        Condition { closing: false, full: false, overloaded: false, backends }.reasons()
    }

    #[test]
    fn one_backend_that_is_up_is_enough_and_none_is_not() {
        use BackendHealth::{HalfOpen, Open, Up};
        assert_eq!(with(Some(vec![backend(Open), backend(Up)])), []);
        assert_eq!(with(Some(vec![backend(Open), backend(HalfOpen)])), [Reason::NoBackend]);
        assert_eq!(with(Some(Vec::new())), [Reason::NoBackend]);
        assert_eq!(with(None), []);
    }

    #[test]
    fn what_keeps_the_only_backend_from_being_asked_is_told_apart() {
        use BackendHealth::{Open, Up};
        let in_trouble = |state, trouble| {
            with(Some(vec![BackendFigures { trouble: Some(trouble), ..backend(state) }]))
        };
        assert_eq!(in_trouble(Up, Trouble::NoKey), [Reason::NoBackend, Reason::NoKey]);
        assert_eq!(in_trouble(Up, Trouble::KeyRefused), [Reason::NoBackend, Reason::KeyRefused]);
        assert_eq!(in_trouble(Up, Trouble::NoApi), [Reason::NoBackend, Reason::NoApi]);
        assert_eq!(in_trouble(Open, Trouble::Tls), [Reason::NoBackend, Reason::Tls]);
        assert_eq!(
            in_trouble(Open, Trouble::Unreachable),
            [Reason::NoBackend, Reason::Unreachable]
        );
        // It may be but a moment.
        assert_eq!(in_trouble(Up, Trouble::Unreachable), []);
        let refused = BackendFigures { trouble: Some(Trouble::KeyRefused), ..backend(Up) };
        assert_eq!(with(Some(vec![refused, backend(Up)])), [], "another answers");
    }

    #[test]
    fn every_reason_is_told() {
        let all =
            Condition { closing: true, full: true, overloaded: true, backends: Some(Vec::new()) };
        let told = serde_json::to_string(&Readiness { ready: false, reasons: all.reasons() });
        assert_eq!(
            told.unwrap(),
            r#"{"ready":false,"reasons":["draining","full","overloaded","no_backend"]}"#
        );
    }
}
