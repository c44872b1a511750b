//! Measures a `live-vlm` server from outside: synthetic viewers (WebRTC senders in this process)
//! watch through a server of its own, whose CPU seconds, memory, threads and files are read from
//! `/proc`: those of its process and of all that it has started. The VLM is in this process too.
//! Everything stays on 127.0.0.1 and ends by itself.
//!
//! docs/performance.md says what each command measures, and how; docs/fuzzing.md what
//! `fuzz-offers` does, which measures nothing. `network` has namespaces of its own in place of
//! 127.0.0.1, and a browser for its viewer.

#![forbid(unsafe_code)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures are rounded for reading"
)]

mod age;
mod attack;
mod camera;
mod churn;
mod cli;
mod cost;
mod crash;
mod fairness;
mod fuzz_offers;
mod idle;
mod leaks;
mod manner;
mod network;
mod proc;
mod process;
mod queue;
mod report;
mod scale;
mod server;
mod spec;
mod stats;
mod timecode;
mod video;
mod viewer;
mod viewers;
mod vlm;
mod webui;

use std::{future::pending, path::PathBuf, time::Duration};

use tokio::signal::unix::{SignalKind, signal};

pub use cli::{Cli, run};
pub use report::Report;

/// What went wrong, for whoever runs the tool.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A measurement that did not find what it must; the figures are there all the same.
#[derive(Debug)]
struct Missed {
    report: Report,
    /// A sentence each.
    what: Vec<String>,
}

impl std::fmt::Display for Missed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\nmissed:\n  {}", self.report.text, self.what.join("\n  "))
    }
}

impl std::error::Error for Missed {}

/// Waits until whoever runs this wants it to end: for Ctrl-C or SIGTERM.
pub async fn stopped() {
    let Ok(mut terminated) = signal(SignalKind::terminate()) else { return pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
}

/// What all measurements need.
#[derive(Debug, Clone)]
struct Tool {
    server: PathBuf,
    video: video::Video,
    http: reqwest::Client,
    /// Whether viewers can give single frames.
    on_demand: bool,
    /// What viewers send in place of video, if they do.
    camera: Option<camera::Camera>,
}

impl Tool {
    async fn serve(&self, vlm: &vlm::Vlm) -> Result<server::Server, Failure> {
        server::Server::start(&self.server, vlm).await
    }

    /// What the server takes once it has had a session: what the first one loads belongs to the
    /// server, not to the session.
    async fn look_without_sessions(
        &self,
        server: &server::Server,
        wish: &viewer::Wish,
    ) -> Result<process::Look, Failure> {
        let processes = server.look()?.processes;
        let browser = viewer::Browser::visit(self, &server.address).await?;
        let mut first = viewer::Viewer::connect(&browser, &self.video, wish).await?;
        first.answer().await?;
        first.hang_up().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        process::without_more(processes, || server.look()).await
    }
}
