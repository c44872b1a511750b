//! Sessions that come and go at random.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    Failure, Tool,
    process::{Look, megabytes},
    report::{Report, figure, table},
    server::Server,
    stats::slope,
    viewer::{Browser, Viewer, Wish},
    vlm::Vlm,
};

/// More at once are not begun: a server that hangs must not be mistaken for one that leaks.
const MOST_AT_ONCE: usize = 200;
/// Growth counts from here on; before, caches and pools fill.
const WARM: Duration = Duration::from_secs(120);

pub(crate) struct Plan {
    /// Sessions a second.
    pub(crate) rate: f64,
    /// How long one lasts in the mean.
    pub(crate) stay: Duration,
    /// The part of them that vanishes without a word, 0 to 1.
    pub(crate) vanish: f64,
    pub(crate) window: Duration,
    pub(crate) every: Duration,
    /// The most that is waited at the end for what is left behind to go.
    pub(crate) quiet: Duration,
    pub(crate) seed: u64,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    HungUp,
    /// Gone without a word, perhaps before it was connected.
    Vanished,
    Failed,
}

struct Sample {
    after: Duration,
    look: Look,
    sessions: usize,
}

pub(crate) async fn measure(tool: &Tool, plan: &Plan) -> Result<Report, Failure> {
    let vlm = Vlm::start_closing(4, Duration::from_millis(50)).await?;
    let server = tool.serve(&vlm).await?;
    let empty = tool.look_without_sessions(&server, &Wish::default()).await?;
    let mut dice = fastrand::Rng::with_seed(plan.seed);
    let mut visits = JoinSet::new();
    let mut ends = [0_usize; 3];
    let mut said = None;
    let mut samples = Vec::new();
    let began = Instant::now();
    let (mut next, mut sample_at) = (began, began);
    while began.elapsed() < plan.window {
        while let Some(end) = visits.try_join_next() {
            note(end?, &mut ends, &mut said);
        }
        if Instant::now() >= sample_at {
            sample_at += plan.every;
            let (after, sessions) = (began.elapsed(), visits.len());
            samples.push(Sample { after, look: server.look()?, sessions });
        }
        if Instant::now() >= next && visits.len() < MOST_AT_ONCE {
            next += plan.rate_gap(&mut dice);
            let stay = exponential(&mut dice, plan.stay);
            let vanishes = dice.f64() < plan.vanish;
            visits.spawn(visit(tool.clone(), server.address.clone(), stay, vanishes));
        }
        sleep(Duration::from_millis(5)).await;
    }
    while let Some(end) = visits.join_next().await {
        note(end?, &mut ends, &mut said);
    }
    let left = settled(&server, &empty, plan.quiet).await?;
    Ok(report(tool, plan, &samples, (&empty, &left), ends, said.as_deref()))
}

impl Plan {
    fn rate_gap(&self, dice: &mut fastrand::Rng) -> Duration {
        exponential(dice, Duration::from_secs_f64(1.0 / self.rate))
    }

    /// When growth begins to count: a short run is warm after a third of it.
    fn warm(&self) -> Duration {
        WARM.min(self.window / 3)
    }
}

/// Times between things that happen by chance, of this mean; none is over 10 times as long.
fn exponential(dice: &mut fastrand::Rng, mean: Duration) -> Duration {
    mean.mul_f64((-(1.0 - dice.f64()).ln()).min(10.0))
}

type Ended = (End, Option<String>);

/// One session: it leaves when its time is over, wherever it is by then.
async fn visit(tool: Tool, server: String, stay: Duration, vanishes: bool) -> Ended {
    let until = Instant::now() + stay;
    let connect = async {
        let browser = Browser::visit(&tool.http, &server).await?;
        Viewer::connect(&browser, &tool.video, &Wish::default()).await
    };
    match timeout(stay, connect).await {
        Err(_) => (End::Vanished, None),
        Ok(Err(error)) => (End::Failed, Some(error.to_string())),
        Ok(Ok(viewer)) => {
            sleep(until.saturating_duration_since(Instant::now())).await;
            if vanishes {
                drop(viewer);
                return (End::Vanished, None);
            }
            viewer.hang_up().await;
            (End::HungUp, None)
        }
    }
}

fn note((end, error): Ended, ends: &mut [usize; 3], said: &mut Option<String>) {
    ends[end as usize] += 1;
    if error.is_some() {
        *said = error;
    }
}

