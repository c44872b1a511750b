use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use lru::LruCache;

use super::{
    Limit, LimitReached, Now,
    rates::{Done, Given, Rate},
};
use crate::rules::Rules;

/// Users that are remembered. Of more, whoever has asked nothing for the longest time is forgotten.
const MAX_USERS: usize = 16_384;
/// Questions that may be asked at once by who has asked none for a while. It lets through what
/// comes a little early, as questions at a fixed interval do.
const BURST: NonZeroU32 = NonZeroU32::new(5).unwrap();
/// After this time every rate is as if nothing had been asked: a burst is at most a minute's worth.
const FORGET: Duration = Duration::from_secs(60);
/// How many are forgotten at once, so that nobody's question waits for many.
const FORGET_AT_ONCE: usize = 8;

/// What a user has used of a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Questions.
    pub questions: u64,
    /// Tokens, asked and answered.
    pub tokens: u64,
}

/// What users have asked.
#[derive(Debug)]
pub(super) struct Asked {
    /// From whoever has asked nothing for the longest time to the last who has.
    users: LruCache<String, User>,
    clock: Given,
    began: Instant,
}

#[derive(Debug)]
struct User {
    /// Questions, as far as rates look at them.
    asked: Done,
    day: u64,
    used: Used,
    /// Whether what was used today must be remembered.
    has_day_limit: bool,
    seen: Instant,
}

impl Asked {
    pub(super) fn new(began: Instant) -> Self {
        Self { users: LruCache::unbounded(), clock: Given::default(), began }
    }

    pub(super) fn seed(&mut self, user: &str, used: Used, now: Now) {
        let user = self.user(user, now);
        let (questions, tokens) = (user.used.questions, user.used.tokens);
        user.used =
            Used { questions: questions.max(used.questions), tokens: tokens.max(used.tokens) };
        // Whether there is a limit, the first question will tell.
        user.has_day_limit = true;
    }

    pub(super) fn admit(
        &mut self,
        name: &str,
        rules: &Rules,
        now: Now,
    ) -> Result<(), LimitReached> {
        self.forget_idle(now);
        let clock = self.clock.clone();
        let user = self.user(name, now);
        user.has_day_limit = rules.has_day_limits();
        let day = [
            (Limit::QuestionsPerDay, rules.questions_per_day, user.used.questions),
            (Limit::TokensPerDay, rules.tokens_per_day, user.used.tokens),
        ];
        if let Some((limit, value, _)) =
            day.into_iter().find(|(_, value, used)| *value > 0 && used >= value)
        {
            return Err(LimitReached { limit, value, retry_after: now.until_tomorrow() });
        }
        if let Err(retry_after) = user.one_more(rules.questions_per_minute, &clock) {
            let value = rules.questions_per_minute.into();
            return Err(LimitReached { limit: Limit::QuestionsPerMinute, value, retry_after });
        }
        user.used.questions = user.used.questions.saturating_add(1);
        Ok(())
    }

    pub(super) fn count_tokens(&mut self, user: &str, rules: &Rules, tokens: u64, now: Now) {
        let user = self.user(user, now);
        user.has_day_limit = rules.has_day_limits();
        user.used.tokens = user.used.tokens.saturating_add(tokens);
    }

    pub(super) fn used(&self, user: &str, now: Now) -> Used {
        let user = self.users.peek(user).filter(|user| user.day >= now.day());
        user.map(|user| user.used).unwrap_or_default()
    }

    /// Who asks, on today's page.
    fn user(&mut self, name: &str, now: Now) -> &mut User {
        self.clock.set(now.monotonic.saturating_duration_since(self.began));
        if !self.users.contains(name) && self.users.len() >= MAX_USERS {
            self.users.pop_lru();
        }
        let user = self.users.get_or_insert_mut_ref(name, || User {
            asked: Done::default(),
            day: now.day(),
            used: Used::default(),
            has_day_limit: false,
            seen: now.monotonic,
        });
        // A clock that was set back does not give a day twice.
        if now.day() > user.day {
            (user.day, user.used) = (now.day(), Used::default());
        }
        user.seen = now.monotonic;
        user
    }

    fn forget_idle(&mut self, now: Now) {
        for _ in 0..FORGET_AT_ONCE {
            match self.users.peek_lru() {
                Some((_, user)) if user.is_idle(now) => self.users.pop_lru(),
                _ => break,
            };
        }
    }

    #[cfg(test)]
    pub(super) fn users(&self) -> usize {
        self.users.len()
    }
}

impl User {
    /// Counts a question, or says how long it must wait.
    fn one_more(&mut self, per_minute: u32, clock: &Given) -> Result<(), Duration> {
        let Some(per_minute) = NonZeroU32::new(per_minute) else { return Ok(()) };
        self.asked.one_more(Rate { per_minute, at_once: BURST.min(per_minute) }, clock)
    }

    /// Whether forgetting them changes nothing.
    fn is_idle(&self, now: Now) -> bool {
        let remembers_today = self.has_day_limit && self.day >= now.day();
        !remembers_today && now.monotonic.saturating_duration_since(self.seen) > FORGET
    }
}
