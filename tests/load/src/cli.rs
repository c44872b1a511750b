//! The command line.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Parser, Subcommand};
use live_vlm_pipelines::Codec;

use crate::{
    Failure, Missed, Report, Tool, age, churn, cost, fairness, fuzz_offers, idle, leaks, network,
    scale,
    spec::UserSpec,
    video::{Size, Video, Wanted},
    webui,
};

/// Measure a live-vlm server with synthetic viewers.
#[derive(Debug, Parser)]
#[command(name = "live-vlm-load")]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Args)]
struct Common {
    /// The server to measure
    #[arg(long, global = true, value_name = "FILE", default_value = "target/release/live-vlm")]
    server: PathBuf,
    /// Write the figures as JSON too
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Video that the viewers send
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "tests/browser/media/big-buck-bunny.webm"
    )]
    video: PathBuf,
    /// Size of the video
    #[arg(long, global = true, value_name = "WxH", default_value = "640x480")]
    size: Size,
    /// Frames a second
    #[arg(long, global = true, value_name = "N", default_value_t = 30,
          value_parser = clap::value_parser!(u32).range(1..=120))]
    fps: u32,
    /// Length of the clip that is encoded at the start and played over and over
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=60))]
    clip: u32,
    /// Have each viewer encode a test pattern of its own instead of the clip, as costly as it is
    #[arg(long, global = true)]
    live: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// CPU and memory of a session that asks once a second
    Cost {
        /// Viewers at once
        #[arg(long, default_value_t = 6, value_parser = some)]
        sessions: usize,
        /// How long to measure, in seconds
        #[arg(long, default_value_t = 20)]
        seconds: u64,
        /// Seconds between two questions of a session
        #[arg(long, default_value_t = 1.0)]
        interval: f64,
        /// Codec of the viewers: VP8, or H264 or VP9, which each viewer encodes for itself
        #[arg(long, default_value = "VP8", value_parser = codec)]
        codec: Codec,
        /// Ask for the video back
        #[arg(long)]
        sendrecv: bool,
    },
    /// Threads, files and memory after many connects and hang-ups
    Leaks {
        /// How many
        #[arg(long, default_value_t = 50)]
        cycles: usize,
        /// Seconds to wait before each look, for idle threads of pools to end
        #[arg(long, default_value_t = 15)]
        quiet: u64,
    },
    /// From the capture of a frame to its complete answer, with more viewers than slots
    Age {
        /// Viewers at once
        #[arg(long, default_value_t = 4, value_parser = some)]
        sessions: usize,
        /// Questions that the VLM answers at once
        #[arg(long, default_value_t = 1, value_parser = some)]
        slots: usize,
        /// Milliseconds that the VLM takes for an answer
        #[arg(long, default_value_t = 1000)]
        latency: u64,
        /// How long to measure, in seconds
        #[arg(long, default_value_t = 40)]
        seconds: u64,
        /// Seconds between two questions of a session
        #[arg(long, default_value_t = 1.0)]
        interval: f64,
    },
    /// Age of answers, as multiples of the VLM's latency, at growing numbers of sessions per slot
    Freshness {
        /// Sessions per slot, one run each
        #[arg(long, value_delimiter = ',', default_value = "1,2,4,8,16", value_parser = some)]
        ratios: Vec<usize>,
        /// Questions that the VLM answers at once
        #[arg(long, default_value_t = 1, value_parser = some)]
        slots: usize,
        /// Milliseconds that the VLM takes for an answer
        #[arg(long, default_value_t = 1000)]
        latency: u64,
        /// How long to measure, in seconds
        #[arg(long, default_value_t = 40)]
        seconds: u64,
        /// Seconds between two questions of a session
        #[arg(long, default_value_t = 1.0)]
        interval: f64,
    },
    /// Who gets how much of the VLM's time: Jain's index over users
    Fairness {
        /// `NAME:COUNT[,sessions=N][,interval=SECONDS][,max-tokens=N]`, once or more. An answer of
        /// more than 512 tokens takes the VLM longer in proportion
        #[arg(long = "user", value_name = "SPEC",
              default_values = ["ordinary:8", "many:1,sessions=8", "fast:1,interval=0.1"])]
        users: Vec<UserSpec>,
        /// Questions that the VLM answers at once
        #[arg(long, default_value_t = 2, value_parser = some)]
        slots: usize,
        /// Milliseconds that the VLM takes for an answer
        #[arg(long, default_value_t = 500)]
        latency: u64,
        /// How long to measure, in seconds
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Many sessions that ask now and then: whether all are answered on time, and what they cost
    Scale {
        /// Viewers at once
        #[arg(long, default_value_t = 32, value_parser = some)]
        sessions: usize,
        /// Seconds between two questions of a session
        #[arg(long, default_value_t = 5.0)]
        interval: f64,
        /// Questions that the VLM answers at once
        #[arg(long, default_value_t = 8, value_parser = some)]
        slots: usize,
        /// Milliseconds that the VLM takes for an answer
        #[arg(long, default_value_t = 500)]
        latency: u64,
        /// How long to measure, in seconds
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Sessions that come and go at random: growth, and what is left behind
    Churn {
        /// Sessions that begin a second
        #[arg(long, default_value_t = 8.0)]
        rate: f64,
        /// Seconds that a session stays on average
        #[arg(long, default_value_t = 2.0)]
        stay: f64,
        /// The share of sessions, 0 to 1, that disappear without hanging up
        #[arg(long, default_value_t = 0.5)]
        vanish: f64,
        /// How long to measure, in seconds
        #[arg(long, default_value_t = 600)]
        seconds: u64,
        /// Seconds between two looks at the server
        #[arg(long, default_value_t = 10.0)]
        every: f64,
        /// Most seconds to wait at the end until nothing is left behind
        #[arg(long, default_value_t = 60)]
        quiet: u64,
        /// Seed of the random numbers: the same seed gives the same run
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Questions to a VLM that closes idle connections; fails if a question does
    Idle {
        /// Seconds between two questions
        #[arg(long, default_value_t = 1.0)]
        interval: f64,
        /// Seconds after which the VLM closes a connection
        #[arg(long, default_value_t = 1.0)]
        idle: f64,
        /// Milliseconds until the server hears of that: a question that it sends meanwhile is lost
        #[arg(long, default_value_t = 100)]
        delay: u64,
        /// Milliseconds that the VLM takes for an answer
        #[arg(long, default_value_t = 10)]
        latency: u64,
        /// How long to ask, in seconds
        #[arg(long, default_value_t = 600)]
        seconds: u64,
    },
    /// Offers that are almost right; fails if one of them kills a server
    FuzzOffers(fuzz_offers::Options),
    /// The page itself on bad networks, in network namespaces; fails if something is not reached
    /// that must be. Needs root, or a user namespace
    Network(network::Options),
    /// Chromium pages through /offer and /ws of a live-vlm-webui or a live-vlm
    Webui(webui::Options),
}

/// One or more, and not so many that a mistyped number takes the machine down.
pub(crate) fn some(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=10_000).contains(number));
    number.ok_or_else(|| format!("{text:?} is no number from 1 to 10000"))
}

