//! The asking task: one per start of the element. It waits until it is time to ask, asks
//! ([`question`]), and leaves a VLM alone that fails.

mod changes;
mod failure;
mod millis;
mod novelty;
mod question;
mod report;
mod source;
mod writing;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use gst::glib;
use gst_vlm_overlay::OverlayMode;
use live_vlm_dispatch::{Dispatcher, Member};
use tokio::time::{sleep, timeout};

use self::{
    changes::Changes,
    failure::Failure,
    millis::millis,
    novelty::Novelty,
    question::{Answered, Outcome, Questions},
    report::Reporter,
    source::Source,
};
use super::{
    backoff::Backoff,
    category::CAT,
    inbox::SharedInbox,
    sample::Clip,
    settings::{Busy, ErrorPolicy},
    shared::{Run, Shared},
    text::Captions,
};
use crate::messages::AnswerError;

/// The stream is not held for longer than this for the text over its picture.
const LONGEST_DRAWING: Duration = Duration::from_secs(1);
/// How often a user is told of a limit that keeps being reached.
const LIMIT_REMINDER: Duration = Duration::from_secs(30);

/// What one start of the element asks with.
pub(super) struct Start {
    pub(super) element: glib::WeakRef<gst::Element>,
    pub(super) shared: Arc<Shared>,
    pub(super) run: Arc<Run>,
    pub(super) inbox: SharedInbox,
    pub(super) captions: Arc<Captions>,
    pub(super) dispatcher: Dispatcher,
}

pub(super) struct Asker {
    shared: Arc<Shared>,
    inbox: SharedInbox,
    questions: Questions,
    backoff: Backoff,
    /// When a limit that was reached was last told of.
    told_limit: Option<Instant>,
    /// How often the question at hand was asked again.
    retried: u32,
}

impl Drop for Asker {
    /// Whoever waits for an answer is let go, whatever the reason that none will come.
    fn drop(&mut self) {
        self.inbox.close();
        if std::thread::panicking() {
            gst::error!(CAT, "The asking task has panicked; nothing is asked until the next start");
        }
    }
}

impl Asker {
    pub(super) fn new(start: Start) -> Self {
        let Start { element, shared, run, inbox, captions, dispatcher } = start;
        let reporter =
            Reporter { element: element.clone(), inbox: Arc::clone(&inbox), run: Arc::clone(&run) };
        let questions = Questions {
            shared: Arc::clone(&shared),
            source: Source::new(element, Arc::clone(&inbox)),
            novelty: Novelty::new(Arc::clone(&run)),
            run,
            inbox: Arc::clone(&inbox),
            captions,
            dispatcher,
            reporter,
            urgent: false,
            seq: 0,
        };
        let (backoff, told_limit, retried) = (Backoff::default(), None, 0);
        Self { shared, inbox, questions, backoff, told_limit, retried }
    }

    pub(super) async fn run(mut self) {
        let mut changes = Changes::of(&self.shared);
        let mut member = None;
        let mut again = false;
        loop {
            if !again {
                if !self.wait_for_moment(&mut changes).await {
                    // The stream has ended; a flush or a new one may follow. A sample from before
                    // the source was asked on demand is not asked about any more.
                    self.inbox.give_up();
                    let _ = changes.schedule.changed().await;
                    continue;
                }
                if self.passes_over() {
                    continue;
                }
            }
            let outcome = self.questions.ask(&mut member, &mut changes).await;
            again = matches!(outcome, Outcome::Answered(Answered { again: true, .. }));
            if let Outcome::Failed(failure, clip) = outcome {
                let member = member.as_ref();
                if !self.follow_failure(failure, clip, member, &mut changes).await {
                    return;
                }
            } else {
                self.follow(outcome).await;
            }
            self.inbox.settle();
            if self.inbox.has_failed() {
                return;
            }
        }
    }

    /// Waits until it is time to ask; false when the stream has ended.
    async fn wait_for_moment(&mut self, changes: &mut Changes) -> bool {
        loop {
            changes.schedule.borrow_and_update();
            let (asks, on_demand, interval) = self
                .shared
                .with_settings(|settings| (settings.ask, settings.on_demand, settings.interval));
            if !asks {
                self.wait_until_asked(changes).await;
                continue;
            }
            let moment = async {
                match on_demand {
                    true => self.questions.source.next(interval).await,
                    false => self.inbox.due().await.is_some(),
                }
            };
            tokio::select! {
                frames_come = moment => return frames_come,
                _ = changes.question.changed() => self.questions.novelty.look_anyway = true,
                _ = changes.now.changed() => self.questions.urgent = true,
                _ = changes.schedule.changed() => continue,
            }
            if !on_demand {
                self.inbox.want();
            } else if self.questions.source.sends() {
                return true;
            }
        }
    }

    /// Nothing is to be asked. Waits until that may have changed.
    async fn wait_until_asked(&self, changes: &mut Changes) {
        // Whoever left a sample just now, and may be held for it, is let go.
        self.inbox.give_up();
        tokio::select! {
            _ = changes.schedule.changed() => {}
            Some(()) = self.inbox.due() => {}
        }
        changes.now.borrow_and_update();
        let (asks, on_demand) = self.shared.with_settings(|s| (s.ask, s.on_demand));
        if asks && !on_demand {
            self.inbox.want();
        }
    }

