//! The command line.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use live_vlm_pipelines::Codec;

use crate::{
    Failure, Missed, Report, Tool, age, attack,
    camera::Camera,
    churn, cost, crash, fairness, fuzz_offers, idle, leaks, network, scale,
    video::{Size, Video, Wanted},
    webui,
};

/// Measure a live-vlm server with synthetic viewers
///
/// CPU time, memory, threads and files are those of the server and of its media processes together.
/// CPU time of those that have ended counts too. Memory that several of them share counts once; only
/// root sees how much that is, and which files media processes have open.
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
    /// Whether viewers send all frames, or those that the server wants, or pictures over the
    /// WebSocket in place of video, of a still scene of that size
    #[arg(long, global = true, value_enum, value_name = "WHICH", default_value = "on-demand")]
    frames: Frames,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Frames {
    All,
    OnDemand,
    Pictures,
}

#[derive(Debug, Subcommand)]
enum What {
    /// CPU and memory of a session that asks once a second
    Cost(cost::Plan),
    /// Threads, files and memory after many connects and hang-ups
    Leaks(leaks::Plan),
    /// From the capture of a frame to its complete answer, with more viewers than slots
    Age(age::Plan),
    /// Age of answers, as multiples of the VLM's latency, at growing numbers of sessions per slot
    Freshness(age::Sweep),
    /// Who gets how much of the VLM's time: Jain's index over users
    Fairness(fairness::Plan),
    /// Many sessions that ask now and then: whether all are answered on time, and what they cost
    Scale(scale::Plan),
    /// Sessions that come and go at random: growth, and what is left behind
    Churn(churn::Plan),
    /// What becomes of sessions when a media process is killed: those in it, and all others
    Crash(crash::Plan),
    /// What becomes of sessions while somebody ends one media process a second
    Attack(attack::Plan),
    /// Questions to a VLM that closes idle connections; fails if a question does
    Idle(idle::Plan),
    /// Offers that are almost right; fails if one of them kills a server or a media process
    FuzzOffers(fuzz_offers::Options),
    /// The page itself on bad networks, in network namespaces; fails if something is not reached
    /// that must be. Needs root, or a user namespace
    Network(network::Options),
    /// Chromium pages through /offer and /ws of a live-vlm-webui or a live-vlm
    Webui(webui::Options),
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
    let clip = async || common.tool(common.live).await;
    match what {
        // A clip is VP8.
        What::Cost(plan) if plan.codec != Codec::Vp8 => {
            cost::measure(&common.tool(true).await?, &plan).await
        }
        What::Cost(plan) => cost::measure(&clip().await?, &plan).await,
        What::Leaks(plan) => leaks::measure(&clip().await?, &plan).await,
        What::Age(plan) => age::measure(&clip().await?, &plan).await,
        What::Freshness(plan) => age::sweep(&clip().await?, &plan).await,
        What::Fairness(plan) => fairness::measure(&clip().await?, &plan).await,
        What::Scale(plan) => scale::measure(&clip().await?, &plan).await,
        What::Churn(plan) => churn::measure(&clip().await?, &plan).await,
        What::Crash(plan) => crash::measure(&clip().await?, &plan).await,
        What::Attack(plan) => attack::measure(&clip().await?, &plan).await,
        What::Idle(plan) => idle::measure(&clip().await?, &plan).await,
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
        let on_demand = self.frames == Frames::OnDemand;
        let camera = (self.frames == Frames::Pictures).then(|| Camera::new(self.size));
        Ok(Tool { server: self.server.clone(), video, http, on_demand, camera })
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
        let What::Fairness(plan) = cli.what else { panic!("{cli:?}") };
        let users: Vec<_> = plan.users.iter().map(|u| (u.count, u.sessions, u.interval)).collect();
        assert_eq!(users, [(8, 1, 1.0), (1, 8, 1.0), (1, 1, 0.1)]);
        let times = (plan.latency.as_millis(), plan.window.as_secs());
        assert_eq!((plan.slots, times), (2, (500, 60)));
    }
}
