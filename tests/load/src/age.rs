//! From the capture of a frame to its complete answer, when sessions must wait for each other.

use std::{path::Path, time::Duration};

use futures_util::future::{join_all, try_join_all};
use tokio::time::sleep;

use crate::{
    Failure,
    server::Server,
    viewer::{Kind, Viewer},
    vlm::Vlm,
};

/// The first turns, before the dispatcher knows how long one takes.
const SETTLE: Duration = Duration::from_secs(8);

pub(crate) struct Plan {
    pub(crate) sessions: usize,
    pub(crate) slots: usize,
    pub(crate) latency: Duration,
    pub(crate) window: Duration,
}

pub(crate) async fn measure(server: &Path, plan: &Plan) -> Result<String, Failure> {
    let vlm = Vlm::start(plan.slots, plan.latency).await?;
    let slots = plan.slots.to_string();
    let server = Server::start(server, &vlm.base, &["--slots", &slots]).await?;
    let kind = Kind::default();
    let viewers = (0..plan.sessions).map(|_| Viewer::connect(&server.address, &kind));
    let mut viewers = try_join_all(viewers).await?;
    sleep(SETTLE).await;
    viewers.iter_mut().for_each(|viewer| drop(viewer.take_answers()));
    sleep(plan.window).await;
    let heard: Vec<Vec<_>> = viewers.iter_mut().map(Viewer::take_answers).collect();
    let seen = vlm.seen();
    join_all(viewers.into_iter().map(Viewer::hang_up)).await;

    let per_session: Vec<usize> = heard.iter().map(Vec::len).collect();
    let mut ages: Vec<u64> = heard.into_iter().flatten().filter_map(|h| h.age_ms).collect();
    ages.sort_unstable();
    let at = |part: f64| {
        let last = ages.len().saturating_sub(1) as f64;
        ages.get((last * part).round() as usize).copied()
    };
    let (Some(p50), Some(p95), Some(most)) = (at(0.5), at(0.95), at(1.0)) else {
        return Err("no answer carried the time of its picture".into());
    };
    let busy = ages.len() as f64 * plan.latency.as_secs_f64()
        / (plan.window.as_secs_f64() * plan.slots as f64);
    Ok(format!(
        "age: {} sessions on {} slot(s) of {} ms\n\
         capture to complete answer  p50 {p50} ms, p95 {p95} ms, most {most} ms ({} answers)\n\
         answers per session         {per_session:?}\n\
         slots busy                  {:.0}%, at most {} questions at the VLM at once\n",
        plan.sessions,
        plan.slots,
        plan.latency.as_millis(),
        ages.len(),
        busy * 100.0,
        seen.most_at_once,
    ))
}
