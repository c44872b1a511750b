//! CPU and memory of a session.

use std::time::Duration;

use clap::Args;
use live_vlm_pipelines::Codec;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    Failure, Tool,
    process::{PerSession, megabytes},
    report::Report,
    spec::{seconds, some},
    video::Video,
    viewer::Wish,
    viewers::Viewers,
    vlm::{Seen, Vlm},
};

/// Quick, so that what is measured is the server and not waiting.
const VLM_LATENCY: Duration = Duration::from_millis(200);
/// Until encoders and bandwidth estimates have settled.
const SETTLE: Duration = Duration::from_secs(6);

#[derive(Debug, Clone, Args)]
pub(crate) struct Plan {
    /// Viewers at once
    #[arg(long, default_value_t = 6, value_parser = some)]
    pub(crate) sessions: usize,
    /// How long to measure, in seconds
    #[arg(long = "seconds", value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    pub(crate) window: Duration,
    /// Seconds between two questions of a session
    #[arg(long, default_value_t = 1.0)]
    pub(crate) interval: f64,
    /// Codec of the viewers: VP8, or H264 or VP9, which each viewer encodes for itself
    #[arg(long, default_value = "VP8", value_parser = codec)]
    pub(crate) codec: Codec,
    /// Ask for the video back
    #[arg(long)]
    pub(crate) sendrecv: bool,
}

fn codec(name: &str) -> Result<Codec, String> {
    Codec::from_encoding_name(name).ok_or_else(|| format!("{name:?} is none of VP8, H264, VP9"))
}

/// What was found of all sessions.
struct Found {
    each: PerSession,
    /// Answers of a session in a second.
    rate: f64,
    seen: Seen,
    seconds: f64,
    memory_mb: f64,
    empty_mb: f64,
}

pub(crate) async fn measure(tool: &Tool, plan: &Plan) -> Result<Report, Failure> {
    let (codec, sendrecv, interval) = (plan.codec, plan.sendrecv, plan.interval);
    let wish = Wish { codec, sendrecv, interval, ..Wish::default() };
    let vlm = Vlm::start(plan.sessions, VLM_LATENCY).await?;
    let server = tool.serve(&vlm).await?;
    let empty = tool.look_without_sessions(&server, &wish).await?;

    let mut viewers = Viewers::of_one(tool, &server.address, &wish, plan.sessions).await?;
    sleep(SETTLE.min(plan.window)).await;
    viewers.forget_answers();
    let (before, began) = (server.look()?, Instant::now());
    sleep(plan.window).await;
    let (after, took) = (server.look()?, began.elapsed());
    let answers: usize = viewers.take_answers().iter().map(Vec::len).sum();
    let seen = vlm.seen();
    viewers.hang_up().await;

    let found = Found {
        each: PerSession::of(&empty, &before, &after, took, plan.sessions),
        rate: answers as f64 / took.as_secs_f64() / plan.sessions as f64,
        seen,
        seconds: took.as_secs_f64(),
        memory_mb: megabytes(after.memory),
        empty_mb: megabytes(empty.memory),
    };
    Ok(Report { text: found.text(plan, &tool.video), figures: found.json(plan) })
}

impl Found {
    fn text(&self, plan: &Plan, video: &Video) -> String {
        let Self { each, rate, seen, .. } = self;
        format!(
            "cost: {n} sessions, {codec}, a question every {interval} s{back}, {secs:.1} s, \
             {video}\n\
             cpu per session     {cpu:.4} of a core\n\
             memory per session  {memory:.1} MB ({rest:.0} MB without sessions, {all:.0} MB \
             with), {mapped:.1} of it in libraries\n\
             threads, files      {threads:.1}, {files:.1} per session\n\
             answers             {rate:.2} per session and second, {unreadable} of {questions} \
             pictures unreadable\n",
            n = plan.sessions,
            codec = plan.codec,
            interval = plan.interval,
            back = if plan.sendrecv { ", video sent back" } else { "" },
            secs = self.seconds,
            cpu = each.cpu,
            memory = each.memory_mb,
            mapped = each.mapped_mb,
            rest = self.empty_mb,
            all = self.memory_mb,
            threads = each.threads,
            files = each.files,
            unreadable = seen.unreadable,
            questions = seen.questions,
        )
    }

    fn json(&self, plan: &Plan) -> Value {
        json!({
            "sessions": plan.sessions,
            "codec": plan.codec.encoding_name(),
            "interval_s": plan.interval,
            "sendrecv": plan.sendrecv,
            "per_session": self.each.json(),
            "memory_without_sessions_mb": self.empty_mb,
            "answers_per_session_and_second": self.rate,
            "unreadable": self.seen.unreadable,
        })
    }
}
