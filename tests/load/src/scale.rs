//! Many sessions that ask now and then: is every one answered on time?

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::sleep;

use crate::{
    Failure, Tool, process,
    process::{PerSession, megabytes},
    report::{Report, figure},
    stats::percentile,
    viewer::{Browser, Heard, Viewer, Wish},
    vlm::Vlm,
};

/// A session whose last answer is older than so many intervals is frozen.
const FROZEN: f64 = 2.0;
/// An answer that comes later after the one before than so many intervals is late.
const LATE: f64 = 1.5;

pub(crate) struct Plan {
    pub(crate) sessions: usize,
    pub(crate) interval: f64,
    pub(crate) slots: usize,
    pub(crate) latency: Duration,
    pub(crate) window: Duration,
}

/// One session's answers in time.
struct Rhythm {
    answers: usize,
    /// Seconds from answer to answer, the beginning and the end counting as one.
    gaps: Vec<f64>,
}

impl Rhythm {
    fn of(heard: &[Heard], began: Instant, ended: Instant) -> Self {
        let within = heard.iter().map(|heard| heard.at).filter(|at| *at >= began && *at <= ended);
        let marks: Vec<Instant> =
            std::iter::once(began).chain(within).chain(std::iter::once(ended)).collect();
        let gaps = marks.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
        Self { answers: marks.len() - 2, gaps }
    }

    fn is_late(&self, interval: f64) -> bool {
        self.gaps.iter().any(|gap| *gap > LATE * interval)
    }

    fn is_frozen(&self, interval: f64) -> bool {
        self.gaps.last().is_some_and(|gap| *gap > FROZEN * interval)
    }
}

pub(crate) async fn measure(tool: &Tool, plan: &Plan) -> Result<Report, Failure> {
    let wish = Wish { interval: plan.interval, ..Wish::default() };
    let vlm = Vlm::start(plan.slots, plan.latency).await?;
    let server = tool.serve(&vlm).await?;
    let empty = tool.look_without_sessions(&server, &wish).await?;
    let mut viewers = Vec::new();
    // People do not all press Play in the same moment: so questions are spread over the interval.
    let apart = Duration::from_secs_f64(plan.interval / plan.sessions as f64);
    for _ in 0..plan.sessions {
        let next = Instant::now() + apart;
        let browser = Browser::visit(&tool.http, &server.address).await?;
        viewers.push(Viewer::connect(&browser, &tool.video, &wish).await?);
        sleep(next.saturating_duration_since(Instant::now())).await;
    }
    sleep(Duration::from_secs_f64(plan.interval)).await;
    viewers.iter_mut().for_each(|viewer| drop(viewer.take_answers()));

    let own = std::process::id();
    let (before, own_before, began) = (server.look()?, process::look(own)?, Instant::now());
    sleep(plan.window).await;
    let (after, own_after, ended) = (server.look()?, process::look(own)?, Instant::now());
    let took = ended - began;
    let heard: Vec<Vec<Heard>> = viewers.iter_mut().map(Viewer::take_answers).collect();
    let errors: usize = viewers.iter().map(|viewer| viewer.trouble().0).sum();
    join_all(viewers.into_iter().map(Viewer::hang_up)).await;

    let each = PerSession::of(&empty, &before, &after, took, plan.sessions);
    let own_cpu = (own_after.cpu.saturating_sub(own_before.cpu)).as_secs_f64() / took.as_secs_f64();
    let rhythms: Vec<Rhythm> = heard.iter().map(|heard| Rhythm::of(heard, began, ended)).collect();
    let ages = heard.iter().flatten().filter_map(|heard| heard.age);
    let ages: Vec<f64> = ages.map(|age| age.as_secs_f64() * 1000.0).collect();
    let gaps: Vec<f64> = rhythms.iter().flat_map(|rhythm| rhythm.gaps.iter().copied()).collect();
    let count = |which: fn(&Rhythm, f64) -> bool| {
        rhythms.iter().filter(|rhythm| which(rhythm, plan.interval)).count()
    };
    let (late, frozen) = (count(Rhythm::is_late), count(Rhythm::is_frozen));
    let answers = rhythms.iter().map(|rhythm| rhythm.answers);
    let (fewest, most) = (answers.clone().min().unwrap_or(0), answers.max().unwrap_or(0));
    let expected = took.as_secs_f64() / plan.interval;
    let (p50, p95) = (percentile(&ages, 0.5), percentile(&ages, 0.95));
    let longest = percentile(&gaps, 1.0);
    let text = format!(
        "scale: {n} sessions, a question every {interval} s, VLM of {slots} slots of {latency} ms, \
         {secs:.0} s, {video}\n\
         answers per session   {fewest} to {most}, {expected:.1} wanted; {errors} errors\n\
         longest gap           {longest} s; sessions with a late answer {late}, frozen {frozen}\n\
         capture to answer     p50 {p50} ms, p95 {p95} ms\n\
         server per session    {cpu:.4} of a core, {memory:.1} MB, {threads:.1} threads, \
         {files:.1} files\n\
         server                {all_cpu:.2} cores, {all:.0} MB ({rest:.0} MB without sessions)\n\
         senders and VLM       {own_cpu:.2} cores\n",
        n = plan.sessions,
        interval = plan.interval,
        slots = plan.slots,
        latency = plan.latency.as_millis(),
        secs = took.as_secs_f64(),
        video = tool.video,
        longest = figure(longest, 2),
        p50 = figure(p50, 0),
        p95 = figure(p95, 0),
        cpu = each.cpu,
        memory = each.memory_mb,
        threads = each.threads,
        files = each.files,
        all_cpu = each.cpu * plan.sessions as f64,
        all = megabytes(after.memory),
        rest = megabytes(empty.memory),
    );
    let figures = json!({
        "sessions": plan.sessions,
        "interval_s": plan.interval,
        "seconds": took.as_secs_f64(),
        "expected_answers": expected,
        "fewest_answers": fewest,
        "most_answers": most,
        "longest_gap_s": longest,
        "late_sessions": late,
        "frozen_sessions": frozen,
        "errors": errors,
        "age_p50_ms": p50,
        "age_p95_ms": p95,
        "per_session": each.json(),
        "memory_without_sessions_mb": megabytes(empty.memory),
        "senders_cpu": own_cpu,
    });
    Ok(Report { text, figures })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rhythm(answers_at: &[u64], until: u64) -> Rhythm {
        let began = Instant::now();
        let at = |second: u64| began + Duration::from_secs(second);
        let heard: Vec<Heard> =
            answers_at.iter().map(|second| Heard { at: at(*second), age: None }).collect();
        Rhythm::of(&heard, began, at(until))
    }

    #[test]
    fn regular_answers_are_neither_late_nor_frozen() {
        let regular = rhythm(&[3, 8, 13, 18], 20);
        assert_eq!((regular.answers, &*regular.gaps), (4, &[3.0, 5.0, 5.0, 5.0, 2.0][..]));
        assert!(!regular.is_late(5.0) && !regular.is_frozen(5.0));
    }

    #[test]
    fn a_missing_answer_is_late_and_a_missing_end_is_frozen() {
        let skipped = rhythm(&[3, 13, 18], 20);
        assert!(skipped.is_late(5.0) && !skipped.is_frozen(5.0));
        assert!(rhythm(&[3, 8], 20).is_frozen(5.0));
        assert!(rhythm(&[], 20).is_frozen(5.0));
    }
}
