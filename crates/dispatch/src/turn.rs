//! A session's side of the dispatcher: waiting for turns, having one, and saying how it went.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use vlm_client::{AskHeaders, Endpoint, Error, ExtraBody};

use crate::{
    account::{Account, Denied, pseudonym},
    core::{BackendId, MemberId, RouteId, Scope, Verdict},
    notices::Notices,
    report::{QuestionOutcome, QuestionReport},
    scope,
    server::Backend,
    shared::{Shared, now},
    tasks::Tasks,
};

/// What a member holds of its dispatcher.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) id: MemberId,
    pub(crate) route: RouteId,
    pub(crate) user: Option<String>,
    pub(crate) notices: Arc<Notices>,
    pub(crate) account: Option<Arc<dyn Account>>,
    pub(crate) shared: Arc<Shared>,
    /// They run for as long as anybody has joined.
    pub(crate) _tasks: Arc<Tasks>,
}

/// A session that has joined a [`Dispatcher`](crate::Dispatcher). Dropping it leaves, and frees its
/// slot at once.
#[derive(Debug)]
pub struct Member {
    joined: Joined,
    endpoint: Endpoint,
    model: String,
    /// Whether its last turn ended with the wish for the next one.
    waits_already: AtomicBool,
}

/// What kind of turn a member wants.
#[derive(Debug, Clone, Copy, Default)]
pub struct Want {
    /// Somebody waits for it now: it goes before the other questions of the same user, but not
    /// before anybody else's.
    pub urgent: bool,
    /// A backend that has just failed; another is taken if one is up.
    pub avoid: Option<BackendId>,
    /// How long before the expected turn it is told that this is near, at most
    /// [`MOST_NEAR`](crate::MOST_NEAR). `None` = as before, at first
    /// [`CoreConfig::near`](crate::CoreConfig::near).
    pub near: Option<Duration>,
}

/// Why there is no turn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoTurn {
    /// A limit of the user's was reached.
    #[error(transparent)]
    Denied(Denied),
    /// Every server that has the model is left alone because it fails.
    #[error("no VLM server that has the model answers at present{}", because(.reason.as_deref()))]
    Unavailable {
        /// When one is tried again.
        retry_after: Duration,
        /// What was wrong with one of them.
        reason: Option<String>,
    },
}

/// Makes a member that waits for its turn an urgent one.
#[derive(Debug, Clone)]
pub struct UrgencyHandle {
    shared: Arc<Shared>,
    member: MemberId,
}

impl UrgencyHandle {
    /// See [`Want::urgent`]. Nothing happens unless the member waits.
    pub fn make_urgent(&self) {
        self.shared.decide(|state, now| {
            if state.core.is_waiting(self.member) {
                state.core.want(self.member, true, None, now);
            }
        });
    }
}

impl Member {
    pub(crate) fn new(joined: Joined, endpoint: Endpoint, model: String) -> Self {
        Self { joined, endpoint, model, waits_already: AtomicBool::new(false) }
    }

    /// Whether this member asks this server for this model.
    pub fn asks(&self, endpoint: &Endpoint, model: &str) -> bool {
        self.endpoint == *endpoint && self.model == model
    }

    /// For making this member urgent while it waits.
    pub fn urgency(&self) -> UrgencyHandle {
        UrgencyHandle { shared: Arc::clone(&self.joined.shared), member: self.joined.id }
    }

