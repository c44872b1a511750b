//! Who gets how much of the VLM's time.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use futures_util::future::{join_all, try_join_all};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    Failure, Tool,
    queue::{Idle, Watcher},
    report::{Report, figure, table},
    spec::{UserSpec, millis, seconds, some},
    stats::{jain, percentile},
    video::Video,
    viewer::Wish,
    viewers::{Viewers, ages_ms},
    vlm::Vlm,
};

/// Until everybody waits and the dispatcher knows how long turns take.
const SETTLE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Args)]
pub(crate) struct Plan {
    /// `NAME:COUNT[,sessions=N][,interval=SECONDS][,max-tokens=N]`, once or more. An answer of
    /// more than 512 tokens takes the VLM longer in proportion
    #[arg(long = "user", value_name = "SPEC",
          default_values = ["ordinary:8", "many:1,sessions=8", "fast:1,interval=0.1"])]
    pub(crate) users: Vec<UserSpec>,
    /// Questions that the VLM answers at once
    #[arg(long, default_value_t = 2, value_parser = some)]
    pub(crate) slots: usize,
    /// Milliseconds that the VLM takes for an answer
    #[arg(long, value_name = "LATENCY", default_value = "500", value_parser = millis)]
    pub(crate) latency: Duration,
    /// How long to measure, in seconds
    #[arg(long = "seconds", value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) window: Duration,
}

impl Plan {
    /// The slots' time that all sessions would like to have, as a part of what there is.
    fn demand(&self) -> f64 {
        let wanted = |user: &UserSpec| {
            let turn = self.latency.as_secs_f64() * (f64::from(user.max_tokens) / 512.0).max(1.0);
            let sessions = (user.count * user.sessions) as f64;
            sessions * turn / turn.max(user.interval)
        };
        self.users.iter().map(wanted).sum::<f64>() / self.slots as f64
    }
}

struct User {
    name: String,
    viewers: Viewers,
}

/// What one user got.
struct Share {
    user: String,
    sessions: usize,
    /// Seconds that the VLM worked for them.
    vlm: f64,
    answers: usize,
    /// Milliseconds.
    age_p50: Option<f64>,
    age_p95: Option<f64>,
    errors: usize,
}

/// What was found of all users.
struct Found {
    shares: Vec<Share>,
    /// The part of the slots' time that was used.
    busy: f64,
    idle: Idle,
}

pub(crate) async fn measure(tool: &Tool, plan: &Plan) -> Result<Report, Failure> {
    let vlm = Arc::new(Vlm::start(plan.slots, plan.latency).await?);
    let server = tool.serve(&vlm).await?;
    let mut users = arrive(tool, &server.address, plan).await?;
    sleep(SETTLE.min(plan.window)).await;
    users.iter_mut().for_each(|user| user.viewers.forget_answers());

    let idle_slots = Arc::clone(&vlm);
    let watcher =
        Watcher::start(&tool.http, &server.address, plan.slots, move || idle_slots.idle_slots());
    let began = Instant::now();
    sleep(plan.window).await;
    let (time, busy) = (vlm.time_since(began), vlm.busy_since(began));
    let idle = watcher.stop(plan.demand()).await?;

    let shares = users.iter_mut().map(|user| user.share(&time)).collect();
    join_all(users.into_iter().map(|user| user.viewers.hang_up())).await;
    let found = Found { shares, busy, idle };
    Ok(Report { text: found.text(plan, &tool.video), figures: found.json(plan) })
}

async fn arrive(tool: &Tool, server: &str, plan: &Plan) -> Result<Vec<User>, Failure> {
    let kinds =
        plan.users.iter().flat_map(|spec| spec.names().into_iter().map(move |name| (name, spec)));
    let users = kinds.map(|(name, spec)| async {
        let wish = Wish {
            interval: spec.interval,
            max_tokens: spec.max_tokens,
            user: Some(name.clone()),
            ..Wish::default()
        };
        let viewers = Viewers::of_one(tool, server, &wish, spec.sessions).await?;
        Ok(User { name, viewers })
    });
    try_join_all(users).await
}

impl User {
    /// `time` is the VLM's for each user, in seconds.
    fn share(&mut self, time: &BTreeMap<String, f64>) -> Share {
        let heard: Vec<_> = self.viewers.take_answers().into_iter().flatten().collect();
        let ages = ages_ms(&heard);
        Share {
            user: self.name.clone(),
            sessions: self.viewers.count(),
            vlm: time.get(&self.name).copied().unwrap_or(0.0),
            answers: heard.len(),
            age_p50: percentile(&ages, 0.5),
            age_p95: percentile(&ages, 0.95),
            errors: self.viewers.errors(),
        }
    }
}

impl Share {
    fn row(&self) -> Vec<String> {
        vec![
            self.user.clone(),
            self.sessions.to_string(),
            format!("{:.2}", self.vlm),
            self.answers.to_string(),
            figure(self.age_p50, 0),
            figure(self.age_p95, 0),
            self.errors.to_string(),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "user": self.user,
            "sessions": self.sessions,
            "vlm_s": self.vlm,
            "answers": self.answers,
            "age_p50_ms": self.age_p50,
            "age_p95_ms": self.age_p95,
            "errors": self.errors,
        })
    }
}

impl Found {
    fn jain(&self) -> Option<f64> {
        jain(&self.shares.iter().map(|share| share.vlm).collect::<Vec<_>>())
    }

    fn text(&self, plan: &Plan, video: &Video) -> String {
        let head = ["user", "sessions", "VLM s", "answers", "age p50 ms", "p95 ms", "errors"];
        let rows: Vec<_> = self.shares.iter().map(Share::row).collect();
        let idle = self.idle.part.map(|part| format!("{:.1}%", part * 100.0));
        format!(
            "fairness: {} users on {} slot(s) of {} ms, {:.0} s, {video}\n{}\
             Jain's index of the users' VLM time  {}\n\
             slots busy                           {:.1}%\n\
             slots idle while somebody waits      {} (by {})\n",
            rows.len(),
            plan.slots,
            plan.latency.as_millis(),
            plan.window.as_secs_f64(),
            table(&head, &rows),
            figure(self.jain(), 4),
            self.busy * 100.0,
            idle.as_deref().unwrap_or("not known"),
            self.idle.by,
        )
    }

    fn json(&self, plan: &Plan) -> Value {
        json!({
            "slots": plan.slots,
            "latency_ms": plan.latency.as_millis(),
            "seconds": plan.window.as_secs_f64(),
            "users": self.shares.iter().map(Share::json).collect::<Vec<_>>(),
            "jain": self.jain(),
            "slots_busy": self.busy,
            "slots_idle_while_waiting": self.idle.part,
            "waiting_by": self.idle.by,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demand_is_what_all_sessions_could_use_of_the_slots() {
        let plan = |users: &[&str], slots| Plan {
            users: users.iter().map(|user| user.parse().unwrap()).collect(),
            slots,
            latency: Duration::from_millis(500),
            window: Duration::from_secs(1),
        };
        // Half of the time each; all of the time; a turn of 2 s every 4 s.
        let users = ["a:4", "b:2,interval=0.1", "c:1,sessions=2,max-tokens=2048,interval=4"];
        assert!((plan(&users, 1).demand() - 5.0).abs() < 1e-9);
        assert!((plan(&users, 10).demand() - 0.5).abs() < 1e-9);
    }
}