/// Waits until threads and files are what they were, or for as long as is allowed.
async fn settled(server: &Server, empty: &Look, quiet: Duration) -> Result<Look, Failure> {
    let until = Instant::now() + quiet;
    loop {
        let look = server.look()?;
        let settled = look.threads <= empty.threads && look.files <= empty.files;
        if settled || Instant::now() >= until {
            return Ok(look);
        }
        sleep(Duration::from_millis(500)).await;
    }
}

fn report(
    tool: &Tool,
    plan: &Plan,
    samples: &[Sample],
    (empty, left): (&Look, &Look),
    ends: [usize; 3],
    said: Option<&str>,
) -> Report {
    let row = |when: String, sessions: usize, look: &Look| {
        let (threads, files) = (look.threads.to_string(), look.files.to_string());
        let memory = format!("{:.1}", megabytes(look.memory));
        vec![when, sessions.to_string(), threads, files, memory]
    };
    let mut rows = vec![row("before".into(), 0, empty)];
    rows.extend(samples.iter().map(|sample| {
        row(format!("{:.0} s", sample.after.as_secs_f64()), sample.sessions, &sample.look)
    }));
    rows.push(row("after all".into(), 0, left));
    let warm = samples.iter().filter(|sample| sample.after >= plan.warm());
    let growth = |of: fn(&Look) -> f64| {
        let points: Vec<_> = warm
            .clone()
            .map(|sample| (sample.after.as_secs_f64() / 60.0, of(&sample.look)))
            .collect();
        slope(&points)
    };
    let memory = growth(|look| megabytes(look.memory));
    let threads = growth(|look| look.threads as f64);
    let files = growth(|look| look.files as f64);
    let [hung_up, vanished, failed] = ends;
    let text = format!(
        "churn: {rate} sessions a second that stay {stay:.1} s in the mean, {secs:.0} s, {video}\n\
         {table}\
         sessions              {hung_up} hung up, {vanished} vanished, {failed} failed{said}\n\
         growth after {warm:.0} s    {memory} MB, {threads} threads, {files} files a minute\n\
         left behind           {left_threads:+} threads, {left_files:+} files, {left_mb:+.1} MB\n",
        rate = plan.rate,
        stay = plan.stay.as_secs_f64(),
        secs = plan.window.as_secs_f64(),
        video = tool.video,
        table = table(&["", "sessions", "threads", "files", "MB"], &rows),
        said = said.map(|error| format!(" ({error})")).unwrap_or_default(),
        warm = plan.warm().as_secs_f64(),
        memory = figure(memory, 2),
        threads = figure(threads, 2),
        files = figure(files, 2),
        left_threads = difference(left.threads, empty.threads),
        left_files = difference(left.files, empty.files),
        left_mb = megabytes(left.memory) - megabytes(empty.memory),
    );
    let look = |look: &Look| {
        json!({
            "threads": look.threads, "files": look.files, "memory_mb": megabytes(look.memory),
        })
    };
    let figures = json!({
        "rate": plan.rate,
        "seconds": plan.window.as_secs_f64(),
        "hung_up": hung_up,
        "vanished": vanished,
        "failed": failed,
        "growth_per_minute": {"memory_mb": memory, "threads": threads, "files": files},
        "before": look(empty),
        "after": look(left),
        "samples": samples.iter().map(|sample| json!({
            "after_s": sample.after.as_secs_f64(),
            "sessions": sample.sessions,
            "look": look(&sample.look),
        })).collect::<Vec<_>>(),
    });
    Report { text, figures }
}

fn difference(now: usize, then: usize) -> i64 {
    i64::try_from(now).unwrap_or(i64::MAX) - i64::try_from(then).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_keeps_to_its_mean_and_its_bound() {
        let mut dice = fastrand::Rng::with_seed(7);
        let mean = Duration::from_millis(100);
        let all: Vec<Duration> = (0..10_000).map(|_| exponential(&mut dice, mean)).collect();
        let sum: Duration = all.iter().sum();
        assert!((sum.as_secs_f64() - 1000.0).abs() < 30.0, "{sum:?}");
        assert!(all.iter().all(|time| *time <= 10 * mean));
    }

    #[test]
    fn growth_counts_after_two_minutes_or_a_third() {
        let plan = |seconds| Plan {
            rate: 8.0,
            stay: Duration::from_secs(2),
            vanish: 0.5,
            window: Duration::from_secs(seconds),
            every: Duration::from_secs(10),
            quiet: Duration::ZERO,
            seed: 1,
        };
        assert_eq!(plan(600).warm(), Duration::from_secs(120));
        assert_eq!(plan(60).warm(), Duration::from_secs(20));
    }
}
