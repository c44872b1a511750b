//! What is refused, for whoever operates the server: counted each time, and logged once a minute
//! for each kind and address, so that a flood of bad requests is no flood of lines.
//!
//! Locking: the locks of metrics and log are leaves, and one is free before the other is taken.

use std::{net::IpAddr, sync::Arc, time::Instant};

use live_vlm_access::{
    limits::Limit,
    log_limit::{LogLimit, Site},
};
use live_vlm_observe::metrics::Metrics;

use crate::refusal::{Code, Refused};

/// Notes refusals. Cheap to clone; a clone notes in the same place.
#[derive(Debug, Clone)]
pub(crate) struct RefusalLog {
    metrics: Metrics,
    log: Arc<LogLimit<(Refused, Site)>>,
}

impl RefusalLog {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self { metrics, log: Arc::new(LogLimit::new(1)) }
    }

    /// Somebody at this address was refused something, as this session if they had one.
    pub(crate) fn note(&self, refused: Refused, address: IpAddr, session: Option<&str>) {
        if let Some(limit) = refused.limit {
            self.metrics.limit_reached(limit.name());
        }
        // Those have lines of their own, with more in them.
        if matches!(refused.code, Code::SignInFailed | Code::Internal) {
            return;
        }
        let Refused { code, field, limit, inside } = refused.clone();
        if let Some(before) = self.log.due((refused, address.into()), Instant::now()) {
            let limit = limit.map(Limit::name);
            let inside = inside.map(tracing::field::display);
            tracing::info!(%address, session, ?code, field, limit, inside, before, "refused");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: [u8; 4] = [192, 0, 2, 1];

    fn refused(code: Code) -> Refused {
        Refused { code, field: None, limit: None, inside: None }
    }

    #[test]
    fn limits_are_counted_each_time() {
        let metrics = Metrics::new(false);
        let refusals = RefusalLog::new(metrics.clone());
        for _ in 0..3 {
            let limit = Some(Limit::Sessions);
            let refused = Refused { limit, ..refused(Code::LimitReached) };
            refusals.note(refused, HOME.into(), None);
        }
        let text = metrics.exposition(live_vlm_observe::metrics::Format::Prometheus);
        let line = "live_vlm_limits_reached_total{limit=\"sessions_per_user\"} 3\n";
        assert!(text.contains(line), "{text}");
    }
}
