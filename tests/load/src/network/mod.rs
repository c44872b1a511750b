//! The product's own page on bad networks: client and server are hosts in network namespaces of
//! their own, and the client's line loses, delays and blocks packets as a condition says.

mod addresses;
mod browser;
mod conditions;
mod coturn;
mod figures;
mod page;
mod seen;
mod site;
mod stun;

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use serde_json::{Value, json};
use tokio::time::timeout;

use self::{
    browser::Browser,
    conditions::Condition,
    site::{Durations, Outcome, Task},
};
use crate::{
    Failure, Missed, Report,
    report::{figure, table},
};

/// How long the short form watches a page at most after something has happened to it.
const SHORT_WATCH: Duration = Duration::from_secs(20);
/// The most that one condition may take beside what it is watched: to start, to get a first answer,
/// to end.
const BESIDE: Duration = Duration::from_secs(180);

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Conditions to measure [default: all]; `--list` shows their names
    #[arg(value_name = "CONDITION", value_parser = named)]
    conditions: Vec<String>,
    /// List the conditions, and measure nothing
    #[arg(long)]
    list: bool,
    /// Measure only the few conditions that a test has time for, less than a minute together. Where
    /// this host cannot make networks, say so and measure nothing
    #[arg(long, conflicts_with = "conditions")]
    short: bool,
    /// Browsers that open the page: chromium, firefox, and h264 for Chromium that sends H.264
    /// [default: all three for the main conditions if none is named, else chromium]
    #[arg(long = "in", value_name = "BROWSER", value_delimiter = ',')]
    browsers: Vec<Browser>,
    /// How long to measure a condition in which nothing happens, in seconds
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u64).range(5..=600))]
    seconds: u64,
    /// Seed of the random numbers: the same seed loses the same packets
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder that keeps what server and browser log, in a file for each condition
    #[arg(long, value_name = "FOLDER")]
    logs: Option<PathBuf>,
    /// The program that drives the browser
    #[arg(long, value_name = "FILE", default_value = "tests/browser/load/network.mjs")]
    script: PathBuf,
}

/// A condition's name.
fn named(text: &str) -> Result<String, String> {
    let all = conditions::all();
    if all.iter().any(|condition| condition.name == text) {
        return Ok(text.to_owned());
    }
    let names: Vec<_> = all.iter().map(|condition| condition.name).collect();
    Err(format!("{text:?} is none of {}", names.join(", ")))
}

impl Options {
    /// What to measure, in the order of the table.
    fn runs(&self) -> Vec<(Condition, Browser)> {
        let wanted = |condition: &Condition| {
            if self.short {
                conditions::SHORT.contains(&condition.name)
            } else {
                self.conditions.is_empty()
                    || self.conditions.iter().any(|name| name == condition.name)
            }
        };
        let browsers = |condition: &Condition| {
            if !self.browsers.is_empty() {
                self.browsers.clone()
            } else if condition.main && self.conditions.is_empty() && !self.short {
                Browser::ALL.to_vec()
            } else {
                vec![Browser::Chromium]
            }
        };
        let eased = |mut condition: Condition| {
            if self.short {
                condition.wanted = condition.wanted.eased();
                condition.watch = condition.watch.min(SHORT_WATCH);
            }
            condition
        };
        let wanted = conditions::all().into_iter().filter(wanted).map(eased);
        wanted.flat_map(|one| browsers(&one).into_iter().map(move |b| (one.clone(), b))).collect()
    }

    fn durations(&self) -> Durations {
        let [settle, window, calm, after] =
            if self.short { [1, 8, 2, 1] } else { [3, self.seconds, 6, 5] }
                .map(Duration::from_secs);
        Durations { settle, window, calm, after }
    }
}

pub(crate) async fn measure(server: &Path, options: &Options) -> Result<Report, Failure> {
    if options.list {
        return Ok(list());
    }
    if let Some(lacks) = live_vlm_network::lacking() {
        let text =
            format!("network: nothing was measured, as this host lacks something: {lacks}\n");
        if !options.short {
            return Err(text.trim_end().into());
        }
        return Ok(Report { text, figures: json!({"skipped": lacks}) });
    }
    let mut rows = Rows::default();
    let durations = options.durations();
    for (condition, browser) in options.runs() {
        progress(&format!("{} in {browser} ...\n", condition.name));
        let task = Task {
            condition: &condition,
            browser,
            server,
            script: &options.script,
            durations,
            seed: options.seed,
            logs: options.logs.as_deref(),
        };
        let limit = BESIDE + condition.longest(durations.window);
        let measured = timeout(limit, site::measure(&task)).await;
        let measured = measured.unwrap_or_else(|_| Err("it took too long".into()));
        rows.add(&condition, browser, measured);
        progress(&rows.last);
    }
    rows.report(durations.window)
}

/// So that whoever waits half an hour for the table sees that it comes.
#[expect(clippy::print_stderr, reason = "for whoever waits at the terminal")]
fn progress(text: &str) {
    eprint!("{text}");
}

