//! The command `live-vlm-load`.

use std::{future::pending, process::ExitCode};

use clap::Parser;
use live_vlm_load::{Cli, run};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    // Whoever stops the tool stops its server too: it ends with what is dropped here.
    let measured = tokio::select! {
        measured = run(Cli::parse()) => measured,
        () = stopped() => Err("it was stopped".into()),
    };
    match measured {
        Ok(report) => {
            say(&report.text);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            say(&format!("failed: {failure}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Waits for Ctrl-C or SIGTERM.
async fn stopped() {
    let Ok(mut terminated) = signal(SignalKind::terminate()) else { return pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
}

#[expect(clippy::print_stdout, reason = "figures are read on the terminal")]
fn say(text: &str) {
    print!("{text}");
}
