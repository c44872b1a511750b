//! Chromium pages through a server's `/offer` and `/ws`: how live-vlm-webui and live-vlm compare.
//!
//! The pages are a client of our own that speaks what both servers understand, driven by
//! `tests/browser/load/pages.mjs`. Each draws the time into its camera's picture; the VLM reads it
//! and answers with it, and the page takes it from its clock when the answer is there.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use clap::Args;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::{
    Failure,
    process::{self, Look, PerSession, megabytes},
    report::{Report, figure},
    spec::some,
    stats::percentile,
    video::{self, Wanted},
    vlm::{self, Seen, Vlm},
};

/// A Python program takes its time to start.
const START: Duration = Duration::from_secs(60);
/// Beyond the pages' own time, for Chromium to start and end.
const SLACK: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where the server is, such as http://127.0.0.1:8091
    #[arg(long, value_name = "URL")]
    url: String,
    /// The server's process, if it is running already; what it has started counts too
    #[arg(
        long,
        value_name = "PID",
        conflicts_with = "command",
        required_unless_present = "command"
    )]
    pid: Option<u32>,
    /// Port for the VLM, which the server is to be told: --api-base http://127.0.0.1:PORT/v1
    #[arg(long, default_value_t = 8199)]
    vlm_port: u16,
    /// Pages at once
    #[arg(long, default_value_t = 4, value_parser = some)]
    sessions: usize,
    /// Questions that the VLM answers at once
    #[arg(long, default_value_t = 1, value_parser = some)]
    slots: usize,
    /// Milliseconds that the VLM takes for an answer
    #[arg(long, default_value_t = 1000)]
    latency: u64,
    /// How long to measure, once all pages have had an answer
    #[arg(long, default_value_t = 40)]
    seconds: u64,
    /// Have pages receive the video too, as live-vlm-webui's own does: it looks at no frame of a
    /// page that does not
    #[arg(long)]
    receive: bool,
    /// The program that drives Chromium
    #[arg(long, value_name = "FILE", default_value = "tests/browser/load/pages.mjs")]
    pages: PathBuf,
    /// The server to start, and its arguments; it is ended at the end
    #[arg(last = true)]
    command: Vec<String>,
}

/// A page's first answer, and what it got while it was measured.
#[derive(Debug, Default)]
struct Got {
    /// Milliseconds from the beginning of connecting to the first complete answer.
    first: Vec<f64>,
    /// Milliseconds from capture to complete answer.
    ages: Vec<f64>,
    messages: f64,
    measured_ms: f64,
}

/// What was found of all pages.
struct Found {
    each: PerSession,
    empty_mb: f64,
    memory_mb: f64,
    /// Messages to a page in a second.
    messages: f64,
    /// Milliseconds, as the three after it.
    first_p50: Option<f64>,
    first_most: Option<f64>,
    age_p50: Option<f64>,
    age_p95: Option<f64>,
    answers: usize,
    seen: Seen,
}

pub(crate) async fn measure(video: &Wanted, options: &Options) -> Result<Report, Failure> {
    let latency = Duration::from_millis(options.latency);
    let vlm = Vlm::start_at(options.vlm_port, options.slots, latency).await?;
    // Ended when this function is left.
    let child = options.command.split_first().map(|(program, arguments)| start(program, arguments));
    let child = child.transpose()?;
    let pid = child.as_ref().and_then(Child::id).or(options.pid).ok_or("the server has ended")?;
    reachable(&options.url).await?;
    let empty = process::look(pid)?;
    let camera = video::camera_file(video).await?;
    let (got, before, after, took) = watch(options, camera.path(), pid).await?;
    let each = PerSession::of(&empty, &before, &after, took, options.sessions);
    let found = Found::of(&got, &vlm, each, &empty, &after);
    Ok(Report { text: found.text(options), figures: found.json(options) })
}

fn start(program: &str, arguments: &[String]) -> Result<Child, Failure> {
    Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{program}: {error}").into())
}