    /// Passes the sample that is due over if it looks like the one that was asked about last.
    fn passes_over(&mut self) -> bool {
        let (min_change, on_demand) =
            self.shared.with_settings(|settings| (settings.min_change, settings.on_demand));
        let Questions { novelty, urgent, .. } = &mut self.questions;
        let looks = min_change > 0.0 && !on_demand && !*urgent && !novelty.look_anyway;
        if !looks || !novelty.has_seen() {
            return false;
        }
        let Some(sample) = self.inbox.peek() else { return false };
        let now = novelty.thumbnail(&sample.frame);
        let passes = now.is_some_and(|now| novelty.is_old(&now, min_change));
        if passes {
            // One that has come meanwhile is looked at next.
            self.inbox.pass_over(sample.arrived);
        }
        passes
    }

    /// What follows from a question that did not fail.
    async fn follow(&mut self, outcome: Outcome) {
        self.retried = 0;
        match outcome {
            Outcome::Answered(Answered { told, .. }) => {
                self.backoff.reset();
                self.questions.urgent = false;
                self.questions.novelty.look_anyway = false;
                self.let_text_be_drawn().await;
                if let Some(answer) = told {
                    self.questions.reporter.emit_answer(answer).await;
                }
            }
            Outcome::Cancelled => {
                self.questions.source.ask_at_once();
                self.questions.novelty.look_anyway = true;
            }
            Outcome::Nothing | Outcome::Failed(..) => {}
        }
    }

    /// A frame that is held for its answer leaves with all of it over the picture.
    async fn let_text_be_drawn(&self) {
        let holds = self.shared.with_settings(|settings| {
            settings.busy == Busy::Wait && settings.overlay.mode != OverlayMode::Off
        });
        if holds {
            let _ = timeout(LONGEST_DRAWING, self.questions.run.overlay_text.up_to_date()).await;
        }
    }

    /// Tells of a failure, and waits until it is time to ask again; false if that is never.
    async fn follow_failure(
        &mut self,
        failure: Failure,
        clip: Option<Box<Clip>>,
        member: Option<&Member>,
        changes: &mut Changes,
    ) -> bool {
        let is_servers = failure.is_servers;
        let (policy, busy, on_demand) =
            self.shared.with_settings(|s| (s.error_policy, s.busy, s.on_demand));
        let retry = self.is_retried(&failure);
        let message = failure.message.clone();
        self.questions.novelty.look_anyway = true;
        let holds = retry && busy == Busy::Wait && !on_demand;
        if let Some(clip) = clip.filter(|_| holds) {
            // Whoever waits for its answer goes on waiting.
            self.inbox.put_back(*clip, true);
        }
        let retry_in = self.tell_failure(failure);
        if !retry && policy == ErrorPolicy::Fail {
            self.questions.reporter.fail(&message);
            return false;
        }
        if holds {
            self.inbox.settle();
        } else {
            self.inbox.back_off();
        }
        let has_changed =
            wait_after_failure(retry_in, member.filter(|_| is_servers), changes).await;
        if has_changed {
            self.backoff.reset();
            self.retried = 0;
        }
        self.inbox.settle();
        if retry || has_changed {
            self.questions.source.ask_at_once();
            // The sample is gone and the next one may be far: the next frame will do.
            if !on_demand && !self.inbox.is_pending() {
                self.inbox.want();
            }
        }
        true
    }

    /// Whether the question is asked again. Counts it.
    fn is_retried(&mut self, failure: &Failure) -> bool {
        if failure.limit.is_some() {
            self.retried = 0;
            return true;
        }
        let retries = self.shared.with_settings(|settings| settings.retries);
        let retry = failure.passing && failure.same_frame && self.retried < retries;
        if retry {
            self.retried += 1;
            self.questions.run.count(|counters| counters.retries += 1);
        } else {
            self.retried = 0;
        }
        retry
    }

    /// Tells of a failure; returns when to ask again.
    fn tell_failure(&mut self, failure: Failure) -> Duration {
        let retry_in = self.backoff.after_failure(failure.passing, failure.retry_after);
        if failure.limit.is_some() {
            // Whoever wants more than the limit reaches it with every question.
            let told = self.told_limit.replace(Instant::now());
            if let Some(at) = told.filter(|at| at.elapsed() < LIMIT_REMINDER) {
                self.told_limit = Some(at);
                return retry_in;
            }
        }
        if failure.is_model_unknown {
            self.shared.forget_chosen_model();
        }
        // Before anybody is let go who waits: the stream's end must not overtake it.
        self.questions.reporter.tell(&AnswerError {
            seq: self.questions.seq,
            kind: failure.kind.into(),
            message: failure.message,
            retry_in_ms: millis(retry_in),
            limit: failure.limit,
            text: String::new(),
        });
        retry_in
    }
}

/// Waits until it is time to ask again, or there is reason to do so at once: then it is true.
async fn wait_after_failure(
    retry_in: Duration,
    waits_for_server: Option<&Member>,
    changes: &mut Changes,
) -> bool {
    let back = async {
        match waits_for_server {
            Some(member) => member.back().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = sleep(retry_in) => false,
        _ = changes.question.changed() => true,
        () = back => true,
    }
}
