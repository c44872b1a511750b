//! What an operator sees of the server, in one place: metrics, traces, usage, overload.

use std::{io, net::SocketAddr};

use live_vlm_dispatch::QuestionReport;
use serde::Serialize;
use tokio::{net::TcpListener, runtime::Handle};

use crate::{
    metrics::{BadToken, Metrics, MetricsOptions, MetricsToken},
    overload::{Overload, OverloadOptions},
    refusals::Refusals,
    traces::{BadTraces, Traces, TracesOptions},
    usage::{Usage, UsageError, UsageOptions},
};

/// What is observed, and where it goes.
#[derive(Debug, Clone, Default, clap::Args, Serialize)]
pub struct ObserveOptions {
    /// `[metrics]`
    #[command(flatten)]
    pub metrics: MetricsOptions,
    /// `[traces]`
    #[command(flatten)]
    pub traces: TracesOptions,
    /// `[usage]`
    #[command(flatten)]
    pub usage: UsageOptions,
    /// `[overload]`
    #[command(flatten)]
    pub overload: OverloadOptions,
}

/// Why it cannot be observed as the options say.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObserveError {
    /// The token for `/metrics`.
    #[error(transparent)]
    Token(#[from] BadToken),
    /// The collector.
    #[error(transparent)]
    Traces(#[from] BadTraces),
    /// The file.
    #[error("usage: {0}")]
    Usage(#[from] UsageError),
    /// The address of `/metrics`.
    #[error("cannot listen on {address} for metrics: {source}; choose another --metrics-listen")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// All that is told of the server's work. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Observer {
    /// For Prometheus.
    pub metrics: Metrics,
    /// What was refused.
    pub refusals: Refusals,
    /// For a collector, if there is one.
    pub traces: Option<Traces>,
    /// By user and day.
    pub usage: Usage,
    /// Whether there is room for more.
    pub overload: Overload,
}

/// Where `/metrics` is served.
#[derive(Debug)]
pub struct MetricsDoor {
    /// An address of its own.
    pub listener: Option<TcpListener>,
    /// What readers must bring; without it the main port does not serve it.
    pub token: Option<MetricsToken>,
}

impl Observer {
    /// Begins to observe, on this runtime.
    ///
    /// # Errors
    /// When the options cannot be followed.
    pub fn start(options: &ObserveOptions, runtime: &Handle) -> Result<Self, ObserveError> {
        let metrics = Metrics::new(options.metrics.metrics_by_user.unwrap_or(false));
        Ok(Self {
            traces: Traces::start(&options.traces, runtime)?,
            usage: usage(&options.usage)?,
            overload: Overload::start(&options.overload, &metrics, runtime),
            refusals: Refusals::new(metrics.clone()),
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

impl MetricsDoor {
    /// Listens, if there is an address of its own.
    ///
    /// # Errors
    /// When the address or the token is not to be had.
    pub async fn open(options: &MetricsOptions) -> Result<Self, ObserveError> {
        let token = options.token()?;
        let listener = match options.metrics_listen {
            Some(address) => {
                let failed = |source| ObserveError::Listen { address, source };
                Some(TcpListener::bind(address).await.map_err(failed)?)
            }
            None => None,
        };
        Ok(Self { listener, token })
    }
}

/// A file that was asked for must be usable; the one that nobody asked for is no reason not to
/// start, on a read-only disk say.
fn usage(options: &UsageOptions) -> Result<Usage, UsageError> {
    match Usage::start(options) {
        Err(error) if options.usage_db.is_none() => {
            tracing::warn!(%error, "usage is not recorded");
            Usage::start(&UsageOptions { usage_db: "off".parse().ok(), ..options.clone() })
        }
        started => started,
    }
}
