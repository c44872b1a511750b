//! Measures a `live-vlm` server from outside: synthetic viewers (WebRTC senders in this process)
//! watch through a server of its own process, whose CPU seconds, memory, threads and files are
//! read from `/proc`. Everything stays on 127.0.0.1 and ends by itself.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures are rounded for reading"
)]

mod age;
mod cost;
mod leaks;
mod process;
mod server;
mod timecode;
mod viewer;
mod vlm;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};

/// Measure a live-vlm server under synthetic viewers.
#[derive(Debug, Parser)]
#[command(name = "live-vlm-load")]
struct Cli {
    /// The server to measure
    #[arg(long, global = true, default_value = "target/release/live-vlm")]
    server: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// CPU and memory of a session that asks once a second
    Cost {
        /// Viewers at once
        #[arg(long, default_value_t = 6)]
        sessions: usize,
        /// How long to measure
        #[arg(long, default_value_t = 20)]
        seconds: u64,
        /// Seconds between two questions of a session
        #[arg(long, default_value_t = 1.0)]
        interval: f64,
        /// Codec of the viewers: VP8, H264 or VP9
        #[arg(long, default_value = "VP8")]
        codec: String,
        /// Ask for the video back
        #[arg(long)]
        sendrecv: bool,
    },
    /// Threads, files and memory after many connects and hang-ups
    Leaks {
        /// How many
        #[arg(long, default_value_t = 50)]
        cycles: usize,
    },
    /// From the capture of a frame to its complete answer, with more viewers than slots
    Age {
        /// Viewers at once
        #[arg(long, default_value_t = 4)]
        sessions: usize,
        /// Slots of the VLM
        #[arg(long, default_value_t = 1)]
        slots: usize,
        /// Milliseconds that the VLM takes for an answer
        #[arg(long, default_value_t = 1000)]
        latency: u64,
        /// How long to measure
        #[arg(long, default_value_t = 40)]
        seconds: u64,
    },
}

/// What went wrong, for whoever runs the benchmark.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(failure) = live_vlm_pipelines::init() {
        say(&format!("failed: {failure}\n"));
        return ExitCode::FAILURE;
    }
    // reqwest asks for the process' provider although all we speak is plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let measured = match cli.what {
        What::Cost { sessions, seconds, interval, codec, sendrecv } => {
            let plan = cost::Plan {
                sessions,
                window: Duration::from_secs(seconds),
                interval,
                codec,
                sendrecv,
            };
            cost::measure(&cli.server, &plan).await
        }
        What::Leaks { cycles } => leaks::measure(&cli.server, cycles).await,
        What::Age { sessions, slots, latency, seconds } => {
            let plan = age::Plan {
                sessions,
                slots,
                latency: Duration::from_millis(latency),
                window: Duration::from_secs(seconds),
            };
            age::measure(&cli.server, &plan).await
        }
    };
    match measured {
        Ok(report) => {
            say(&report);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            say(&format!("failed: {failure}\n"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark is read on the terminal")]
fn say(text: &str) {
    print!("{text}");
}
