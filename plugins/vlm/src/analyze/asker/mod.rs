//! The asking task: one per start of the element. It waits until it is time to ask ([`frames`]),
//! asks by itself ([`questions`]), and leaves a VLM alone that fails. Where somebody else asks, it
//! says what there is to ask about ([`remote`]).

mod ahead;
mod frames;
mod novelty;
mod pictures;
mod questions;
mod remote;
mod report;
mod source;

use std::{sync::Arc, time::Duration};

use gst::glib;
use gst_vlm_overlay::OverlayMode;
use live_vlm_ask::{Asker, Changes, Failure, Next, Outcome};
use tokio::{task::AbortHandle, time::timeout};

use self::{
    frames::Frames, questions::Questions, remote::RemoteTask, report::Reporter, source::Source,
};
use super::{
    category::CAT,
    inbox::SharedInbox,
    sample::Clip,
    settings::{Busy, ErrorPolicy},
    shared::{Run, Shared},
    text::Captions,
};
use crate::{context::Way, messages::AnswerError};

/// The stream is not held for longer than this for the text over its picture.
const LONGEST_DRAWING: Duration = Duration::from_secs(1);

/// What one start of the element asks with.
pub(super) struct Start {
    pub(super) element: glib::WeakRef<gst::Element>,
    pub(super) shared: Arc<Shared>,
    pub(super) run: Arc<Run>,
    pub(super) inbox: SharedInbox,
    pub(super) captions: Arc<Captions>,
    pub(super) way: Way,
}

/// Asks by itself.
struct AskingTask {
    shared: Arc<Shared>,
    inbox: SharedInbox,
    asker: Asker,
    questions: Questions,
}

impl Drop for AskingTask {
    /// Whoever waits for an answer is let go, whatever the reason that none will come.
    fn drop(&mut self) {
        self.inbox.close();
        if std::thread::panicking() {
            gst::error!(CAT, "The asking task has panicked; nothing is asked until the next start");
        }
    }
}

impl Start {
    /// Begins to ask, on the runtime of whatever it asks with.
    pub(super) fn spawn(self) -> AbortHandle {
        let Self { element, shared, run, inbox, captions, way } = self;
        let remote = match &way {
            Way::Remote(remote) => Some(remote.clone()),
            Way::Dispatcher(_) => None,
        };
        let source = Source::new(element.clone(), Arc::clone(&inbox), remote);
        let frames = Frames::new(Arc::clone(&shared), Arc::clone(&run), Arc::clone(&inbox), source);
        match way {
            Way::Remote(remote) => {
                let runtime = remote.runtime().clone();
                let task = RemoteTask { element, shared, run, inbox, frames, remote };
                runtime.spawn(task.run()).abort_handle()
            }
            Way::Dispatcher(dispatcher) => {
                let runtime = dispatcher.runtime().clone();
                let asker = Asker::new(dispatcher, Arc::clone(&shared.chosen), shared.user.clone());
                let reporter =
                    Reporter { element, inbox: Arc::clone(&inbox), run: Arc::clone(&run) };
                let questions = Questions {
                    shared: Arc::clone(&shared),
                    run,
                    inbox: Arc::clone(&inbox),
                    captions,
                    reporter,
                    frames,
                    settings: shared.settings(),
                    told: None,
                };
                let task = AskingTask { shared, inbox, asker, questions };
                runtime.spawn(task.run()).abort_handle()
            }
        }
    }
}

impl AskingTask {
    async fn run(mut self) {
        let mut changes = self.shared.signals.changes();
        let mut again = false;
        loop {
            if !again {
                self.questions.frames.next_moment(&mut changes).await;
            }
            let outcome = self.asker.ask(&mut self.questions, &mut changes).await;
            again = matches!(outcome, Outcome::Answered { again: true });
            match outcome {
                Outcome::Answered { .. } => self.follow_answer().await,
                Outcome::Cancelled => {
                    self.questions.frames.source.ask_at_once();
                    self.questions.frames.missed();
                }
                Outcome::Nothing => {}
                Outcome::Failed(failure, clip) => {
                    if !self.follow_failure(failure, clip, &mut changes).await {
                        return;
                    }
                }
            }
            self.inbox.settle();
            if self.inbox.has_failed() {
                return;
            }
        }
    }

    async fn follow_answer(&mut self) {
        self.questions.frames.answered();
        self.let_text_be_drawn().await;
        if let Some(answer) = self.questions.told.take() {
            self.questions.reporter.emit_answer(answer).await;
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
        changes: &mut Changes,
    ) -> bool {
        let (policy, busy, on_demand, retries) =
            self.shared.with_settings(|s| (s.error_policy, s.busy, s.on_demand, s.retries));
        let next = self.asker.failed(&failure, retries);
        if next.retry && failure.limit.is_none() {
            self.questions.run.count(|counters| counters.retries += 1);
        }
        self.questions.frames.missed();
        let holds = next.retry && busy == Busy::Wait && !on_demand;
        if let Some(clip) = clip.filter(|_| holds) {
            // Whoever waits for its answer goes on waiting.
            self.inbox.put_back(*clip, true);
        }
        let message = failure.message.clone();
        // Before anybody is let go who waits: the stream's end must not overtake it.
        self.tell_failure(failure, next);
        if !next.retry && policy == ErrorPolicy::Fail {
            self.questions.reporter.fail(&message);
            return false;
        }
        if holds {
            self.inbox.settle();
        } else {
            self.inbox.back_off();
        }
        let has_changed = self.asker.wait_after(next, changes).await;
        self.inbox.settle();
        if next.retry || has_changed {
            self.questions.frames.source.ask_at_once();
            // The sample is gone and the next one may be far: the next frame will do.
            if !on_demand && !self.inbox.is_pending() {
                self.inbox.want();
            }
        }
        true
    }

    fn tell_failure(&self, failure: Failure, next: Next) {
        if !next.is_told {
            return;
        }
        self.questions.reporter.tell(&AnswerError {
            seq: self.asker.seq(),
            kind: failure.kind.into(),
            message: failure.message,
            retry_in_ms: u64::try_from(next.after.as_millis()).unwrap_or(u64::MAX),
            limit: failure.limit,
            text: String::new(),
        });
    }
}
