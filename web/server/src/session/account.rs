//! What a session's user may ask, and what their questions have cost.

use vlm_client::{Account, Denied, QuestionReport};

use crate::{
    limits::{Limits, Now},
    observe::Observer,
    policy::Rules,
    reload::Live,
    user::User,
};

/// A user, as the dispatcher sees them. Rules are read anew for each question, so that those that
/// an operator changes hold from then on.
#[derive(Debug, Clone)]
pub(super) struct UserAccount {
    user: User,
    live: Live,
    limits: Limits,
    observer: Observer,
}

impl UserAccount {
    /// The account of this user. What they have used today, before the server was started too,
    /// counts against today's limits.
    pub(super) fn new(user: User, live: Live, limits: Limits, observer: Observer) -> Self {
        let account = Self { user, live, limits, observer };
        let rules = account.rules();
        if rules.has_day_limits() {
            let used = account.observer.usage.today(&account.user.id);
            account.limits.seed(&account.user.id, used.into(), Now::read());
        }
        account
    }

    /// What the user may do now.
    pub(super) fn rules(&self) -> Rules {
        self.live.now().policy.rules_for(&self.user.id, &self.user.groups)
    }
}

impl Account for UserAccount {
    fn user(&self) -> &str {
        &self.user.id
    }

    fn weight(&self) -> u32 {
        self.rules().weight
    }

    fn admit(&self) -> Result<(), Denied> {
        let admitted = self.limits.admit_question(&self.user.id, &self.rules(), Now::read());
        admitted.map_err(|reached| {
            self.observer.metrics.limit_reached(reached.limit.name());
            Denied {
                limit: reached.limit.name(),
                value: reached.value,
                retry_after: reached.retry_after,
                message: reached.to_string(),
            }
        })
    }

    fn ended(&self, question: &QuestionReport) {
        let tokens = question.tokens_in.saturating_add(question.tokens_out);
        if tokens > 0 {
            self.limits.count_tokens(&self.user.id, &self.rules(), tokens, Now::read());
        }
        self.observer.question_ended(&self.user.id, question);
    }
}
