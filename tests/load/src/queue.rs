//! Whether slots idle while somebody waits.

use std::time::{Duration, Instant};

use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use crate::{Failure, server::METRICS_TOKEN, vlm::Vlm};

const EVERY: Duration = Duration::from_millis(25);
/// How a gauge of the server's `/metrics` ends that says how many wait.
const WAITING: &str = "_waiting";

/// What was seen of the slots.
#[derive(Debug, Clone, Default)]
pub(crate) struct Idle {
    /// The part of the slots' time that was idle while somebody waited, 0 to 1. `None` when nobody
    /// waited, or it could not be told.
    pub(crate) part: Option<f64>,
    /// By what it was told that somebody waited.
    pub(crate) by: String,
}

/// Looks at the VLM and the server's queue until it is asked.
pub(crate) struct Watcher {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Sum>,
}

#[derive(Debug, Default)]
struct Sum {
    looks: usize,
    idle: usize,
    slots: usize,
    gauge: Option<String>,
}

impl Watcher {
    /// `idle_slots` answers how many of all slots are idle now. Without a gauge in the server's
    /// metrics everybody is taken to wait all the time.
    pub(crate) fn start(
        http: &reqwest::Client,
        server: &str,
        slots: usize,
        idle_slots: impl Fn() -> usize + Send + 'static,
    ) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let (http, url) = (http.clone(), format!("http://{server}/metrics"));
        let task = tokio::spawn(async move {
            let mut sum = Sum { slots, ..Sum::default() };
            let mut tick = interval(EVERY);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut has_gauge = true;
            loop {
                tokio::select! {
                    _ = &mut stopped => return sum,
                    _ = tick.tick() => {}
                }
                let gauge = if has_gauge { waiting(&http, &url).await } else { None };
                has_gauge = gauge.is_some();
                let waits = gauge.as_ref().is_none_or(|(_, waiting)| *waiting > 0.0);
                sum.gauge = gauge.map(|(name, _)| name);
                if waits {
                    sum.looks += 1;
                    sum.idle += idle_slots();
                }
            }
        });
        Self { stop, task }
    }

    /// Ends. `demand` is the slots' time that sessions want, as a part of what there is: with more
    /// than there is, somebody always waits.
    pub(crate) async fn stop(self, demand: f64) -> Result<Idle, Failure> {
        let _ = self.stop.send(());
        let sum = self.task.await?;
        let by = match sum.gauge {
            Some(name) => format!("the server's {name}"),
            None if demand > 1.0 => {
                "a demand beyond all slots, so that somebody always waits".into()
            }
            None => return Ok(Idle { part: None, by: "nothing: not all slots are wanted".into() }),
        };
        let part = (sum.looks > 0).then(|| sum.idle as f64 / (sum.looks * sum.slots) as f64);
        Ok(Idle { part, by })
    }
}

/// The gauge's name and the sum over its labels.
async fn waiting(http: &reqwest::Client, url: &str) -> Option<(String, f64)> {
    let response =
        http.get(url).bearer_auth(METRICS_TOKEN).send().await.ok()?.error_for_status().ok()?;
    gauge(&response.text().await.ok()?)
}

fn gauge(metrics: &str) -> Option<(String, f64)> {
    let lines = metrics.lines().filter(|line| !line.starts_with('#'));
    let mut found: Option<(String, f64)> = None;
    for line in lines {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let name = series.split('{').next().unwrap_or(series);
        let (true, Ok(value)) = (name.ends_with(WAITING), value.parse::<f64>()) else { continue };
        match &mut found {
            Some((known, sum)) if known == name => *sum += value,
            Some(_) => {}
            None => found = Some((name.to_owned(), value)),
        }
    }
    found
}

impl Vlm {
    /// The part of all slots' time that was used since then, 0 to 1.
    pub(crate) fn busy_since(&self, from: Instant) -> f64 {
        let used: f64 = self.time_since(from).values().sum();
        used / (from.elapsed().as_secs_f64() * self.slots() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gauge_of_who_waits_is_summed_over_its_labels() {
        let text = "# TYPE x_waiting gauge\nx_waiting{backend=\"a b\"} 2\nx_waiting{backend=\"c\"} 3\n\
                    y_waiting 9\nz_total 4\n";
        assert_eq!(gauge(text), Some(("x_waiting".to_owned(), 5.0)));
        assert_eq!(gauge("z_total 4\n<html>"), None);
    }

    #[tokio::test]
    async fn without_a_gauge_idle_slots_count_only_when_more_is_wanted_than_there_is() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::new;
        for (demand, expected) in [(2.0, Some(0.5)), (0.5, None)] {
            let (looked, mut looks) = tokio::sync::mpsc::unbounded_channel();
            let watcher = Watcher::start(&http(), "127.0.0.1:1", 4, move || {
                let _ = looked.send(());
                2
            });
            looks.recv().await.unwrap();
            assert_eq!(watcher.stop(demand).await.unwrap().part, expected);
        }
    }
}
