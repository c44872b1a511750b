//! What an operator sees of a server: [metrics], [traces], [usage] by user and day, and whether it
//! is [overloaded](overload). It knows no HTTP and no sessions; whoever has those tells it what
//! happens, and serves what it shows.
//!
//! Whoever tells something never waits. No key, prompt, picture or session id gets in here.
//!
//! ```
//! use live_vlm_observe::metrics::{EndReason, Format, Metrics, SessionState};
//!
//! let metrics = Metrics::new(false);
//! let mut session = metrics.session_started();
//! session.set_state(SessionState::Live);
//! let text = metrics.exposition(Format::Prometheus);
//! assert!(text.contains("live_vlm_sessions{state=\"live\"} 1\n"));
//!
//! // A session that is dropped without a reason has crashed.
//! session.end(EndReason::Left);
//! let text = metrics.exposition(Format::Prometheus);
//! assert!(text.contains("live_vlm_sessions_ended_total{reason=\"left\"} 1\n"));
//! ```

#![forbid(unsafe_code)]

#[cfg(test)]
mod example;
mod lock;
pub mod metrics;
mod observer;
pub mod overload;
pub mod process;
pub mod traces;
pub mod usage;

pub use observer::{Config, ObserveError, Observer};
