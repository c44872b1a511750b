//! Many sessions that ask now and then: is every one answered on time?

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    Failure, Tool, process,
    process::{Look, PerSession, megabytes},
    report::{Report, figure},
    server::Server,
    spec::{millis, seconds, some},
    stats::percentile,
    video::Video,
    viewer::{Browser, Heard, Viewer, Wish},
    viewers::{Viewers, ages_ms},
    vlm::Vlm,
};

/// A session whose last answer is older than so many intervals is frozen.
const FROZEN: f64 = 2.0;
/// An answer that comes later after the one before than so many intervals is late.
const LATE: f64 = 1.5;

#[derive(Debug, Clone, Args)]
pub(crate) struct Plan {
    /// Viewers at once
    #[arg(long, default_value_t = 32, value_parser = some)]
    pub(crate) sessions: usize,
    /// Seconds between two questions of a session
    #[arg(long, default_value_t = 5.0)]
    pub(crate) interval: f64,
    /// Questions that the VLM answers at once
    #[arg(long, default_value_t = 8, value_parser = some)]
    pub(crate) slots: usize,
    /// Milliseconds that the VLM takes for an answer
    #[arg(long, value_name = "LATENCY", default_value = "500", value_parser = millis)]
    pub(crate) latency: Duration,
    /// How long to measure, in seconds
    #[arg(long = "seconds", value_name = "SECONDS", default_value = "60", value_parser = seconds)]
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

/// What was found of all sessions.
struct Found {
    seconds: f64,
    expected: f64,
    fewest: usize,
    most: usize,
    errors: usize,
    /// Seconds.
    longest_gap: Option<f64>,
    late: usize,
    frozen: usize,
    /// Milliseconds.
    age_p50: Option<f64>,
    age_p95: Option<f64>,
    each: PerSession,
    memory_mb: f64,
    empty_mb: f64,
    /// Cores that senders and VLM use.
    own_cpu: f64,
}

/// Server and senders before and after some time.
struct Watched {
    server: [Look; 2],
    own_cpu: [Duration; 2],
    began: Instant,
    ended: Instant,
}

pub(crate) async fn measure(tool: &Tool, plan: &Plan) -> Result<Report, Failure> {
    let wish = Wish { interval: plan.interval, ..Wish::default() };
    let vlm = Vlm::start(plan.slots, plan.latency).await?;
    let server = tool.serve(&vlm).await?;
    let empty = tool.look_without_sessions(&server, &wish).await?;
    let mut viewers = arrive(tool, &server, plan, &wish).await?;
    sleep(Duration::from_secs_f64(plan.interval)).await;
    viewers.forget_answers();
    let watched = watch(&server, plan.window).await?;
    let heard = viewers.take_answers();
    let errors = viewers.errors();
    viewers.hang_up().await;
    let found = Found::of(plan, &empty, &watched, &heard, errors);
    Ok(Report { text: found.text(plan, &tool.video), figures: found.json(plan) })
}

/// People do not all press Play in the same moment: so questions are spread over the interval.
async fn arrive(
    tool: &Tool,
    server: &Server,
    plan: &Plan,
    wish: &Wish,
) -> Result<Viewers, Failure> {
    let apart = Duration::from_secs_f64(plan.interval / plan.sessions as f64);
    let mut viewers = Viewers::default();
    for _ in 0..plan.sessions {
        let next = Instant::now() + apart;
        let browser = Browser::visit(tool, &server.address).await?;
        viewers.add(Viewer::connect(&browser, &tool.video, wish).await?);
        sleep(next.saturating_duration_since(Instant::now())).await;
    }
    Ok(viewers)
}

async fn watch(server: &Server, window: Duration) -> Result<Watched, Failure> {
    let look = || Ok::<_, Failure>((server.look()?, process::own_cpu()?));
    let ((server_before, own_before), began) = (look()?, Instant::now());
    sleep(window).await;
    let ((server_after, own_after), ended) = (look()?, Instant::now());
    let (server, own_cpu) = ([server_before, server_after], [own_before, own_after]);
    Ok(Watched { server, own_cpu, began, ended })
}

impl Found {
    fn of(
        plan: &Plan,
        empty: &Look,
        watched: &Watched,
        heard: &[Vec<Heard>],
        errors: usize,
    ) -> Self {
        let Watched { server: [before, after], own_cpu: [own_before, own_after], began, ended } =
            watched;
        let took = *ended - *began;
        let rhythms: Vec<Rhythm> =
            heard.iter().map(|heard| Rhythm::of(heard, *began, *ended)).collect();
        let gaps: Vec<f64> =
            rhythms.iter().flat_map(|rhythm| rhythm.gaps.iter().copied()).collect();
        let count = |which: fn(&Rhythm, f64) -> bool| {
            rhythms.iter().filter(|rhythm| which(rhythm, plan.interval)).count()
        };
        let answers = rhythms.iter().map(|rhythm| rhythm.answers);
        let ages = ages_ms(heard.iter().flatten());
        let own_cpu = own_after.saturating_sub(*own_before);
        Self {
            seconds: took.as_secs_f64(),
            expected: took.as_secs_f64() / plan.interval,
            fewest: answers.clone().min().unwrap_or(0),
            most: answers.max().unwrap_or(0),
            errors,
            longest_gap: percentile(&gaps, 1.0),
            late: count(Rhythm::is_late),
            frozen: count(Rhythm::is_frozen),
            age_p50: percentile(&ages, 0.5),
            age_p95: percentile(&ages, 0.95),
            each: PerSession::of(empty, before, after, took, plan.sessions),
            memory_mb: megabytes(after.memory),
            empty_mb: megabytes(empty.memory),
            own_cpu: own_cpu.as_secs_f64() / took.as_secs_f64(),
        }
    }

