//! CPU and memory of a session.

use std::{path::Path, time::Duration};

use futures_util::future::{join_all, try_join_all};
use live_vlm_pipelines::Codec;
use tokio::time::{Instant, sleep};

use crate::{
    Failure,
    process::megabytes,
    server::Server,
    viewer::{Kind, Viewer},
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
    pub(crate) codec: String,
    pub(crate) sendrecv: bool,
}

pub(crate) async fn measure(server: &Path, plan: &Plan) -> Result<String, Failure> {
    let codec = Codec::from_encoding_name(&plan.codec).ok_or("--codec is VP8, H264 or VP9")?;
    let kind = Kind { codec, sendrecv: plan.sendrecv, interval: plan.interval };
    let vlm = Vlm::start(plan.sessions, VLM_LATENCY).await?;
    let slots = plan.sessions.to_string();
    let server = Server::start(server, &vlm.base, &["--slots", &slots]).await?;
    // What the first session loads belongs to the process, not to the session.
    let mut first = Viewer::connect(&server.address, &kind).await?;
    first.answer().await?;
    first.hang_up().await;
    sleep(Duration::from_secs(2)).await;
    let empty = server.look()?;

    let viewers = (0..plan.sessions).map(|_| Viewer::connect(&server.address, &kind));
    let mut viewers = try_join_all(viewers).await?;
    sleep(SETTLE).await;
    viewers.iter_mut().for_each(|viewer| drop(viewer.take_answers()));
    let (before, began) = (server.look()?, Instant::now());
    sleep(plan.window).await;
    let (after, took) = (server.look()?, began.elapsed());
    let answers: usize = viewers.iter_mut().map(|viewer| viewer.take_answers().len()).sum();
    let seen = vlm.seen();
    join_all(viewers.into_iter().map(Viewer::hang_up)).await;

    let sessions = plan.sessions as f64;
    let cpu = (after.cpu - before.cpu).as_secs_f64();
    let memory = megabytes(after.memory.saturating_sub(empty.memory)) / sessions;
    Ok(format!(
        "cost: {n} sessions, {codec:?}, 640x480@30, a question every {interval} s{back}, {secs:.1} s\n\
         cpu per session     {cpu:.4} of a core ({total:.2} CPU seconds)\n\
         memory per session  {memory:.1} MB ({rest:.0} MB without sessions, {all:.0} MB with)\n\
         threads, files      {threads:.1}, {files:.1} per session\n\
         answers             {rate:.2} per session and second, {unreadable} of {questions} \
         pictures unreadable\n",
        n = plan.sessions,
        interval = plan.interval,
        back = if plan.sendrecv { ", video sent back" } else { "" },
        secs = took.as_secs_f64(),
        cpu = cpu / took.as_secs_f64() / sessions,
        total = cpu,
        rest = megabytes(empty.memory),
        all = megabytes(after.memory),
        threads = after.threads.saturating_sub(empty.threads) as f64 / sessions,
        files = after.files.saturating_sub(empty.files) as f64 / sessions,
        rate = answers as f64 / took.as_secs_f64() / sessions,
        unreadable = seen.unreadable,
        questions = seen.questions,
    ))
}
