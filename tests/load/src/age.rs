//! From the capture of a picture to its complete answer, when sessions must wait for each other.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use tokio::time::sleep;

use crate::{
    Failure, Tool,
    manner::Manner,
    report::{Report, figure, table},
    spec::{AUTO, millis, seconds, some, told_slots},
    stats::percentile,
    viewer::Wish,
    viewers::{Viewers, ages_ms},
    vlm::Vlm,
};

/// The first turns, before the dispatcher knows how long one takes.
const SETTLE: Duration = Duration::from_secs(8);
/// The same where it has to find how many questions the VLM takes.
const SETTLE_FINDING: Duration = Duration::from_secs(15);

#[derive(Debug, Clone, Args)]
pub(crate) struct Plan {
    /// Viewers at once
    #[arg(long, default_value_t = 4, value_parser = some)]
    pub(crate) sessions: usize,
    #[command(flatten)]
    pub(crate) turns: Turns,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Sweep {
    /// Sessions per slot, one run each
    #[arg(long, value_delimiter = ',', default_value = "1,2,4,8,16", value_parser = some)]
    pub(crate) ratios: Vec<usize>,
    #[command(flatten)]
    pub(crate) turns: Turns,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Turns {
    /// Questions that the VLM answers at once
    #[arg(long, default_value_t = 1, value_parser = some)]
    pub(crate) slots: usize,
    /// Milliseconds that the VLM takes for an answer
    #[arg(long, value_name = "LATENCY", default_value = "1000", value_parser = millis)]
    pub(crate) latency: Duration,
    /// How long to measure, in seconds
    #[arg(long = "seconds", value_name = "SECONDS", default_value = "40", value_parser = seconds)]
    pub(crate) window: Duration,
    /// Seconds between two questions of a session
    #[arg(long, default_value_t = 1.0)]
    pub(crate) interval: f64,
    /// What the server is told of the slots: their number, or auto [default: as many as there are]
    #[arg(long, value_name = "N|auto", value_parser = told_slots)]
    pub(crate) server_slots: Option<String>,
    #[command(flatten)]
    pub(crate) manner: Manner,
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
    let turns = &plan.turns;
    let found = run(tool, plan.sessions, turns).await?;
    let at = |part: f64| percentile(&found.ages, part);
    let (p50, p95, most) = (at(0.5), at(0.95), at(1.0));
    let ms = |value| figure(value, 0);
    let text = format!(
        "age: {} sessions on {} slot(s) of {} ms, {}\n\
         capture to complete answer  p50 {} ms, p95 {} ms, most {} ms ({} answers)\n\
         answers per session         {:?}\n\
         slots busy                  {:.0}%, at most {} questions at the VLM at once\n",
        plan.sessions,
        turns.slots,
        turns.latency.as_millis(),
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
        "slots": turns.slots,
        "latency_ms": turns.latency.as_millis(),
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
pub(crate) async fn sweep(tool: &Tool, sweep: &Sweep) -> Result<Report, Failure> {
    let turns = &sweep.turns;
    let (mut rows, mut figures) = (Vec::new(), Vec::new());
    let latency = turns.latency.as_secs_f64() * 1000.0;
    for ratio in &sweep.ratios {
        let sessions = ratio * turns.slots;
        let found = run(tool, sessions, turns).await?;
        let at = |part: f64| percentile(&found.ages, part).map(|age| age / latency);
        let (p50, p95, most) = (at(0.5), at(0.95), at(1.0));
        let fewest = found.per_session.iter().min().copied().unwrap_or(0);
        rows.push(vec![
            format!("{ratio}"),
            format!("{sessions}"),
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
            "sessions": sessions,
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
        turns.slots,
        turns.window.as_secs_f64(),
        tool.video,
        table(&head, &rows)
    );
    let figures = json!({"slots": turns.slots, "latency_ms": latency, "runs": figures});
    Ok(Report { text, figures })
}

async fn run(tool: &Tool, sessions: usize, turns: &Turns) -> Result<Found, Failure> {
    let told = turns.server_slots.as_deref();
    let vlm = Vlm::start_with(turns.slots, turns.latency, turns.manner, told).await?;
    let server = tool.serve(&vlm).await?;
    let wish = Wish { interval: turns.interval, ..Wish::default() };
    let mut viewers = Viewers::of_many(tool, &server.address, &wish, sessions).await?;
    let finds = told == Some(AUTO);
    let settle = if finds { SETTLE_FINDING } else { SETTLE };
    sleep(settle.min(turns.window)).await;
    viewers.forget_answers();
    let began = Instant::now();
    sleep(turns.window).await;
    let heard = viewers.take_answers();
    let busy = vlm.busy_since(began);
    viewers.hang_up().await;
    let per_session = heard.iter().map(Vec::len).collect();
    let ages = ages_ms(heard.iter().flatten());
    if ages.is_empty() {
        return Err("no answer carried the number of its picture".into());
    }
    Ok(Found { ages, per_session, busy, most_at_once: vlm.seen().most_at_once })
}