    fn text(&self, plan: &Plan, video: &Video) -> String {
        let Self { expected, fewest, most, errors, late, frozen, each, own_cpu, .. } = self;
        format!(
            "scale: {n} sessions, a question every {interval} s, VLM of {slots} slots of \
             {latency} ms, {secs:.0} s, {video}\n\
             answers per session   {fewest} to {most}, {expected:.1} wanted; {errors} errors\n\
             longest gap           {longest} s; sessions with a late answer {late}, frozen \
             {frozen}\n\
             capture to answer     p50 {p50} ms, p95 {p95} ms\n\
             server per session    {cpu:.4} of a core, {memory:.1} MB, {threads:.1} threads, \
             {files:.1} files\n\
             server                {all_cpu:.2} cores, {all:.0} MB ({rest:.0} MB without \
             sessions)\n\
             senders and VLM       {own_cpu:.2} cores\n",
            n = plan.sessions,
            interval = plan.interval,
            slots = plan.slots,
            latency = plan.latency.as_millis(),
            secs = self.seconds,
            longest = figure(self.longest_gap, 2),
            p50 = figure(self.age_p50, 0),
            p95 = figure(self.age_p95, 0),
            cpu = each.cpu,
            memory = each.memory_mb,
            threads = each.threads,
            files = each.files,
            all_cpu = each.cpu * plan.sessions as f64,
            all = self.memory_mb,
            rest = self.empty_mb,
        )
    }

    fn json(&self, plan: &Plan) -> Value {
        json!({
            "sessions": plan.sessions,
            "interval_s": plan.interval,
            "seconds": self.seconds,
            "expected_answers": self.expected,
            "fewest_answers": self.fewest,
            "most_answers": self.most,
            "longest_gap_s": self.longest_gap,
            "late_sessions": self.late,
            "frozen_sessions": self.frozen,
            "errors": self.errors,
            "age_p50_ms": self.age_p50,
            "age_p95_ms": self.age_p95,
            "per_session": self.each.json(),
            "memory_without_sessions_mb": self.empty_mb,
            "senders_cpu": self.own_cpu,
        })
    }
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