    /// Waits for the next turn. `near` is called when it is expected within [`Want::near`]; never, if
    /// the turn comes at once.
    ///
    /// Dropping the future gives the place in the queue up, polled or not: also the place that the
    /// turn before has left by [`Turn::again`].
    ///
    /// # Errors
    /// When a limit was reached, or no server can be asked.
    pub fn turn<'a, F: FnMut()>(
        &'a mut self,
        want: Want,
        near: F,
    ) -> impl Future<Output = Result<Turn<'a>, NoTurn>> + use<'a, F> {
        let waits_already = self.waits_already.swap(false, Ordering::Relaxed);
        let guard = TurnGuard { member: self };
        async move {
            guard.member.wait_in_line(want, waits_already);
            guard.turn(want, near).await
        }
    }

    /// Takes a place in the queue, unless the turn before has left one.
    fn wait_in_line(&self, want: Want, waits_already: bool) {
        if !waits_already {
            // What is left of an earlier wait.
            let _ = self.joined.notices.take();
        }
        let weight = self.account().map(Account::weight);
        self.joined.shared.decide(|state, now| {
            if let Some(weight) = weight {
                state.core.set_weight(self.joined.id, weight);
            }
            if let Some(near) = want.near {
                state.core.set_near(self.joined.id, near);
            }
            if !waits_already || want.urgent {
                state.core.want(self.joined.id, want.urgent, want.avoid, now);
            }
        });
    }

    /// Waits for the turn, and says where.
    async fn next_backend(&self, mut near: impl FnMut()) -> Result<BackendId, NoTurn> {
        loop {
            let told = self.joined.notices.take();
            if let Some(backend) = told.turn {
                return Ok(backend);
            }
            if let Some(until) = told.unavailable {
                return Err(self.unavailable(until));
            }
            if told.near {
                near();
            }
            self.joined.notices.woken().await;
        }
    }

    /// Waits until a server is seen again that was not there, and that this member may ask: a good
    /// moment to ask for a turn, for those who wait after a failure. Only servers of the pool are
    /// looked after.
    pub async fn back(&self) {
        while !self.joined.notices.take_back() {
            self.joined.notices.woken().await;
        }
    }

    fn account(&self) -> Option<&dyn Account> {
        self.joined.account.as_deref()
    }

    fn server(&self, backend: BackendId) -> Option<(Backend, String)> {
        self.joined.shared.lock().pool.asked(backend, &self.endpoint, &self.model)
    }

    fn is_stranger(&self) -> bool {
        self.joined.shared.lock().pool.is_stranger(&self.endpoint)
    }

    fn unavailable(&self, until: Instant) -> NoTurn {
        let now = now();
        let state = self.joined.shared.lock();
        NoTurn::Unavailable {
            retry_after: until.saturating_duration_since(now),
            reason: state.pool.last_error(&state.core.backends_of(self.joined.route), &self.model),
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.joined.shared.decide(|state, now| {
            state.core.leave(self.joined.id, now);
            state.members.remove(&self.joined.id);
            state.count_user(self.joined.user.as_deref(), -1);
            state.pool.forget_unused(&mut state.core, self.joined.route);
        });
    }
}

/// A place in the queue, or a slot. Dropping it gives either up.
#[derive(Debug)]
struct TurnGuard<'a> {
    member: &'a Member,
}

impl<'a> TurnGuard<'a> {
    /// Waits for the turn, and admits the question.
    async fn turn(self, want: Want, near: impl FnMut()) -> Result<Turn<'a>, NoTurn> {
        let wanted = now();
        let member = self.member;
        let backend = member.next_backend(near).await?;
        // What goes to another server after a failure is the same question.
        if let Some(account) = member.account().filter(|_| want.avoid.is_none()) {
            account.admit().map_err(NoTurn::Denied)?;
        }
        let Some((server, model)) = member.server(backend) else {
            // Forgotten between the turn and now, which only happens to those who left.
            return Err(member.unavailable(wanted));
        };
        let report = QuestionReport {
            backend: server.endpoint.base().to_owned(),
            model,
            outcome: QuestionOutcome::Nothing,
            wanted,
            began: now(),
            sent: None,
            first_token: None,
            ended: wanted,
            captured: None,
            tokens_in: 0,
            tokens_out: 0,
        };
        let is_stranger = member.is_stranger();
        Ok(Turn { guard: self, backend, server, report, failure: None, again: false, is_stranger })
    }

    fn give_up(&self, verdict: Verdict, tokens: Option<u64>) {
        let id = self.member.joined.id;
        self.member.joined.shared.decide(|state, now| state.core.rest(id, verdict, tokens, now));
    }
}

impl Drop for TurnGuard<'_> {
    fn drop(&mut self) {
        if !self.member.waits_already.load(Ordering::Relaxed) {
            self.give_up(Verdict::Unknown, None);
        }
    }
}

/// The right to ask one question now. Dropping it frees the slot; what was said of the question
/// until then is what counts.
#[derive(Debug)]
#[must_use = "dropping a turn gives it up"]
pub struct Turn<'a> {
    guard: TurnGuard<'a>,
    backend: BackendId,
    server: Backend,
    report: QuestionReport,
    failure: Option<Error>,
    again: bool,
    /// Whether a server of the pool is asked with another key than the pool's.
    is_stranger: bool,
}

