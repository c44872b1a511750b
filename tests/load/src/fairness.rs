//! Who gets how much of the VLM's time.

use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join_all};
use serde_json::json;
use tokio::time::sleep;

use crate::{
    Failure, Tool,
    queue::Watcher,
    report::{Report, figure, table},
    spec::UserSpec,
    stats::{jain, percentile},
    viewer::{Browser, Viewer, Wish},
    vlm::Vlm,
};

/// Until everybody waits and the dispatcher knows how long turns take.
const SETTLE: Duration = Duration::from_secs(5);

pub(crate) struct Plan {
    pub(crate) users: Vec<UserSpec>,
    pub(crate) slots: usize,
    pub(crate) latency: Duration,
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
    viewers: Vec<Viewer>,
}

pub(crate) async fn measure(tool: &Tool, plan: &Plan) -> Result<Report, Failure> {
    let vlm = Vlm::start(plan.slots, plan.latency).await?;
    let server = tool.serve(&vlm).await?;
    let kinds =
        plan.users.iter().flat_map(|spec| spec.names().into_iter().map(move |name| (name, spec)));
    let users = kinds.map(|(name, spec)| async {
        let browser = Browser::visit(&tool.http, &server.address).await?;
        let wish = Wish {
            interval: spec.interval,
            max_tokens: spec.max_tokens,
            user: Some(name.clone()),
            ..Wish::default()
        };
        let viewers = (0..spec.sessions).map(|_| Viewer::connect(&browser, &tool.video, &wish));
        Ok::<_, Failure>(User { name, viewers: try_join_all(viewers).await? })
    });
    let mut users = try_join_all(users).await?;
    sleep(SETTLE.min(plan.window)).await;
    users.iter_mut().flat_map(|user| &mut user.viewers).for_each(|v| drop(v.take_answers()));

    let vlm = std::sync::Arc::new(vlm);
    let idle_slots = vlm.clone();
    let watcher =
        Watcher::start(&tool.http, &server.address, plan.slots, move || idle_slots.idle_slots());
    let began = Instant::now();
    sleep(plan.window).await;
    let (time, busy) = (vlm.time_since(began), vlm.busy_since(began));
    let idle = watcher.stop(plan.demand()).await?;

    let (mut rows, mut shares, mut figures) = (Vec::new(), Vec::new(), Vec::new());
    for user in &mut users {
        let heard: Vec<_> = user.viewers.iter_mut().flat_map(Viewer::take_answers).collect();
        let ages = heard.iter().filter_map(|heard| heard.age);
        let ages: Vec<f64> = ages.map(|age| age.as_secs_f64() * 1000.0).collect();
        let errors: usize = user.viewers.iter().map(|viewer| viewer.trouble().0).sum();
        let seconds = time.get(&user.name).copied().unwrap_or(0.0);
        let (p50, p95) = (percentile(&ages, 0.5), percentile(&ages, 0.95));
        rows.push(vec![
            user.name.clone(),
            format!("{}", user.viewers.len()),
            format!("{seconds:.2}"),
            format!("{}", heard.len()),
            figure(p50, 0),
            figure(p95, 0),
            format!("{errors}"),
        ]);
        figures.push(json!({
            "user": user.name,
            "sessions": user.viewers.len(),
            "vlm_s": seconds,
            "answers": heard.len(),
            "age_p50_ms": p50,
            "age_p95_ms": p95,
            "errors": errors,
        }));
        shares.push(seconds);
    }
    let viewers = users.into_iter().flat_map(|user| user.viewers);
    join_all(viewers.map(Viewer::hang_up)).await;

    let index = jain(&shares);
    let head = ["user", "sessions", "VLM s", "answers", "age p50 ms", "p95 ms", "errors"];
    let text = format!(
        "fairness: {} users on {} slot(s) of {} ms, {:.0} s, {}\n{}\
         Jain's index of the users' VLM time  {}\n\
         slots busy                           {:.1}%\n\
         slots idle while somebody waits      {} (by {})\n",
        rows.len(),
        plan.slots,
        plan.latency.as_millis(),
        plan.window.as_secs_f64(),
        tool.video,
        table(&head, &rows),
        figure(index, 4),
        busy * 100.0,
        idle.part.map_or_else(|| "not known".to_owned(), |part| format!("{:.1}%", part * 100.0)),
        idle.by,
    );
    let figures = json!({
        "slots": plan.slots,
        "latency_ms": plan.latency.as_millis(),
        "seconds": plan.window.as_secs_f64(),
        "users": figures,
        "jain": index,
        "slots_busy": busy,
        "slots_idle_while_waiting": idle.part,
        "waiting_by": idle.by,
    });
    Ok(Report { text, figures })
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
