//! Somebody ends one media process after the other while others have answers.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use clap::Args;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::{
    Failure, Tool,
    crash::{self, Others},
    report::{Report, figure},
    server::Server,
    spec::{millis, seconds, some},
    viewer::{Browser, Viewer, Wish},
    vlm::Vlm,
};

#[derive(Debug, Clone, Args)]
pub(crate) struct Plan {
    /// People who have answers meanwhile, each with a media process of their own
    #[arg(long, default_value_t = 4, value_parser = some)]
    pub(crate) users: usize,
    /// Sessions of each
    #[arg(long, default_value_t = 4, value_parser = some)]
    pub(crate) sessions: usize,
    /// Seconds between two questions of a session
    #[arg(long, default_value_t = 1.0)]
    pub(crate) interval: f64,
    /// Milliseconds that the VLM takes for an answer
    #[arg(long, value_name = "LATENCY", default_value = "100", value_parser = millis)]
    pub(crate) latency: Duration,
    /// Media processes that the attacker ends
    #[arg(long, default_value_t = 60, value_parser = some)]
    pub(crate) crashes: usize,
    /// Seconds from one to the next
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub(crate) every: Duration,
}

pub(crate) async fn measure(tool: &Tool, plan: &Plan) -> Result<Report, Failure> {
    let wish = Wish { interval: plan.interval, ..Wish::default() };
    let vlm = Vlm::start(plan.users * plan.sessions, plan.latency).await?;
    // So that the attacker can say which address it is at.
    let server = Server::start_with(&tool.server, &vlm, &["--trusted-proxy", "127.0.0.1"]).await?;
    let mut viewers = Vec::new();
    for _ in 0..plan.users {
        viewers.extend(crash::arrive(tool, &server, plan.sessions, &wish).await?);
    }
    let others = crash::processes_in_use(&server)?;
    for viewer in &mut viewers {
        viewer.take_answers();
        viewer.answer().await?;
    }
    let began = Instant::now();
    let mut due = interval(plan.every);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0..plan.crashes {
        due.tick().await;
        end_one(tool, &server, &wish, number, &others).await?;
    }
    let took = began.elapsed();
    sleep(Duration::from_secs_f64(2.0 * plan.interval)).await;
    if !others.is_subset(&crash::processes_in_use(&server)?) {
        return Err("the attacker has ended a media process of others".into());
    }
    let found = Others::of(&mut viewers, began, plan.interval);
    for viewer in viewers {
        viewer.hang_up().await;
    }
    Ok(report(plan, &found, took))
}

/// The attacker comes from an address that nobody knows yet, and the process that gets its video
/// ends.
async fn end_one(
    tool: &Tool,
    server: &Server,
    wish: &Wish,
    number: usize,
    others: &BTreeSet<u32>,
) -> Result<(), Failure> {
    let address = format!("10.{}.{}.1", number / 256 % 256, number % 256);
    let mut headers = HeaderMap::new();
    headers.insert("x-forwarded-for", HeaderValue::from_str(&address)?);
    let http = reqwest::Client::builder().default_headers(headers).build()?;
    let tool = Tool { http, ..tool.clone() };
    let browser = Browser::visit(&tool, &server.address).await?;
    let attacker = Viewer::connect(&browser, &tool.video, wish).await?;
    for process in crash::processes_in_use(server)?.difference(others) {
        crash::kill(*process)?;
    }
    attacker.vanish().await;
    Ok(())
}

fn report(plan: &Plan, found: &Others, took: Duration) -> Report {
    let text = format!(
        "attack: {} media processes of an attacker end, one after the other, in {} s\nthe {} \
         sessions of {} others, a question every {} s   longest gap between answers {} s\n{} with \
         a late answer, {} errors\n",
        plan.crashes,
        figure(Some(took.as_secs_f64()), 1),
        found.sessions,
        plan.users,
        plan.interval,
        figure(Some(found.longest_gap), 2),
        found.late,
        found.errors,
    );
    let figures = json!({
        "crashes": plan.crashes,
        "took_s": took.as_secs_f64(),
        "others": found.sessions,
        "others_longest_gap_s": found.longest_gap,
        "others_late": found.late,
        "others_errors": found.errors,
    });
    Report { text, figures }
}
