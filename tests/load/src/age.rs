//! From the capture of a picture to its complete answer, when sessions must wait for each other.

use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join_all};
use serde_json::json;
use tokio::time::sleep;

use crate::{
    Failure, Tool,
    report::{Report, figure, table},
    stats::percentile,
    viewer::{Browser, Viewer, Wish},
    vlm::Vlm,
};

/// The first turns, before the dispatcher knows how long one takes.
const SETTLE: Duration = Duration::from_secs(8);

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) sessions: usize,
    pub(crate) slots: usize,
    pub(crate) latency: Duration,
    pub(crate) interval: f64,
    pub(crate) window: Duration,
}

/// What was found with one plan.
struct Found {
    /// Milliseconds, of all sessions' answers.
    ages: Vec<f64>,
    per_session: Vec<usize>,
    busy: f64,
    most_at_once: usize,
}

pub(crate) async fn measure(tool: &Tool, plan: &Plan) -> Result<Report, Failure> {
    let found = run(tool, plan).await?;
    let at = |part: f64| percentile(&found.ages, part);
    let (p50, p95, most) = (at(0.5), at(0.95), at(1.0));
    let ms = |value| figure(value, 0);
    let text = format!(
        "age: {} sessions on {} slot(s) of {} ms, {}\n\
         capture to complete answer  p50 {} ms, p95 {} ms, most {} ms ({} answers)\n\
         answers per session         {:?}\n\
         slots busy                  {:.0}%, at most {} questions at the VLM at once\n",
        plan.sessions,
        plan.slots,
        plan.latency.as_millis(),
        tool.video,
        ms(p50),
        ms(p95),
        ms(most),
        found.ages.len(),
        found.per_session,
        found.busy * 100.0,
        found.most_at_once,
    );
    let figures = json!({
        "sessions": plan.sessions,
        "slots": plan.slots,
        "latency_ms": plan.latency.as_millis(),
        "age_p50_ms": p50,
        "age_p95_ms": p95,
        "age_most_ms": most,
        "answers_per_session": found.per_session,
        "slots_busy": found.busy,
        "most_at_once": found.most_at_once,
    });
    Ok(Report { text, figures })
}

/// Ages at several numbers of sessions per slot.
pub(crate) async fn sweep(tool: &Tool, plan: &Plan, ratios: &[usize]) -> Result<Report, Failure> {
    let (mut rows, mut figures) = (Vec::new(), Vec::new());
    let latency = plan.latency.as_secs_f64() * 1000.0;
    for ratio in ratios {
        let plan = Plan { sessions: ratio * plan.slots, ..plan.clone() };
        let found = run(tool, &plan).await?;
        let at = |part: f64| percentile(&found.ages, part).map(|age| age / latency);
        let (p50, p95, most) = (at(0.5), at(0.95), at(1.0));
        let fewest = found.per_session.iter().min().copied().unwrap_or(0);
        rows.push(vec![
            format!("{ratio}"),
            format!("{}", plan.sessions),
            figure(p50, 2),
            figure(p95, 2),
            figure(most, 2),
            format!("{}", found.ages.len()),
            format!("{fewest}"),
            format!("{:.0}%", found.busy * 100.0),
            format!("{}", found.most_at_once),
        ]);
        figures.push(json!({
            "sessions_per_slot": ratio,
            "sessions": plan.sessions,
            "age_p50_per_latency": p50,
            "age_p95_per_latency": p95,
            "age_most_per_latency": most,
            "answers": found.ages.len(),
            "fewest_answers_of_a_session": fewest,
            "slots_busy": found.busy,
            "most_at_once": found.most_at_once,
        }));
    }
    let head = ["K/S", "K", "p50/L", "p95/L", "most/L", "answers", "fewest", "busy", "at once"];
    let text = format!(
        "freshness: K sessions on {} slot(s) of L = {latency:.0} ms, {:.0} s each, {}\n{}",
        plan.slots,
        plan.window.as_secs_f64(),
        tool.video,
        table(&head, &rows)
    );
    let figures = json!({"slots": plan.slots, "latency_ms": latency, "runs": figures});
    Ok(Report { text, figures })
}

async fn run(tool: &Tool, plan: &Plan) -> Result<Found, Failure> {
    let vlm = Vlm::start(plan.slots, plan.latency).await?;
    let server = tool.serve(&vlm).await?;
    let wish = Wish { interval: plan.interval, ..Wish::default() };
    let viewers = (0..plan.sessions).map(|_| async {
        let browser = Browser::visit(&tool.http, &server.address).await?;
        Viewer::connect(&browser, &tool.video, &wish).await
    });
    let mut viewers = try_join_all(viewers).await?;
    sleep(SETTLE.min(plan.window)).await;
    viewers.iter_mut().for_each(|viewer| drop(viewer.take_answers()));
    let began = Instant::now();
    sleep(plan.window).await;
    let heard: Vec<Vec<_>> = viewers.iter_mut().map(Viewer::take_answers).collect();
    let busy = vlm.busy_since(began);
    join_all(viewers.into_iter().map(Viewer::hang_up)).await;
    let per_session = heard.iter().map(Vec::len).collect();
    let ages = heard.iter().flatten().filter_map(|heard| heard.age);
    let ages: Vec<f64> = ages.map(|age| age.as_secs_f64() * 1000.0).collect();
    if ages.is_empty() {
        return Err("no answer carried the number of its picture".into());
    }
    Ok(Found { ages, per_session, busy, most_at_once: vlm.seen().most_at_once })
}
