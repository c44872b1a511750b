//! Sessions that come and go at random.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    Failure, Tool,
    process::{Look, megabytes},
    report::{Report, figure, table},
    server::Server,
    spec::{seconds, time},
    stats::slope,
    video::Video,
    viewer::{Browser, Viewer, Wish},
    vlm::Vlm,
};

/// More at once are not begun: a server that hangs must not be mistaken for one that leaks.
const MOST_AT_ONCE: usize = 200;
/// Growth counts from here on; before, caches and pools fill.
const WARM: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, Args)]
pub(crate) struct Plan {
    /// Sessions that begin a second
    #[arg(long, default_value = "8.0", value_parser = rate)]
    pub(crate) rate: f64,
    /// Seconds that a session stays on average
    #[arg(long, default_value = "2.0", value_parser = time)]
    pub(crate) stay: Duration,
    /// The share of sessions, 0 to 1, that disappear without hanging up
    #[arg(long, default_value_t = 0.5)]
    pub(crate) vanish: f64,
    /// How long to measure, in seconds
    #[arg(long = "seconds", value_name = "SECONDS", default_value = "600", value_parser = seconds)]
    pub(crate) window: Duration,
    /// Seconds between two looks at the server
    #[arg(long, default_value = "10.0", value_parser = time)]
    pub(crate) every: Duration,
    /// Most seconds to wait at the end until nothing is left behind
    #[arg(long, default_value = "60", value_parser = seconds)]
    pub(crate) quiet: Duration,
    /// Seed of the random numbers: the same seed gives the same run
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// Sessions a second, within what a machine can do.
fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().map_err(|error| error.to_string())?;
    Ok(rate.clamp(0.01, 1000.0))
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

/// What was found in all.
struct Found {
    samples: Vec<Sample>,
    /// Before the first session.
    empty: Look,
    /// After the last one.
    left: Look,
    /// How many sessions ended how.
    ends: [usize; 3],
    /// The last error.
    said: Option<String>,
}

/// What comes to the server in a minute.
struct Growth {
    memory_mb: Option<f64>,
    threads: Option<f64>,
    files: Option<f64>,
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
    let found = Found { samples, empty, left, ends, said };
    Ok(Report { text: found.text(plan, &tool.video), figures: found.json(plan) })
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
        let browser = Browser::visit(&tool, &server).await?;
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

/// Waits until processes, threads and files are what they were, or for as long as is allowed.
async fn settled(server: &Server, empty: &Look, quiet: Duration) -> Result<Look, Failure> {
    let until = Instant::now() + quiet;
    loop {
        let look = server.look()?;
        let settled = look.processes <= empty.processes
            && look.threads <= empty.threads
            && look.files <= empty.files;
        if settled || Instant::now() >= until {
            return Ok(look);
        }
        sleep(Duration::from_millis(500)).await;
    }
}

impl Found {
    fn growth(&self, plan: &Plan) -> Growth {
        let warm = self.samples.iter().filter(|sample| sample.after >= plan.warm());
        let of = |of: fn(&Look) -> f64| {
            let point = |sample: &Sample| (sample.after.as_secs_f64() / 60.0, of(&sample.look));
            slope(&warm.clone().map(point).collect::<Vec<_>>())
        };
        Growth {
            memory_mb: of(|look| megabytes(look.memory)),
            threads: of(|look| look.threads as f64),
            files: of(|look| look.files as f64),
        }
    }

    fn table(&self) -> String {
        let row = |when: String, sessions: usize, look: &Look| {
            let counts = [sessions, look.processes, look.threads, look.files];
            let counts = counts.iter().map(ToString::to_string);
            let memory = format!("{:.1}", megabytes(look.memory));
            [when].into_iter().chain(counts).chain([memory]).collect::<Vec<_>>()
        };
        let mut rows = vec![row("before".into(), 0, &self.empty)];
        rows.extend(self.samples.iter().map(|sample| {
            row(format!("{:.0} s", sample.after.as_secs_f64()), sample.sessions, &sample.look)
        }));
        rows.push(row("after all".into(), 0, &self.left));
        table(&["", "sessions", "processes", "threads", "files", "MB"], &rows)
    }

    fn text(&self, plan: &Plan, video: &Video) -> String {
        let Self { empty, left, ends: [hung_up, vanished, failed], .. } = self;
        let Growth { memory_mb, threads, files } = self.growth(plan);
        format!(
            "churn: {rate} sessions a second that stay {stay:.1} s in the mean, {secs:.0} s, \
             {video}\n\
             {table}\
             sessions              {hung_up} hung up, {vanished} vanished, {failed} failed{said}\n\
             growth after {warm:.0} s    {memory} MB, {threads} threads, {files} files a minute\n\
             left behind           {left_threads:+} threads, {left_files:+} files, \
             {left_mb:+.1} MB\n",
            rate = plan.rate,
            stay = plan.stay.as_secs_f64(),
            secs = plan.window.as_secs_f64(),
            table = self.table(),
            said = self.said.as_ref().map(|error| format!(" ({error})")).unwrap_or_default(),
            warm = plan.warm().as_secs_f64(),
            memory = figure(memory_mb, 2),
            threads = figure(threads, 2),
            files = figure(files, 2),
            left_threads = difference(left.threads, empty.threads),
            left_files = difference(left.files, empty.files),
            left_mb = megabytes(left.memory) - megabytes(empty.memory),
        )
    }

    fn json(&self, plan: &Plan) -> Value {
        let look = |look: &Look| {
            json!({
                "processes": look.processes,
                "threads": look.threads,
                "files": look.files,
                "memory_mb": megabytes(look.memory),
            })
        };
        let sample = |sample: &Sample| {
            json!({
                "after_s": sample.after.as_secs_f64(),
                "sessions": sample.sessions,
                "look": look(&sample.look),
            })
        };
        let [hung_up, vanished, failed] = self.ends;
        let Growth { memory_mb, threads, files } = self.growth(plan);
        json!({
            "rate": plan.rate,
            "seconds": plan.window.as_secs_f64(),
            "hung_up": hung_up,
            "vanished": vanished,
            "failed": failed,
            "growth_per_minute": {"memory_mb": memory_mb, "threads": threads, "files": files},
            "before": look(&self.empty),
            "after": look(&self.left),
            "samples": self.samples.iter().map(sample).collect::<Vec<_>>(),
        })
    }
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
