//! CPU and memory of a session.

use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use live_vlm_pipelines::Codec;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    Failure, Tool,
    process::{PerSession, megabytes},
    report::Report,
    viewer::{Browser, Viewer, Wish},
    vlm::Vlm,
};

/// Quick, so that what is measured is the server and not waiting.
const VLM_LATENCY: Duration = Duration::from_millis(200);
/// Until encoders and bandwidth estimates have settled.
const SETTLE: Duration = Duration::from_secs(6);

pub(crate) struct Plan {
    pub(crate) sessions: usize,
    pub(crate) window: Duration,
    pub(crate) interval: f64,
    pub(crate) codec: Codec,
    pub(crate) sendrecv: bool,
}

pub(crate) async fn measure(tool: &Tool, plan: &Plan) -> Result<Report, Failure> {
    let (codec, sendrecv, interval) = (plan.codec, plan.sendrecv, plan.interval);
    let wish = Wish { codec, sendrecv, interval, ..Wish::default() };
    let vlm = Vlm::start(plan.sessions, VLM_LATENCY).await?;
    let server = tool.serve(&vlm).await?;
    let empty = tool.look_without_sessions(&server, &wish).await?;

    let browser = Browser::visit(&tool.http, &server.address).await?;
    let viewers = (0..plan.sessions).map(|_| Viewer::connect(&browser, &tool.video, &wish));
    let mut viewers = try_join_all(viewers).await?;
    sleep(SETTLE.min(plan.window)).await;
    viewers.iter_mut().for_each(|viewer| drop(viewer.take_answers()));
    let (before, began) = (server.look()?, Instant::now());
    sleep(plan.window).await;
    let (after, took) = (server.look()?, began.elapsed());
    let answers: usize = viewers.iter_mut().map(|viewer| viewer.take_answers().len()).sum();
    let seen = vlm.seen();
    join_all(viewers.into_iter().map(Viewer::hang_up)).await;

    let each = PerSession::of(&empty, &before, &after, took, plan.sessions);
    let rate = answers as f64 / took.as_secs_f64() / plan.sessions as f64;
    let text = format!(
        "cost: {n} sessions, {codec}, a question every {interval} s{back}, {secs:.1} s, {video}\n\
         cpu per session     {cpu:.4} of a core\n\
         memory per session  {memory:.1} MB ({rest:.0} MB without sessions, {all:.0} MB with)\n\
         threads, files      {threads:.1}, {files:.1} per session\n\
         answers             {rate:.2} per session and second, {unreadable} of {questions} \
         pictures unreadable\n",
        n = plan.sessions,
        back = if sendrecv { ", video sent back" } else { "" },
        secs = took.as_secs_f64(),
        video = tool.video,
        cpu = each.cpu,
        memory = each.memory_mb,
        rest = megabytes(empty.memory),
        all = megabytes(after.memory),
        threads = each.threads,
        files = each.files,
        unreadable = seen.unreadable,
        questions = seen.questions,
    );
    let figures = json!({
        "sessions": plan.sessions,
        "codec": codec.encoding_name(),
        "interval_s": interval,
        "sendrecv": sendrecv,
        "per_session": each.json(),
        "memory_without_sessions_mb": megabytes(empty.memory),
        "answers_per_session_and_second": rate,
        "unreadable": seen.unreadable,
    });
    Ok(Report { text, figures })
}