async fn reachable(url: &str) -> Result<(), Failure> {
    let http = reqwest::Client::new();
    let until = Instant::now() + START;
    while let Err(error) = http.get(url).send().await {
        if Instant::now() > until {
            return Err(format!("{url} does not answer: {error}").into());
        }
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// Runs the pages; looks at the process when they say that the measured time begins and ends.
async fn watch(
    options: &Options,
    camera: &Path,
    pid: u32,
) -> Result<(Got, Look, Look, Duration), Failure> {
    let mut pages = pages(options, camera)?;
    let stdout = pages.stdout.take().ok_or("the pages have no output")?;
    let mut lines = BufReader::new(stdout).lines();
    let (mut got, mut looks) = (Got::default(), Vec::new());
    let read = async {
        while let Some(line) = lines.next_line().await? {
            let event: Value = serde_json::from_str(&line)
                .map_err(|error| format!("the pages said {line:?}: {error}"))?;
            match event["event"].as_str() {
                Some("begin" | "end") => looks.push((process::look(pid)?, Instant::now())),
                Some("page") => got.add(&event),
                Some("failed") => {
                    let why = event["message"].as_str().unwrap_or_default();
                    return Err(format!("the pages failed: {why}").into());
                }
                _ => {}
            }
        }
        Ok::<_, Failure>(())
    };
    let longest = Duration::from_secs(options.seconds) + SLACK;
    timeout(longest, read).await.map_err(|_| "the pages took too long")??;
    pages.wait().await?;
    let [(before, began), (after, ended)] = looks[..] else {
        return Err("the pages ended before they had measured".into());
    };
    Ok((got, before, after, ended - began))
}

fn pages(options: &Options, camera: &Path) -> Result<Child, Failure> {
    let script = &options.pages;
    let mut command = Command::new("node");
    command
        .arg(script)
        .arg("--camera")
        .arg(camera)
        .args(["--url", &options.url, "--pages", &options.sessions.to_string()])
        .args(["--seconds", &options.seconds.to_string(), "--answer", vlm::ANSWER]);
    if options.receive {
        command.arg("--receive");
    }
    command.stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true).spawn().map_err(
        |error| {
            format!("node {}: {error}; ./test.sh installs what it needs", script.display()).into()
        },
    )
}

impl Got {
    fn add(&mut self, page: &Value) {
        self.first.extend(page["first_ms"].as_f64());
        let ages = page["ages_ms"].as_array().map_or(&[][..], Vec::as_slice);
        self.ages.extend(ages.iter().filter_map(Value::as_f64));
        self.messages += page["messages"].as_f64().unwrap_or(0.0);
        self.measured_ms += page["measured_ms"].as_f64().unwrap_or(0.0);
    }
}

impl Found {
    fn of(got: &Got, vlm: &Vlm, each: PerSession, empty: &Look, after: &Look) -> Self {
        Self {
            each,
            empty_mb: megabytes(empty.memory),
            memory_mb: megabytes(after.memory),
            messages: got.messages / (got.measured_ms / 1000.0).max(f64::MIN_POSITIVE),
            first_p50: percentile(&got.first, 0.5),
            first_most: percentile(&got.first, 1.0),
            age_p50: percentile(&got.ages, 0.5),
            age_p95: percentile(&got.ages, 0.95),
            answers: got.ages.len(),
            seen: vlm.seen(),
        }
    }

    fn text(&self, options: &Options) -> String {
        let Self { each, messages, answers, seen, .. } = self;
        format!(
            "webui: {n} Chromium pages at {url}, VLM of {slots} slot(s) of {latency} ms, {secs} s\n\
             cpu per session          {cpu:.4} of a core\n\
             memory per session       {memory:.1} MB ({rest:.0} MB without sessions, {all:.0} MB \
             with)\n\
             threads per session      {threads:.1}\n\
             messages per session     {messages:.1} a second\n\
             first complete answer    p50 {first} ms, most {slowest} ms after connecting\n\
             capture to answer        p50 {p50} ms, p95 {p95} ms ({answers} answers)\n\
             at the VLM at once       {at_once} questions at most, {unreadable} pictures \
             unreadable\n",
            n = options.sessions,
            url = options.url,
            slots = options.slots,
            latency = options.latency,
            secs = options.seconds,
            cpu = each.cpu,
            memory = each.memory_mb,
            rest = self.empty_mb,
            all = self.memory_mb,
            threads = each.threads,
            first = figure(self.first_p50, 0),
            slowest = figure(self.first_most, 0),
            p50 = figure(self.age_p50, 0),
            p95 = figure(self.age_p95, 0),
            at_once = seen.most_at_once,
            unreadable = seen.unreadable,
        )
    }

    fn json(&self, options: &Options) -> Value {
        json!({
            "sessions": options.sessions,
            "slots": options.slots,
            "latency_ms": options.latency,
            "per_session": self.each.json(),
            "memory_without_sessions_mb": self.empty_mb,
            "messages_per_session_and_second": self.messages,
            "first_answer_p50_ms": self.first_p50,
            "first_answer_most_ms": self.first_most,
            "age_p50_ms": self.age_p50,
            "age_p95_ms": self.age_p95,
            "answers": self.answers,
            "most_at_once": self.seen.most_at_once,
            "unreadable": self.seen.unreadable,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_pages_say_is_summed_up() {
        let mut got = Got::default();
        let page = json!({
            "event": "page", "first_ms": 900.0, "ages_ms": [1000, 1100], "messages": 60,
            "measured_ms": 2000,
        });
        got.add(&page);
        got.add(&json!({"event": "page", "first_ms": null}));
        assert_eq!((&*got.first, &*got.ages), (&[900.0][..], &[1000.0, 1100.0][..]));
        assert_eq!((got.messages, got.measured_ms), (60.0, 2000.0));
    }
}
