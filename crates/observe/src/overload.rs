//! Refusing new sessions while the running ones have all the CPU time or memory that there is.
//! The decision is [`Guard`]'s, which is pure; a task reads `/proc` once a second for it.
//! What media processes use counts as the server's.

use std::{fmt, sync::Arc, time::Duration};

use live_vlm_config::Whole;
use serde::{Deserialize, Serialize};
use tokio::{
    runtime::Handle,
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    metrics::Metrics,
    process::{Memory, Process},
};

const SAMPLE: Duration = Duration::from_secs(1);
/// The time constant in seconds by which CPU time is smoothed: what was measured this long ago
/// counts 1/e as much as what is measured now.
const SMOOTHING: f64 = 5.0;
/// What was reached counts until it is this much below again, so that nobody is let in for a
/// second.
const RELEASE: f64 = 0.9;
/// Of all memory: with less left, the kernel begins to end processes.
const LEAST_AVAILABLE: f64 = 0.05;
/// Of all memory, unless the operator says how much.
const MOST_RESIDENT: f64 = 0.8;
const MAX_CPU: u64 = 90;

/// `[overload]`: when the server takes no further sessions.
#[derive(Debug, Clone, Default, clap::Args, Deserialize, Serialize)]
#[group(skip)]
#[command(next_help_heading = "Limits")]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Refuse new sessions while the server uses more than this share of all cores, in percent;
    /// 0 = no limit [default: 90]
    #[arg(long, env = "LIVE_VLM_MAX_CPU", value_name = "PERCENT")]
    pub max_cpu: Option<Whole<0, 100>>,
    /// Refuse new sessions while the server uses more than this memory, in MB; 0 = 80% of what it
    /// may use [default: 0]
    #[arg(long, env = "LIVE_VLM_MAX_MEMORY", value_name = "MB")]
    pub max_memory: Option<Whole<0, 1_000_000_000>>,
}

impl Config {
    /// The same with what the file says where the command line and environment say nothing.
    #[must_use]
    pub fn or(&self, file: &Self) -> Self {
        Self {
            max_cpu: self.max_cpu.or(file.max_cpu),
            max_memory: self.max_memory.or(file.max_memory),
        }
    }

    /// The bounds on a host or in a control group with so much memory.
    pub fn bounds(&self, memory: Option<Memory>) -> Bounds {
        let of_all = |part: f64| memory.map(|memory| (memory.total as f64 * part) as u64);
        let given = self.max_memory.map(Whole::get).filter(|mb| *mb > 0);
        let given = given.map(|mb| mb.saturating_mul(1 << 20));
        let percent = self.max_cpu.map_or(MAX_CPU, Whole::get);
        Bounds {
            cpu: (percent > 0).then(|| percent as f64 / 100.0),
            resident: given.or_else(|| of_all(MOST_RESIDENT)),
            available: of_all(LEAST_AVAILABLE),
        }
    }
}

/// What may be reached; `None` is no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bounds {
    /// Most CPU time, as a fraction of all cores.
    pub cpu: Option<f64>,
    /// Most bytes of memory that the server uses.
    pub resident: Option<u64>,
    /// Fewest bytes of memory that are left.
    pub available: Option<u64>,
}

/// What was measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Readings {
    /// CPU time since the reading before, as a fraction of all cores.
    pub cpu: f64,
    /// The time since then.
    pub elapsed: Duration,
    /// Bytes of memory that the server uses.
    pub resident: u64,
    /// Bytes of memory that are left, if that is known.
    pub available: Option<u64>,
}

/// A bound that was reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Overloaded {
    /// Too much CPU time, as fractions of all cores.
    Cpu {
        /// Used.
        used: f64,
        /// Allowed.
        most: f64,
    },
    /// The server uses too much memory, in bytes.
    Resident {
        /// Used.
        used: u64,
        /// Allowed.
        most: u64,
    },
    /// Too little memory is left, in bytes.
    Available {
        /// Left.
        left: u64,
        /// Needed.
        least: u64,
    },
}

impl fmt::Display for Overloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |part: f64| (part * 100.0).round();
        let mb = |bytes: u64| bytes >> 20;
        match *self {
            Self::Cpu { used, most } => {
                write!(
                    f,
                    "{}% of the CPU is used, at most {}% may be",
                    percent(used),
                    percent(most)
                )
            }
            Self::Resident { used, most } => {
                write!(f, "{} MB of memory are used, at most {} may be", mb(used), mb(most))
            }
            Self::Available { left, least } => {
                write!(f, "{} MB of memory are left, at least {} must be", mb(left), mb(least))
            }
        }
    }
}

