//! What each user may do: what the rules for all say, what the user's groups say, what is said of
//! the user alone. Each overrides the one before.

use std::{collections::BTreeMap, time::Duration};

use live_vlm_config::{Interval, Name, Prompt, Whole};
use serde::{Deserialize, Serialize, Serializer};
use wildmatch::WildMatch;

/// `[rules]`, `[groups.NAME]`, `[users.NAME]`: what a user may do. 0 = no limit. Only the limits of
/// `[rules]` are flags.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Deserialize, Serialize)]
#[command(next_help_heading = "Limits")]
#[serde(default, deny_unknown_fields)]
pub struct RuleTable {
    /// The user's groups; for users only.
    #[arg(skip)]
    pub groups: Option<Vec<String>>,
    /// Share of the VLM against others'.
    #[arg(skip)]
    pub weight: Option<Whole<1, 1000>>,
    /// Patterns of the models that may be asked.
    #[arg(skip)]
    pub models: Option<Vec<Name>>,
    /// Whether VLM servers of their own may be asked.
    #[arg(skip)]
    pub own_api_base: Option<bool>,
    /// Questions a minute of one user; 0 = no limit [default: 60]
    #[arg(long, env = "LIVE_VLM_QUESTIONS_PER_MINUTE", value_name = "N")]
    pub questions_per_minute: Option<Whole<0, 60_000>>,
    /// Videos that one user may start in a minute, or that all people at one address who have not
    /// signed in may start together; 0 = no limit [default: 60]
    #[arg(long, env = "LIVE_VLM_OFFERS_PER_MINUTE", value_name = "N")]
    pub offers_per_minute: Option<Whole<0, 60_000>>,
    /// Most sessions at once of one user; 0 = no limit [default: 4]
    #[arg(
        id = "sessions_per_user",
        long = "sessions-per-user",
        env = "LIVE_VLM_SESSIONS_PER_USER",
        value_name = "N"
    )]
    pub sessions: Option<Whole<0, 100_000>>,
    /// Questions a day (UTC) of one user; 0 = no limit [default: 0]
    #[arg(long, env = "LIVE_VLM_QUESTIONS_PER_DAY", value_name = "N")]
    pub questions_per_day: Option<Whole<0, 1_000_000_000_000>>,
    /// Tokens a day (UTC) of one user, of questions and answers; 0 = no limit [default: 0]
    #[arg(long, env = "LIVE_VLM_TOKENS_PER_DAY", value_name = "N")]
    pub tokens_per_day: Option<Whole<0, 1_000_000_000_000>>,
    /// What a session begins to ask.
    #[arg(skip)]
    pub prompt: Option<Prompt>,
    /// The model that a session begins with.
    #[arg(skip)]
    pub model: Option<Name>,
    /// The longest answer that a session begins with.
    #[arg(skip)]
    pub max_tokens: Option<Whole<1, 32768>>,
    /// The time between questions that a session begins with.
    #[arg(skip)]
    pub interval: Option<Interval>,
}

impl RuleTable {
    /// The file's rules, with these in place of the five that have self.
    #[must_use]
    pub fn or(&self, file: Self) -> Self {
        Self {
            questions_per_minute: self.questions_per_minute.or(file.questions_per_minute),
            offers_per_minute: self.offers_per_minute.or(file.offers_per_minute),
            sessions: self.sessions.or(file.sessions),
            questions_per_day: self.questions_per_day.or(file.questions_per_day),
            tokens_per_day: self.tokens_per_day.or(file.tokens_per_day),
            ..file
        }
    }
}

/// What one user may do, and what their sessions begin with. In limits, 0 = none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rules {
    /// Share of the VLM against others', 1 to 1000 (1).
    pub weight: u32,
    /// Patterns of the models that may be asked (`*`); `*` and `?` stand for others.
    pub models: Vec<String>,
    /// Whether VLM servers of their own may be asked (true).
    pub own_api_base: bool,
    /// Questions a minute (60).
    pub questions_per_minute: u32,
    /// Offers of video a minute (60).
    pub offers_per_minute: u32,
    /// Sessions at once (4).
    pub sessions: u32,
    /// Questions a day, by UTC (0).
    pub questions_per_day: u64,
    /// Tokens a day, asked and answered, by UTC (0).
    pub tokens_per_day: u64,
    /// What a session begins to ask; none = the server's own prompt.
    pub prompt: Option<String>,
    /// The model that a session begins with; none = the server's own.
    pub model: Option<String>,
    /// The longest answer that a session begins with, in tokens; none = the server's own.
    pub max_tokens: Option<u32>,
    /// The time between questions that a session begins with; none = the server's own.
    #[serde(serialize_with = "seconds")]
    pub interval: Option<Duration>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            weight: 1,
            models: vec!["*".to_owned()],
            own_api_base: true,
            questions_per_minute: 60,
            offers_per_minute: 60,
            sessions: 4,
            questions_per_day: 0,
            tokens_per_day: 0,
            prompt: None,
            model: None,
            max_tokens: None,
            interval: None,
        }
    }
}