impl Turn<'_> {
    /// The server to ask.
    pub fn endpoint(&self) -> &Endpoint {
        &self.server.endpoint
    }

    /// Which of the dispatcher's servers that is, for [`Want::avoid`].
    pub fn backend(&self) -> BackendId {
        self.backend
    }

    /// The model to ask it for; empty if the member named none and none is known.
    pub fn model(&self) -> &str {
        &self.report.model
    }

    /// What else goes with the question.
    pub fn headers(&self) -> AskHeaders {
        let account = self.guard.member.account();
        AskHeaders {
            fairness_id: account
                .filter(|_| self.server.fairness_header)
                .map(|account| pseudonym(account.user())),
            objective: self.server.objective.clone(),
        }
    }

    /// Fields for the request, under those of whoever asks.
    pub fn extra(&self) -> &ExtraBody {
        &self.server.extra
    }

    /// Whether another server could answer now if this one does not.
    pub fn has_other(&self) -> bool {
        let (id, backend) = (self.guard.member.joined.id, self.backend);
        let now = now();
        self.guard.member.joined.shared.lock().core.has_other(id, backend, now)
    }

    /// The question is being sent, to this model, about a frame of this moment.
    pub fn sent(&mut self, model: &str, captured: Instant) {
        model.clone_into(&mut self.report.model);
        let now = now();
        self.report.sent = Some(now);
        self.report.captured = Some(captured);
        self.report.outcome = QuestionOutcome::Cancelled;
        let joined = &self.guard.member.joined;
        joined.shared.lock().core.sent(joined.id, now);
    }

    /// A token came.
    pub fn token(&mut self) {
        if self.report.first_token.is_none() {
            let now = now();
            self.report.first_token = Some(now);
            let joined = &self.guard.member.joined;
            joined.shared.lock().core.first_token(joined.id, now);
        }
        self.report.tokens_out += 1;
    }

    /// The answer is complete; the counts are the server's, if it counts.
    pub fn answered(&mut self, tokens_in: Option<u64>, tokens_out: Option<u64>) {
        self.report.outcome = QuestionOutcome::Answered;
        self.report.tokens_in = tokens_in.unwrap_or(0);
        self.report.tokens_out = tokens_out.unwrap_or(self.report.tokens_out);
    }

    /// The member will call [`Member::turn`] again as soon as this turn has ended. Its place in the
    /// queue is then taken before the slot goes to somebody else.
    pub fn again(&mut self) {
        self.again = true;
    }

    /// There will be no (whole) answer.
    pub fn failed(&mut self, error: &Error) {
        self.report.outcome = QuestionOutcome::Failed { kind: error.kind.name() };
        self.failure = Some(error.clone());
    }

    /// Something of ours failed.
    pub fn failed_here(&mut self, kind: &'static str) {
        self.report.outcome = QuestionOutcome::Failed { kind };
    }

    fn verdict(&self) -> Verdict {
        let scope = self.failure.as_ref().and_then(scope::of);
        match (scope, self.report.outcome) {
            // Said to another key than the pool's, what is wrong with a model concerns nobody but
            // whoever brought it.
            (Some(Scope::Model), _) if self.is_stranger => Verdict::Unknown,
            // A server that had begun may have been given too much to say.
            (Some(scope), _) if self.report.first_token.is_none() => {
                let retry_after = self.failure.as_ref().and_then(Error::retry_after);
                Verdict::Bad { scope, retry_after }
            }
            (None, QuestionOutcome::Answered) => Verdict::Good,
            _ => Verdict::Unknown,
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let verdict = self.verdict();
        let tokens = Some(self.report.tokens_out);
        let shared = &self.guard.member.joined.shared;
        let failure = self.failure.take().filter(|_| matches!(verdict, Verdict::Bad { .. }));
        if failure.is_some() || verdict == Verdict::Good {
            let model = self.report.model.as_str();
            shared.lock().pool.failed(self.backend, model, failure.as_ref());
        }
        if self.again {
            let member = self.guard.member;
            member.waits_already.store(true, Ordering::Relaxed);
            let _ = member.joined.notices.take();
            shared.decide(|state, now| {
                state.core.rest_and_want(member.joined.id, verdict, tokens, now);
            });
        } else {
            self.guard.give_up(verdict, tokens);
        }
        self.report.ended = now();
        if let Some(account) = self.guard.member.account() {
            account.ended(&self.report);
        }
    }
}

fn because(reason: Option<&str>) -> String {
    reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}