/// Decides whether there is too much to do.
#[derive(Debug)]
pub struct Guard {
    bounds: Bounds,
    cpu: f64,
    reached: Option<Overloaded>,
}

impl Guard {
    /// Nothing was measured yet.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, cpu: 0.0, reached: None }
    }

    /// Takes what was measured. Answers the first bound that is reached, or was and is not far
    /// enough away yet.
    pub fn take(&mut self, readings: Readings) -> Option<Overloaded> {
        let weight = 1.0 - (-readings.elapsed.as_secs_f64() / SMOOTHING).exp();
        self.cpu += (readings.cpu - self.cpu) * weight;
        self.reached = self.cpu().or_else(|| self.resident(readings)).or_else(|| {
            let left = readings.available?;
            self.available(left)
        });
        self.reached
    }

    fn cpu(&self) -> Option<Overloaded> {
        let most = self.bounds.cpu?;
        let release = matches!(self.reached, Some(Overloaded::Cpu { .. }));
        let bound = if release { most * RELEASE } else { most };
        (self.cpu > bound).then_some(Overloaded::Cpu { used: self.cpu, most })
    }

    fn resident(&self, readings: Readings) -> Option<Overloaded> {
        let most = self.bounds.resident?;
        let release = matches!(self.reached, Some(Overloaded::Resident { .. }));
        let bound = if release { most as f64 * RELEASE } else { most as f64 };
        let used = readings.resident;
        (used as f64 > bound).then_some(Overloaded::Resident { used, most })
    }

    fn available(&self, left: u64) -> Option<Overloaded> {
        let least = self.bounds.available?;
        let release = matches!(self.reached, Some(Overloaded::Available { .. }));
        let bound = if release { least as f64 / RELEASE } else { least as f64 };
        ((left as f64) < bound).then_some(Overloaded::Available { left, least })
    }
}

/// Whether there is too much to do now. Whoever began to watch watches for as long as a clone
/// lives.
#[derive(Debug, Clone)]
pub struct Overload {
    reached: watch::Receiver<Option<Overloaded>>,
    _sampler: Option<Arc<AbortOnDropHandle<()>>>,
}

impl Overload {
    /// Begins to watch this process, and the media processes that the metrics know.
    pub fn start(options: &Config, metrics: &Metrics, runtime: &Handle) -> Self {
        let (to, reached) = watch::channel(None);
        let guard = Guard::new(options.bounds(Memory::read()));
        let sampler = runtime.spawn(sample(guard, to, metrics.clone()));
        let sampler = Some(Arc::new(AbortOnDropHandle::new(sampler)));
        Self { reached, _sampler: sampler }
    }

    /// Believes whoever holds the other end.
    pub fn told(reached: watch::Receiver<Option<Overloaded>>) -> Self {
        Self { reached, _sampler: None }
    }

    /// The bound that is reached, if one is.
    pub fn reached(&self) -> Option<Overloaded> {
        *self.reached.borrow()
    }
}

async fn sample(mut guard: Guard, reached: watch::Sender<Option<Overloaded>>, metrics: Metrics) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    let mut ticks = interval(SAMPLE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before: Option<(Instant, f64)> = None;
    loop {
        ticks.tick().await;
        let Some(process) = Process::read() else {
            tracing::warn!("there is no /proc: overload is not noticed");
            return;
        };
        let media = metrics.media().unwrap_or_default();
        let cpu_seconds = process.cpu_seconds + media.cpu_seconds;
        let now = Instant::now();
        // The first time only memory counts.
        let (since, used) = before.replace((now, cpu_seconds)).unwrap_or((now, cpu_seconds));
        let elapsed = now - since;
        let now_reached = guard.take(Readings {
            cpu: (cpu_seconds - used) / elapsed.as_secs_f64().max(f64::EPSILON) / cores,
            elapsed,
            resident: process.resident.saturating_add(media.resident),
            available: Memory::read().map(|memory| memory.available),
        });
        let was_reached = reached.send_replace(now_reached);
        metrics.set_overloaded(now_reached.is_some());
        match (was_reached, now_reached) {
            (None, Some(why)) => tracing::warn!(%why, "overloaded: new sessions are refused"),
            (Some(_), None) => tracing::info!("new sessions are taken again"),
            _ => {}
        }
    }
}

#[cfg(test)]
#[path = "overload_tests.rs"]
mod tests;