impl Rules {
    /// Whether every model may be asked.
    pub fn allows_all_models(&self) -> bool {
        self.models.iter().any(|pattern| pattern == "*")
    }

    /// Whether anything is limited by the day.
    pub fn has_day_limits(&self) -> bool {
        self.questions_per_day > 0 || self.tokens_per_day > 0
    }

    /// Whether this model may be asked.
    pub fn allows_model(&self, model: &str) -> bool {
        self.models.iter().any(|pattern| WildMatch::new(pattern).matches(model))
    }

    /// These, with what the table says instead.
    fn overridden_by(&mut self, table: &RuleTable) {
        fn put<T>(to: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *to = value;
            }
        }
        put(&mut self.weight, table.weight.map(|n| n.get() as u32));
        put(&mut self.models, patterns(table));
        put(&mut self.own_api_base, table.own_api_base);
        put(&mut self.questions_per_minute, table.questions_per_minute.map(|n| n.get() as u32));
        put(&mut self.offers_per_minute, table.offers_per_minute.map(|n| n.get() as u32));
        put(&mut self.sessions, table.sessions.map(|n| n.get() as u32));
        put(&mut self.questions_per_day, table.questions_per_day.map(|n| n.get()));
        put(&mut self.tokens_per_day, table.tokens_per_day.map(|n| n.get()));
        put(&mut self.prompt, table.prompt.as_ref().map(|prompt| Some(prompt.get().to_owned())));
        put(&mut self.model, table.model.as_ref().map(|model| Some(model.get().to_owned())));
        put(&mut self.max_tokens, table.max_tokens.map(|n| Some(n.get() as u32)));
        put(&mut self.interval, table.interval.map(|interval| Some(interval.get())));
    }
}

/// The rules for everybody. Pure.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AllRules {
    rules: Rules,
    groups: BTreeMap<String, RuleTable>,
    users: BTreeMap<String, RuleTable>,
}

impl AllRules {
    /// What the tables of a configuration say.
    pub fn new(
        rules: &RuleTable,
        groups: BTreeMap<String, RuleTable>,
        users: BTreeMap<String, RuleTable>,
    ) -> Self {
        let mut all = Rules::default();
        all.overridden_by(rules);
        Self { rules: all, groups, users }
    }

    /// What this user may do, who is in these groups and in those that the configuration names for
    /// them. Groups that the configuration does not know say nothing.
    ///
    /// With several groups the most generous of each limit counts, and the first to name what a
    /// session begins with. What is said of the user alone counts before any group.
    pub fn rules_for(&self, user: &str, groups: &[String]) -> Rules {
        let own = self.users.get(user);
        let named = own.and_then(|table| table.groups.as_deref()).unwrap_or_default();
        let tables: Vec<&RuleTable> =
            groups.iter().chain(named).filter_map(|group| self.groups.get(group)).collect();
        let mut rules = self.rules.clone();
        rules.overridden_by(&most_generous(&tables));
        if let Some(own) = own {
            rules.overridden_by(own);
        }
        rules
    }
}

/// One table that says the best of all.
fn most_generous(tables: &[&RuleTable]) -> RuleTable {
    // No limit is the most generous of all.
    fn limit<T: Copy>(
        tables: &[&RuleTable],
        of: fn(&RuleTable) -> Option<T>,
        number: fn(T) -> u64,
    ) -> Option<T> {
        let generosity = |value: &T| match number(*value) {
            0 => u64::MAX,
            number => number,
        };
        tables.iter().filter_map(|table| of(table)).max_by_key(generosity)
    }
    fn first<T: Clone>(tables: &[&RuleTable], of: fn(&RuleTable) -> &Option<T>) -> Option<T> {
        tables.iter().find_map(|table| of(table).clone())
    }
    let mut models = tables.iter().filter_map(|table| table.models.as_ref()).peekable();
    RuleTable {
        groups: None,
        weight: limit(tables, |table| table.weight, |n| n.get()),
        models: models.peek().is_some().then(|| models.flatten().cloned().collect()),
        own_api_base: tables.iter().filter_map(|table| table.own_api_base).max(),
        questions_per_minute: limit(tables, |table| table.questions_per_minute, |n| n.get()),
        offers_per_minute: limit(tables, |table| table.offers_per_minute, |n| n.get()),
        sessions: limit(tables, |table| table.sessions, |n| n.get()),
        questions_per_day: limit(tables, |table| table.questions_per_day, |n| n.get()),
        tokens_per_day: limit(tables, |table| table.tokens_per_day, |n| n.get()),
        prompt: first(tables, |table| &table.prompt),
        model: first(tables, |table| &table.model),
        max_tokens: first(tables, |table| &table.max_tokens),
        interval: first(tables, |table| &table.interval),
    }
}

fn patterns(table: &RuleTable) -> Option<Vec<String>> {
    let models = table.models.as_ref()?;
    let mut patterns: Vec<String> = Vec::new();
    for pattern in models {
        if !patterns.iter().any(|other| other == pattern.get()) {
            patterns.push(pattern.get().to_owned());
        }
    }
    Some(patterns)
}

fn seconds<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(to)
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