fn list() -> Report {
    let all = conditions::all();
    let width = all.iter().map(|condition| condition.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Condition { name, about, .. } in &all {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{name:<width$}  {about}");
    }
    let figures = all.iter().map(|condition| (condition.name.to_owned(), condition.about.into()));
    Report { text, figures: Value::Object(figures.collect()) }
}

/// The table as it grows.
#[derive(Default)]
struct Rows {
    cells: Vec<Vec<String>>,
    said: String,
    figures: Vec<Value>,
    missed: Vec<String>,
    /// The newest row in words.
    last: String,
}

const HEAD: [&str; 14] = [
    "condition",
    "in",
    "first s",
    "answers/s",
    "age p50",
    "p95 ms",
    "gap s",
    "requests/s",
    "key frames/s",
    "NACKs/s",
    "kbit/s",
    "CPU %",
    "back s",
    "told s",
];

impl Rows {
    fn add(&mut self, condition: &Condition, browser: Browser, got: Result<Outcome, Failure>) {
        let which = format!("{} in {browser}", condition.name);
        match got {
            Ok(outcome) => self.add_outcome(&which, condition, browser, &outcome),
            Err(failure) => {
                self.last = format!("  failed: {failure}\n");
                self.missed.push(format!("{which}: {failure}"));
            }
        }
    }

    fn add_outcome(
        &mut self,
        which: &str,
        condition: &Condition,
        browser: Browser,
        outcome: &Outcome,
    ) {
        self.cells.push(cells(condition, browser, outcome));
        let mut missed = outcome.found.missed(&condition.wanted);
        let uncaught = outcome.uncaught.iter();
        missed.extend(uncaught.map(|error| format!("uncaught in the page: {error}")));
        self.missed.extend(missed.iter().map(|what| format!("{which}: {what}")));
        let text = format!("{which}: {}\n{}", condition.about, words(outcome));
        self.last = match missed.as_slice() {
            [] => text.clone(),
            missed => format!("{text}  missed: {}\n", missed.join("; ")),
        };
        self.said += &text;
        let mut figures = outcome.found.json();
        figures["condition"] = condition.name.into();
        figures["browser"] = browser.to_string().into();
        figures["cpu"] = outcome.cpu.into();
        figures["sends"] = outcome.sends.as_str().into();
        figures["videos_lost"] = json!(outcome.lost);
        figures["said"] = json!(outcome.said);
        figures["missed"] = json!(missed);
        self.figures.push(figures);
    }

    fn report(self, window: Duration) -> Result<Report, Failure> {
        let text = format!(
            "network: {} s measured where nothing happens meanwhile; first = from Play to the first \
             answer, age = from capture to the VLM, back and told = from what happened to the next \
             answer, and to words about it\n{}\nWhat the page said, in seconds since Play, or since \
             what happened to it:\n{}",
            window.as_secs(),
            table(&HEAD, &self.cells),
            self.said,
        );
        let figures = json!({"runs": self.figures, "missed": self.missed});
        let report = Report { text, figures };
        if self.missed.is_empty() {
            return Ok(report);
        }
        Err(Box::new(Missed { report, what: self.missed }))
    }
}

/// A row of the table.
fn cells(
    condition: &Condition,
    browser: Browser,
    Outcome { found, cpu, .. }: &Outcome,
) -> Vec<String> {
    vec![
        condition.name.to_owned(),
        browser.to_string(),
        figure(found.first, 1),
        figure(found.rate, 2),
        figure(found.age_p50, 0),
        figure(found.age_p95, 0),
        figure(Some(found.gap), 1),
        figure(Some(found.requests), 1),
        figure(found.key_frames, 1),
        figure(Some(found.nacks), 1),
        figure(Some(found.kbits), 0),
        figure(Some(cpu * 100.0), 1),
        figure(found.back, 1),
        figure(found.told, 1),
    ]
}

/// What stands below the table.
fn words(Outcome { found, said, sends, lost, .. }: &Outcome) -> String {
    let mut text = format!(
        "  {sends}; {} answers to {} questions, {} of them with another prompt; lost: {}\n",
        found.answers,
        found.asked,
        found.asked_otherwise,
        if lost.is_empty() { "none".to_owned() } else { lost.join(", ") },
    );
    for (at, words) in said {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "  {at:+.1} s  {words}");
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn runs(line: &str) -> Vec<String> {
        let words = ["network"].into_iter().chain(line.split_whitespace());
        let runs = Line::try_parse_from(words).map(|line| line.options.runs());
        let runs = runs.unwrap_or_else(|error| panic!("{error}"));
        runs.into_iter()
            .map(|(condition, browser)| format!("{} {browser}", condition.name))
            .collect()
    }

    #[test]
    fn all_conditions_are_measured_and_the_main_ones_in_every_browser() {
        let runs = runs("");
        let has = |run: &str| runs.iter().any(|each| each == run);
        assert!(has("loss-3 chromium") && has("loss-3 firefox") && has("loss-3 h264"));
        assert!(has("outage-30 chromium") && !has("outage-30 firefox"));
        let every = conditions::all();
        assert!(every.iter().all(|condition| has(&format!("{} chromium", condition.name))));
    }

    #[test]
    fn one_or_several_can_be_chosen_and_what_they_are_measured_in() {
        assert_eq!(runs("loss-3"), ["loss-3 chromium"]);
        assert_eq!(
            runs("loss-3 clean --in firefox,h264"),
            ["clean firefox", "clean h264", "loss-3 firefox", "loss-3 h264"]
        );
        assert_eq!(
            runs("--short"),
            ["loss-3 chromium", "outage-10 chromium", "new-address chromium"]
        );
    }

    #[test]
    fn an_unknown_name_is_refused_with_those_that_there_are() {
        let error = Line::try_parse_from(["network", "loss-4"]).err().unwrap().to_string();
        assert!(error.contains("\"loss-4\" is none of clean, loss-1"), "{error}");
        let error = Line::try_parse_from(["network", "--in", "opera"]).err().unwrap().to_string();
        assert!(error.contains("none of chromium, firefox, h264"), "{error}");
    }
}
