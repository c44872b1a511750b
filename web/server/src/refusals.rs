//! What is refused, for whoever operates the server: counted each time, and logged once a minute
//! for each kind and address, so that a flood of bad requests is no flood of lines.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use lru::LruCache;
use vlm_client::AddressKind;

use crate::{
    limits::{AddressKey, Limit},
    metrics::Metrics,
    refusal::{Code, Refusal},
};

const AGAIN: Duration = Duration::from_secs(60);
/// Kinds and addresses that are remembered; the longest unseen is forgotten first.
const REMEMBERED: usize = 4096;

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
    /// A leaf lock, held for a look-up.
    logged: Arc<Mutex<LruCache<(Refused, AddressKey), Logged>>>,
}

#[derive(Debug, Clone, Copy)]
struct Logged {
    at: Instant,
    /// Further ones since then.
    since: u64,
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
        Self { metrics, logged: Arc::new(Mutex::new(LruCache::unbounded())) }
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
        if let Some(before) = self.is_due(refused, address, Instant::now()) {
            let limit = limit.map(Limit::name);
            let inside = inside.map(tracing::field::display);
            tracing::info!(%address, session, ?code, field, limit, inside, before, "refused");
        }
    }

    /// Whether it is to be logged now; then, how many were not since the last time.
    fn is_due(&self, refused: Refused, address: IpAddr, now: Instant) -> Option<u64> {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (refused, AddressKey::from(address));
        let seen = logged.get_mut(&key);
        let before = match seen {
            Some(seen) if now.saturating_duration_since(seen.at) < AGAIN => {
                seen.since += 1;
                return None;
            }
            Some(seen) => seen.since,
            None => 0,
        };
        logged.push(key, Logged { at: now, since: 0 });
        if logged.len() > REMEMBERED {
            logged.pop_lru();
        }
        Some(before)
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
    fn each_kind_and_address_is_logged_once_a_minute() {
        let refusals = Refusals::new(Metrics::new(false));
        let now = Instant::now();
        let due = |code, address: [u8; 4], after: u64| {
            refusals.is_due(refused(code), address.into(), now + Duration::from_secs(after))
        };
        assert_eq!(due(Code::SessionTaken, HOME, 0), Some(0));
        for after in 1..60 {
            assert_eq!(due(Code::SessionTaken, HOME, after), None);
        }
        assert_eq!(due(Code::BadOffer, HOME, 1), Some(0));
        assert_eq!(due(Code::SessionTaken, [192, 0, 2, 2], 1), Some(0));
        assert_eq!(due(Code::SessionTaken, HOME, 60), Some(59));
    }

    #[test]
    fn what_is_behind_a_name_is_noted_for_the_log_and_not_sent() {
        let inside = AddressKind::Private;
        let (base, reason) = ("http://vlm.example".into(), "its name".into());
        let error = vlm_client::Error::Forbidden { base, reason, inside };
        let refusal = Refusal::not_allowed(&error);
        assert_eq!(Refused::from(&refusal).inside, Some(inside));
        let sent = serde_json::to_string(&refusal).unwrap();
        assert!(sent.contains("vlm.example") && !sent.contains("private"), "{sent}");
    }

    #[test]
    fn no_flood_of_addresses_fills_the_memory() {
        let refusals = Refusals::new(Metrics::new(false));
        for n in 0..10_000_u32 {
            refusals.is_due(refused(Code::BadOffer), IpAddr::V4(n.into()), Instant::now());
        }
        assert_eq!(refusals.logged.lock().unwrap().len(), REMEMBERED);
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
