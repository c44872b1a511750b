//! Asks a VLM about one video: a task gives the video's media process its turns, asks about the
//! pictures that come of them, and tells the session of the answers.

mod task;
mod video;

use std::{sync::Arc, time::Duration};

use live_vlm_ask::{Answer, Asker, ChosenModel, QuestionSettings, Signals};
use live_vlm_dispatch::Dispatcher;
use live_vlm_media_processes::Turns;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;
use vlm_client::Endpoint;

use self::video::Video;
use super::answers::AnswerError;

/// What a video is asked about, and when.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AskSettings {
    pub(super) endpoint: Endpoint,
    pub(super) model: String,
    pub(super) prompt: String,
    pub(super) system_prompt: String,
    pub(super) max_tokens: u32,
    pub(super) interval: Duration,
    /// Whether a question about the same picture may be passed over.
    pub(super) only_changes: bool,
    pub(super) asks: bool,
}

/// What becomes of the questions.
#[derive(Debug)]
pub(super) enum AskEvent {
    /// An answer, as far as it is written.
    Answer(Box<Answer>),
    /// A question has failed.
    Failed(AnswerError),
}

/// The asking task of one video. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Asking {
    settings: watch::Sender<AskSettings>,
    signals: Signals,
    _task: AbortOnDropHandle<()>,
}

impl Asking {
    /// Begins to ask. `tell` must not block.
    pub(super) fn start(
        turns: Turns,
        dispatcher: Dispatcher,
        chosen: Arc<ChosenModel>,
        settings: AskSettings,
        tell: impl Fn(AskEvent) + Send + Sync + 'static,
    ) -> Self {
        let (settings, current) = watch::channel(settings);
        let signals = Signals::default();
        let changes = signals.changes();
        // Says nothing of anybody.
        let asker = Asker::new(dispatcher, chosen, Uuid::new_v4().to_string());
        let about = Video::new(current, Box::new(tell));
        let task = tokio::spawn(task::ask_on(turns, asker, about, changes));
        Self { settings, signals, _task: AbortOnDropHandle::new(task) }
    }

    /// Changes what is asked. An answer to something else is worth nothing any more.
    pub(super) fn change(&self, settings: AskSettings) {
        let before = self.settings.borrow().clone();
        let schedule = |of: &AskSettings| (of.asks, of.interval, of.only_changes);
        let is_rescheduled = schedule(&before) != schedule(&settings);
        let is_another = !before.asks_the_same_as(&settings);
        self.settings.send_replace(settings);
        if is_rescheduled {
            self.signals.schedule_changed();
        }
        if is_another {
            self.signals.question_changed();
        }
    }

    /// Somebody waits for the next question.
    pub(super) fn ask_now(&self) {
        self.signals.wanted_now();
    }
}

impl AskSettings {
    fn asks_the_same_as(&self, other: &Self) -> bool {
        self.endpoint == other.endpoint
            && self.model == other.model
            && self.prompt == other.prompt
            && self.system_prompt == other.system_prompt
            && self.max_tokens == other.max_tokens
    }

    fn question(&self) -> QuestionSettings {
        QuestionSettings {
            model: self.model.clone(),
            system_prompt: self.system_prompt.clone(),
            max_tokens: self.max_tokens,
            ..QuestionSettings::new(self.endpoint.clone(), self.prompt.clone())
        }
    }
}
