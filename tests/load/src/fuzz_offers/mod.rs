//! Offers that are nearly in order, until the server or a media process dies of one.
//!
//! `pipelines` reads offers and hands webrtcbin its own; what native code asserts beyond that is
//! only found by asking it. So a real server is a child here, and `tests/offers` makes what it gets.

mod child;
mod findings;
mod hunt;
mod shrink;
mod visit;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use live_vlm_offers::Case;
use serde_json::json;

use self::{child::Child, hunt::Plan};
use crate::{
    Failure, Report,
    spec::{seconds, some},
    vlm::Vlm,
};

/// An abort may come a moment after the answer.
const AFTERWARDS: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How long to go on, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Seed of the random numbers: the same seed gives the same offers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Clients at once
    #[arg(long, default_value_t = 8, value_parser = some)]
    workers: usize,
    /// Seconds to wait before the last look, for the server to give memory back to the system
    #[arg(long, default_value = "12", value_parser = seconds)]
    quiet: Duration,
    /// Folder for the cases that kill the server or a media process
    #[arg(long, value_name = "FOLDER", default_value = "target/fuzz-offers")]
    keep: PathBuf,
    /// Run the case in this file once, and nothing else
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
}

/// Fuzzes the server at `path`.
pub(crate) async fn run(path: &Path, options: &Options) -> Result<Report, Failure> {
    let vlm = Vlm::start(4, Duration::from_millis(20)).await?;
    if let Some(file) = &options.replay {
        return replay(path, &vlm, file).await;
    }
    let plan = Plan {
        server: path.to_owned(),
        window: Duration::from_secs(options.seconds),
        seed: options.seed,
        workers: options.workers,
        quiet: options.quiet,
        keep: options.keep.clone(),
    };
    let findings = hunt::hunt(&plan, &vlm).await?;
    let head = format!(
        "fuzz-offers: seed {}, {} s, {} clients at once",
        options.seed, options.seconds, options.workers
    );
    let text = findings.text(&head);
    let faults = findings.faults();
    if faults.is_empty() {
        return Ok(Report { text, figures: findings.figures() });
    }
    Err(format!("{}\n{text}", faults.join(", ")).into())
}

async fn replay(path: &Path, vlm: &Vlm, file: &Path) -> Result<Report, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
    let case = Case::read(&text).map_err(|error| unreadable(file, &*error))?;
    let mut server = Child::start(path, vlm).await?;
    let replies = visit::play(&http()?, &server.address, &case).await;
    let death = server.dies_within(AFTERWARDS).await;
    let complaints = server.complaints();
    let replies: Vec<_> = replies.iter().map(ToString::to_string).collect();
    let said = format!("replies: {}; critical: {complaints:?}", replies.join(", "));
    match death {
        Some(cause) => Err(format!("died: {cause}; {said}").into()),
        None => Ok(Report {
            text: format!("the server lives\n{said}\n"),
            figures: json!({"replies": replies, "criticals": complaints.len()}),
        }),
    }
}

fn unreadable(file: &Path, error: &(impl std::fmt::Display + ?Sized)) -> Failure {
    format!("{}: {error}", file.display()).into()
}

/// Connects for each request: a connection kept from the last may be closed by the server just then,
/// which would read as its death.
fn http() -> Result<reqwest::Client, Failure> {
    Ok(reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build()?)
}