fn codec(name: &str) -> Result<Codec, String> {
    Codec::from_encoding_name(name).ok_or_else(|| format!("{name:?} is none of VP8, H264, VP9"))
}

/// Measures what the command line says.
///
/// # Errors
/// When GStreamer lacks something, the server does not start or answer, or the JSON file cannot be
/// written.
pub async fn run(cli: Cli) -> Result<Report, Failure> {
    // reqwest asks for the process' provider although all we speak is plain HTTP. Whoever
    // installed one before keeps it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let measured = measure(&cli.common, cli.what).await;
    let report = match &measured {
        Ok(report) => Some(report),
        Err(failure) => failure.downcast_ref::<Missed>().map(|missed| &missed.report),
    };
    if let (Some(path), Some(report)) = (&cli.common.json, report) {
        write(path, report)?;
    }
    measured
}

async fn measure(common: &Common, what: What) -> Result<Report, Failure> {
    live_vlm_pipelines::init()?;
    let needs_no_clip = match &what {
        What::Cost { codec, .. } => *codec != Codec::Vp8,
        What::Webui(_) | What::Network(_) | What::FuzzOffers(_) => true,
        _ => false,
    };
    let tool = common.tool(common.live || needs_no_clip).await?;
    let ms = Duration::from_millis;
    match what {
        What::Cost { sessions, seconds, interval, codec, sendrecv } => {
            let window = Duration::from_secs(seconds);
            let plan = cost::Plan { sessions, window, interval, codec, sendrecv };
            cost::measure(&tool, &plan).await
        }
        What::Leaks { cycles, quiet } => {
            leaks::measure(&tool, cycles, Duration::from_secs(quiet)).await
        }
        What::Age { sessions, slots, latency, seconds, interval } => {
            let (latency, window) = (ms(latency), Duration::from_secs(seconds));
            age::measure(&tool, &age::Plan { sessions, slots, latency, interval, window }).await
        }
        What::Freshness { ratios, slots, latency, seconds, interval } => {
            let (latency, window) = (ms(latency), Duration::from_secs(seconds));
            let plan = age::Plan { sessions: 0, slots, latency, interval, window };
            age::sweep(&tool, &plan, &ratios).await
        }
        What::Fairness { users, slots, latency, seconds } => {
            let (latency, window) = (ms(latency), Duration::from_secs(seconds));
            fairness::measure(&tool, &fairness::Plan { users, slots, latency, window }).await
        }
        What::Scale { sessions, interval, slots, latency, seconds } => {
            let (latency, window) = (ms(latency), Duration::from_secs(seconds));
            scale::measure(&tool, &scale::Plan { sessions, interval, slots, latency, window }).await
        }
        What::Churn { rate, stay, vanish, seconds, every, quiet, seed } => {
            let time = |value: f64| Duration::from_secs_f64(value.clamp(0.05, 3600.0));
            let plan = churn::Plan {
                rate: rate.clamp(0.01, 1000.0),
                stay: time(stay),
                vanish,
                window: Duration::from_secs(seconds),
                every: time(every),
                quiet: Duration::from_secs(quiet),
                seed,
            };
            churn::measure(&tool, &plan).await
        }
        What::Idle { interval, idle, delay, latency, seconds } => {
            let (latency, delay) = (ms(latency), ms(delay));
            let window = Duration::from_secs(seconds);
            let idle = Duration::from_secs_f64(idle.clamp(0.05, 3600.0));
            idle::measure(&tool, &idle::Plan { interval, latency, idle, delay, window }).await
        }
        What::FuzzOffers(options) => fuzz_offers::run(&common.server, &options).await,
        What::Network(options) => network::measure(&common.server, &options).await,
        What::Webui(options) => webui::measure(&common.wanted(false), &options).await,
    }
}

impl Common {
    fn wanted(&self, live: bool) -> Wanted {
        Wanted {
            file: self.video.clone(),
            size: self.size,
            frame_rate: self.fps,
            clip_seconds: self.clip,
            live,
        }
    }

    async fn tool(&self, live: bool) -> Result<Tool, Failure> {
        let video = Video::prepare(&self.wanted(live)).await?;
        // A connection that is kept for later would be counted as one of the server's files.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build()?;
        Ok(Tool { server: self.server.clone(), video, http })
    }
}

fn write(path: &Path, report: &Report) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(&report.figures)?;
    std::fs::write(path, text + "\n").map_err(|error| format!("{}: {error}", path.display()).into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn fairness_begins_with_the_plan_of_greedy_users() {
        let cli = Cli::try_parse_from(["live-vlm-load", "fairness"]).unwrap();
        let What::Fairness { users, slots, latency, seconds } = cli.what else { panic!("{cli:?}") };
        let users: Vec<_> = users.iter().map(|u| (u.count, u.sessions, u.interval)).collect();
        assert_eq!(users, [(8, 1, 1.0), (1, 8, 1.0), (1, 1, 0.1)]);
        assert_eq!((slots, latency, seconds), (2, 500, 60));
    }
}
