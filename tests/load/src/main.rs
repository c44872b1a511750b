//! The command `live-vlm-load`.

use std::process::ExitCode;

use clap::Parser;
use live_vlm_load::{Cli, run};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
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

#[expect(clippy::print_stdout, reason = "figures are read on the terminal")]
fn say(text: &str) {
    print!("{text}");
}
