use std::{num::NonZeroU32, time::Instant};

use lru::LruCache;

use super::{
    Limit, LimitReached, Party,
    rates::{Done, Given, Rate},
};

/// Parties that are remembered. Of more, whoever has offered nothing for the longest time is
/// forgotten.
const MAX_PARTIES: usize = 16_384;
/// Offers that may come at once for each session that a party may have: after a restart of the
/// server all of them come back in the same moment, and if their videos fail, each of them tries
/// five times within four seconds (`web/page/src/backoff.ts`).
const OF_EACH_SESSION: u32 = 5;
const FEWEST_AT_ONCE: u32 = 10;
/// Unless there may be more sessions than this, and for those who may have any number.
const MOST_AT_ONCE: u32 = 200;
/// How many are forgotten at once.
const FORGET_AT_ONCE: usize = 8;

/// Who has offered video, and how often.
#[derive(Debug)]
pub(super) struct Offered {
    /// From whoever has offered nothing for the longest time to the last who has.
    parties: LruCache<Party, Offers>,
    clock: Given,
    began: Instant,
}

#[derive(Debug, Default)]
struct Offers {
    done: Done,
    /// When forgetting them changes nothing.
    refilled: Option<Instant>,
}

/// Of a party that may have so many sessions; 0 = any number.
fn at_once(sessions: u32) -> NonZeroU32 {
    let most = MOST_AT_ONCE.max(sessions);
    let wanted = if sessions == 0 { most } else { sessions.saturating_mul(OF_EACH_SESSION) };
    NonZeroU32::new(wanted.clamp(FEWEST_AT_ONCE, most)).unwrap_or(NonZeroU32::MIN)
}

impl Offered {
    pub(super) fn new(began: Instant) -> Self {
        Self { parties: LruCache::unbounded(), clock: Given::default(), began }
    }

    /// One more, of a party that may have so many sessions; 0 = any number.
    pub(super) fn admit(
        &mut self,
        party: Party,
        per_minute: u32,
        sessions: u32,
        now: Instant,
    ) -> Result<(), LimitReached> {
        let Some(per_minute) = NonZeroU32::new(per_minute) else { return Ok(()) };
        let rate = Rate { per_minute, at_once: at_once(sessions) };
        self.forget_refilled(now);
        if !self.parties.contains(&party) && self.parties.len() >= MAX_PARTIES {
            self.parties.pop_lru();
        }
        self.clock.set(now.saturating_duration_since(self.began));
        let offers = self.parties.get_or_insert_mut(party, Offers::default);
        offers.refilled = now.checked_add(rate.refilled_after()).max(offers.refilled);
        offers.done.one_more(rate, &self.clock).map_err(|retry_after| LimitReached {
            limit: Limit::OffersPerMinute,
            value: per_minute.get().into(),
            retry_after,
        })
    }

    fn forget_refilled(&mut self, now: Instant) {
        for _ in 0..FORGET_AT_ONCE {
            match self.parties.peek_lru() {
                Some((_, offers)) if offers.refilled.is_none_or(|at| at <= now) => {
                    self.parties.pop_lru()
                }
                _ => break,
            };
        }
    }

    #[cfg(test)]
    pub(super) fn parties(&self) -> usize {
        self.parties.len()
    }
}
