use live_vlm_dispatch::QuestionReport;
use serde::Serialize;
use tokio::runtime::Handle;

use crate::{
    metrics::{self, Metrics},
    overload::{self, Overload},
    traces::{self, BadTraces, Traces},
    usage::{self, Usage, UsageError},
};

/// What is observed, and where it goes.
#[derive(Debug, Clone, Default, clap::Args, Serialize)]
#[group(skip)]
pub struct Config {
    /// `[metrics]`
    #[command(flatten)]
    pub metrics: metrics::Config,
    /// `[traces]`
    #[command(flatten)]
    pub traces: traces::Config,
    /// `[usage]`
    #[command(flatten)]
    pub usage: usage::Config,
    /// `[overload]`
    #[command(flatten)]
    pub overload: overload::Config,
}

/// Why it cannot be observed as the options say.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObserveError {
    /// The collector.
    #[error(transparent)]
    Traces(#[from] BadTraces),
    /// The file.
    #[error("usage: {0}")]
    Usage(#[from] UsageError),
}

/// All that is told of the server's work. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Observer {
    /// For Prometheus.
    pub metrics: Metrics,
    /// For a collector, if there is one.
    pub traces: Option<Traces>,
    /// By user and day.
    pub usage: Usage,
    /// Whether there is room for more.
    pub overload: Overload,
}

impl Observer {
    /// Begins to observe, on this runtime.
    ///
    /// # Errors
    /// When the options cannot be followed.
    pub fn start(options: &Config, runtime: &Handle) -> Result<Self, ObserveError> {
        let metrics = Metrics::new(options.metrics.metrics_by_user.unwrap_or(false));
        Ok(Self {
            traces: Traces::start(&options.traces, runtime)?,
            usage: start_usage(&options.usage)?,
            overload: Overload::start(&options.overload, &metrics, runtime),
            metrics,
        })
    }

    /// A question of this user had its turn and is over. Never waits.
    pub fn question_ended(&self, user: &str, report: &QuestionReport) {
        self.metrics.question_ended(user, report);
        self.usage.question_ended(user, report);
        if let Some(traces) = &self.traces {
            traces.question_ended(report);
        }
    }

    /// Writes and sends what is left, for at most a second or so.
    pub async fn close(self) {
        let traces = async {
            if let Some(traces) = self.traces {
                traces.shutdown().await;
            }
        };
        tokio::join!(self.usage.close(), traces);
    }
}

/// A file that was asked for must be usable; the one that nobody asked for is no reason not to
/// start, on a read-only disk say.
fn start_usage(options: &usage::Config) -> Result<Usage, UsageError> {
    match Usage::start(options) {
        Err(error) if options.usage_db.is_none() => {
            tracing::warn!(%error, "usage is not recorded");
            Usage::start(&usage::Config { usage_db: "off".parse().ok(), ..options.clone() })
        }
        started => started,
    }
}
