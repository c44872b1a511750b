//! What is refused, for whoever operates the server: counted each time, and logged once a minute
//! for each kind and address, so that a flood of bad requests is no flood of lines.

use std::{net::IpAddr, sync::Arc, time::Instant};

use vlm_client::AddressKind;

use crate::{
    limits::Limit,
    log_limit::{LogLimit, Site},
    metrics::Metrics,
    refusal::{Code, Refusal},
};

/// What of a refusal is counted and logged: nothing that the client wrote.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Refused {
    /// Why.
    pub code: Code,
    /// What was wrong.
    pub field: Option<String>,
    /// The limit, if it was one.
    pub limit: Option<Limit>,
    /// What is at the address that was named, if that is why.
    pub inside: Option<AddressKind>,
}

/// Notes refusals. Cheap to clone; a clone notes in the same place.
#[derive(Debug, Clone)]
pub struct Refusals {
    metrics: Metrics,
    log: Arc<LogLimit<(Refused, Site)>>,
}

impl From<&Refusal> for Refused {
    fn from(refusal: &Refusal) -> Self {
        Self {
            code: refusal.code,
            field: refusal.field.clone(),
            limit: refusal.limit,
            inside: refusal.inside,
        }
    }
}

impl Refusals {
    /// None yet.
    pub fn new(metrics: Metrics) -> Self {
        Self { metrics, log: Arc::new(LogLimit::new(1)) }
    }

    /// Somebody at this address was refused something, as this session if they had one.
    pub fn note(&self, refused: Refused, address: IpAddr, session: Option<&str>) {
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
    fn what_is_behind_a_name_is_noted_for_the_log_and_not_sent() {
        let inside = AddressKind::Private;
        let forbidden = vlm_client::ErrorKind::Forbidden { reason: "its name".into(), inside };
        let error = vlm_client::Error::new("http://vlm.example", forbidden);
        let refusal = Refusal::not_allowed(&error);
        assert_eq!(Refused::from(&refusal).inside, Some(inside));
        let sent = serde_json::to_string(&refusal).unwrap();
        assert!(sent.contains("vlm.example") && !sent.contains("private"), "{sent}");
    }

    #[test]
    fn limits_are_counted_each_time() {
        let metrics = Metrics::new(false);
        let refusals = Refusals::new(metrics.clone());
        for _ in 0..3 {
            let limit = Some(Limit::Sessions);
            let refused = Refused { limit, ..refused(Code::LimitReached) };
            refusals.note(refused, HOME.into(), None);
        }
        let text = metrics.exposition(crate::metrics::Format::Prometheus);
        let line = "live_vlm_limits_reached_total{limit=\"sessions_per_user\"} 3\n";
        assert!(text.contains(line), "{text}");
    }
}
