//! The command `live-vlm-load`.

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use live_vlm_load::{Cli, run, stopped};

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("failed: cannot start threads: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(measured());
    // What a viewer leaves behind does not keep the figures from whoever waits for them.
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

async fn measured() -> ExitCode {
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

#[expect(clippy::print_stdout, reason = "figures are read on the terminal")]
fn say(text: &str) {
    print!("{text}");
}
