use std::{sync::Arc, time::Instant};

use live_vlm_dispatch::{Dispatcher, Member, Want};
use tokio::time::sleep;

use crate::{
    Changes, ChosenModel, Failure, Next, Outcome, QuestionSettings, Subject, question::Questions,
    retries::Retries,
};

/// Asks one question after the other.
#[derive(Debug)]
pub struct Asker {
    questions: Questions,
    member: Option<Member>,
    retries: Retries,
}

impl Asker {
    /// Asks through `dispatcher`, which it joins with the first question. `user` names the asker to
    /// the VLM server, and must say nothing of anybody.
    pub fn new(dispatcher: Dispatcher, chosen: Arc<ChosenModel>, user: String) -> Self {
        let questions = Questions { dispatcher, chosen, user, seq: 0 };
        Self { questions, member: None, retries: Retries::default() }
    }

    /// The number of the newest question; 0 before the first.
    pub fn seq(&self) -> u64 {
        self.questions.seq
    }

    /// Asks one question. Dropping the future cancels it without a word, and frees its slot.
    pub async fn ask<S: Subject>(
        &mut self,
        subject: &mut S,
        changes: &mut Changes,
    ) -> Outcome<S::Clip> {
        changes.question.borrow_and_update();
        let settings = match subject.settings() {
            Ok(settings) => settings,
            Err(failure) => {
                // It may wait already for a turn that nobody would take.
                self.member = None;
                return Outcome::Failed(failure, None);
            }
        };
        let outcome = match join(&self.questions.dispatcher, &mut self.member, &settings) {
            Ok(member) => self.questions.ask(member, &settings, subject, changes).await,
            Err(failure) => Outcome::Failed(failure, None),
        };
        match outcome {
            Outcome::Answered { .. } => self.retries.answered(),
            Outcome::Cancelled | Outcome::Nothing => self.retries.dropped(),
            Outcome::Failed(..) => {}
        }
        outcome
    }

    /// Decides what follows from the failure of a question that may be asked `retries` times again.
    /// Call it once for each [`Outcome::Failed`].
    pub fn failed(&mut self, failure: &Failure, retries: u32) -> Next {
        if failure.is_model_unknown {
            self.questions.chosen.forget();
        }
        self.retries.failed(failure, retries, Instant::now())
    }

    /// Gives up the place in the queue that the last answer has left for the next question
    /// ([`Outcome::Answered`]), if that does not come after all.
    pub fn give_place_up(&mut self) {
        if let Some(member) = &mut self.member {
            drop(member.turn(Want::default(), || {}));
        }
    }

    /// Leaves the VLM alone until it is time to ask again. True if there is reason to do so sooner:
    /// the question has changed, or the server is seen again.
    pub async fn wait_after(&mut self, next: Next, changes: &mut Changes) -> bool {
        let waits_for_server = self.member.as_ref().filter(|_| next.is_servers);
        let back = async {
            match waits_for_server {
                Some(member) => member.back().await,
                None => std::future::pending().await,
            }
        };
        let has_changed = tokio::select! {
            () = sleep(next.after) => false,
            _ = changes.question.changed() => true,
            () = back => true,
        };
        if has_changed {
            self.retries.answered();
        }
        has_changed
    }
}

/// Joins the dispatcher, if it has not for this server and model.
fn join<'a>(
    dispatcher: &Dispatcher,
    member: &'a mut Option<Member>,
    settings: &QuestionSettings,
) -> Result<&'a mut Member, Failure> {
    let QuestionSettings { endpoint, model, .. } = settings;
    if member.as_ref().is_some_and(|member| !member.asks(endpoint, model)) {
        *member = None;
    }
    match member {
        Some(member) => Ok(member),
        None => {
            let joined = dispatcher
                .join(endpoint, model)
                .map_err(|full| Failure::new("full", full.to_string(), true))?;
            Ok(member.insert(joined))
        }
    }
}
