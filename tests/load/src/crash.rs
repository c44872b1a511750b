//! A media process is killed while sessions are in it and in others.

use std::{
    collections::BTreeSet,
    process::Command,
    time::{Duration, Instant},
};

use clap::Args;
use futures_util::future::try_join_all;
use serde_json::json;
use tokio::time::sleep;

use crate::{
    Failure, Tool, proc,
    report::{Report, figure},
    server::Server,
    spec::{millis, seconds, some},
    viewer::{Browser, Heard, Viewer, Wish},
    vlm::Vlm,
};

/// Two answers further apart than so many intervals: the second one is late.
const LATE: f64 = 1.5;

#[derive(Debug, Clone, Args)]
pub(crate) struct Plan {
    /// People, each with a media process of their own
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
    /// How long to watch before the process is killed and afterwards, in seconds
    #[arg(long = "seconds", value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) window: Duration,
}

/// What was found.
struct Found {
    /// Seconds from the kill to the next answer of each session that was in the process.
    back: Vec<f64>,
    others: Others,
}

/// Sessions to which nothing should happen.
pub(crate) struct Others {
    pub(crate) sessions: usize,
    /// The most seconds between two answers of one.
    pub(crate) longest_gap: f64,
    /// Those that had an answer late.
    pub(crate) late: usize,
    pub(crate) errors: usize,
}

impl Others {
    /// What they have heard since then, with so many seconds between two questions.
    pub(crate) fn of(viewers: &mut [Viewer], began: Instant, interval: f64) -> Self {
        let heard: Vec<_> = viewers.iter_mut().map(Viewer::take_answers).collect();
        let gaps: Vec<f64> = heard.iter().map(|heard| longest_gap(heard, began)).collect();
        Self {
            sessions: viewers.len(),
            longest_gap: gaps.iter().copied().fold(0.0, f64::max),
            late: gaps.iter().filter(|gap| **gap > LATE * interval).count(),
            errors: viewers.iter().map(|viewer| viewer.trouble().0).sum(),
        }
    }
}

pub(crate) async fn measure(tool: &Tool, plan: &Plan) -> Result<Report, Failure> {
    let wish = Wish { interval: plan.interval, ..Wish::default() };
    let vlm = Vlm::start(plan.users * plan.sessions, plan.latency).await?;
    let server = tool.serve(&vlm).await?;
    let mut lost = arrive(tool, &server, plan.sessions, &wish).await?;
    let process = media_process(&server)?;
    let mut others = Vec::new();
    for _ in 1..plan.users {
        others.extend(arrive(tool, &server, plan.sessions, &wish).await?);
    }
    sleep(plan.window).await;
    for viewer in lost.iter_mut().chain(&mut others) {
        viewer.answer().await?;
        viewer.take_answers();
    }
    let (began, killed) = (Instant::now(), Instant::now() + plan.window);
    sleep(plan.window).await;
    kill(process)?;
    let back = try_join_all(lost.iter_mut().map(|viewer| back(viewer, tool, &wish, killed)));
    let back = back.await?;
    sleep(plan.window).await;
    let found = Found { back, others: Others::of(&mut others, began, plan.interval) };
    for viewer in lost.into_iter().chain(others) {
        viewer.hang_up().await;
    }
    Ok(found.report(plan))
}

/// One more person with so many sessions, which get answers.
pub(crate) async fn arrive(
    tool: &Tool,
    server: &Server,
    sessions: usize,
    wish: &Wish,
) -> Result<Vec<Viewer>, Failure> {
    let browser = Browser::visit(tool, &server.address).await?;
    let mut viewers = Vec::new();
    for _ in 0..sessions {
        let mut viewer = Viewer::connect(&browser, &tool.video, wish).await?;
        viewer.answer().await?;
        viewers.push(viewer);
    }
    Ok(viewers)
}

/// The only one with video in it.
fn media_process(server: &Server) -> Result<u32, Failure> {
    let used: Vec<u32> = processes_in_use(server)?.into_iter().collect();
    match used[..] {
        [process] => Ok(process),
        _ => Err(format!("one process should have video, and these have: {used:?}").into()),
    }
}

/// Those with video in them.
pub(crate) fn processes_in_use(server: &Server) -> Result<BTreeSet<u32>, Failure> {
    let family = proc::family(server.id()?)?;
    Ok(family.into_iter().filter(|id| proc::has_udp_socket(*id)).collect())
}

pub(crate) fn kill(process: u32) -> Result<(), Failure> {
    match Command::new("kill").args(["-KILL", &process.to_string()]).status()?.success() {
        true => Ok(()),
        false => Err("the media process has ended before it was killed".into()),
    }
}

/// Seconds from then to the next answer of a session whose process was killed.
async fn back(
    viewer: &mut Viewer,
    tool: &Tool,
    wish: &Wish,
    killed: Instant,
) -> Result<f64, Failure> {
    viewer.come_back(&tool.video, wish).await?;
    loop {
        let heard = viewer.answer().await?;
        if heard.at > killed {
            return Ok((heard.at - killed).as_secs_f64());
        }
    }
}

fn longest_gap(heard: &[Heard], began: Instant) -> f64 {
    let marks: Vec<Instant> =
        [began].into_iter().chain(heard.iter().map(|heard| heard.at)).collect();
    marks.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).fold(0.0, f64::max)
}

impl Found {
    fn report(&self, plan: &Plan) -> Report {
        let slowest = self.back.iter().copied().fold(0.0, f64::max);
        let text = format!(
            "crash: {} sessions of {} people, a question every {} s; one of their media processes \
             is killed\nits {} sessions   answers again after at most {} s\nthe {} others     \
             longest gap between answers {} s, {} with a late answer, {} errors\n",
            plan.users * plan.sessions,
            plan.users,
            plan.interval,
            self.back.len(),
            figure(Some(slowest), 2),
            self.others.sessions,
            figure(Some(self.others.longest_gap), 2),
            self.others.late,
            self.others.errors,
        );
        let figures = json!({
            "back_s": self.back,
            "others_longest_gap_s": self.others.longest_gap,
            "others_late": self.others.late,
            "others_errors": self.others.errors,
        });
        Report { text, figures }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_counts_from_the_beginning() {
        let began = Instant::now();
        let heard = |ms| Heard { at: began + Duration::from_millis(ms), age: None };
        assert_eq!(longest_gap(&[heard(250), heard(1250), heard(1500)], began), 1.0);
        assert_eq!(longest_gap(&[heard(2000), heard(2500)], began), 2.0);
        assert_eq!(longest_gap(&[], began), 0.0);
    }
}
