//! What a session's user may ask, and what their questions have cost.

use std::{net::IpAddr, sync::Arc};

use arc_swap::ArcSwap;
use live_vlm_access::{
    limits::{Limits, Now, Used},
    rules::Rules,
};
use live_vlm_dispatch::{Account, Denied, QuestionReport};
use live_vlm_observe::Observer;

use super::services::Services;
use crate::{
    live::Live,
    refusal::{Code, Refused},
    refusal_log::RefusalLog,
};

/// The groups of whoever opened a session last; of another key or token they may be others.
pub(super) type Groups = Arc<ArcSwap<Vec<String>>>;

/// A user, as the dispatcher sees them. Rules are read anew for each question, so that those that
/// an operator changes hold from then on.
#[derive(Debug)]
pub(super) struct UserAccount {
    user: Arc<str>,
    groups: Groups,
    live: Live,
    limits: Limits,
    observer: Observer,
    refusals: RefusalLog,
    address: IpAddr,
}

impl UserAccount {
    /// The account of this user, whose groups may change. What was used from this address is
    /// noted for it.
    pub(super) fn new(
        user: Arc<str>,
        groups: Groups,
        address: IpAddr,
        services: &Services,
    ) -> Self {
        let Services { live, limits, observer, refusals, .. } = services;
        Self {
            user,
            groups,
            live: live.clone(),
            limits: limits.clone(),
            observer: observer.clone(),
            refusals: refusals.clone(),
            address,
        }
    }

    /// What the user may do now.
    pub(super) fn rules(&self) -> Rules {
        self.live.now().all_rules.rules_for(&self.user, &self.groups.load())
    }
}

impl Account for UserAccount {
    fn user(&self) -> &str {
        &self.user
    }

    fn weight(&self) -> u32 {
        self.rules().weight
    }

    fn admit(&self) -> Result<(), Denied> {
        let (rules, now) = (self.rules(), Now::read());
        if rules.has_day_limits() {
            // What was used before the server began, or before there was a limit, counts too.
            let today = self.observer.usage.today(&self.user);
            let tokens = today.tokens_in.saturating_add(today.tokens_out);
            let used = Used { questions: today.questions, tokens };
            self.limits.seed(&self.user, used, now);
        }
        let admitted = self.limits.admit_question(&self.user, &rules, now);
        admitted.map_err(|reached| {
            let (code, limit) = (Code::LimitReached, Some(reached.limit));
            let refused = Refused { code, field: None, limit, inside: None };
            self.refusals.note(refused, self.address, None);
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
            self.limits.count_tokens(&self.user, &self.rules(), tokens, Now::read());
        }
        self.observer.question_ended(&self.user, question);
    }
}
