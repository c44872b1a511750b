//! Asks a VLM for one session: a task waits until there is something to ask about, asks for a turn,
//! and tells the session of the answers. What it asks about comes from a media process, or from the
//! page as pictures. When one takes the place of the other, the question that is asked goes on.

mod picture;
mod pictures;
mod questioner;
mod replacement;
mod task;
mod telling;
mod video;
mod watching;

use std::{sync::Arc, time::Duration};

use live_vlm_ask::{Answer, Asker, ChosenModel, QuestionSettings, Signals};
use live_vlm_dispatch::Dispatcher;
use live_vlm_media_processes::Turns;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;
use vlm_client::Endpoint;

pub(super) use self::picture::{Picture, PictureSource};
use self::{questioner::Questioner, replacement::Replacement, telling::Telling};
use super::answers::{AnswerError, Piece};

/// What a session is asked about, and when.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AskSettings {
    pub(super) endpoint: Endpoint,
    pub(super) model: String,
    pub(super) prompt: String,
    pub(super) system_prompt: String,
    pub(super) max_tokens: u32,
    pub(super) interval: Duration,
    /// A picture older than this is not asked about; 0 = off.
    pub(super) max_age: Duration,
    /// A question is passed over while a smaller share of the picture has changed; 0 = off.
    pub(super) min_change: f64,
    pub(super) asks: bool,
}

/// What there is to ask about.
#[derive(Debug)]
pub(super) enum Source {
    /// A video, whose media process says when.
    Video(Turns),
    /// Pictures that the page sends.
    Pictures(PictureSource),
    /// Nothing for now.
    Nothing,
}

/// What becomes of the questions.
#[derive(Debug)]
pub(super) enum AskEvent {
    /// An answer has gained something.
    Piece(Piece),
    /// An answer that is complete, or will not be.
    Answer(Box<Answer>),
    /// A question has failed.
    Failed(AnswerError),
    /// The page is to send a picture.
    PictureWanted,
    /// A question was passed over, as nothing has changed.
    Unchanged,
}

/// The asking task of a session. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Asking {
    settings: watch::Sender<AskSettings>,
    signals: Signals,
    replacement: Arc<Replacement>,
    _task: AbortOnDropHandle<()>,
}

impl Asking {
    /// Begins to ask. `tell` must not block.
    pub(super) fn start(
        source: Source,
        dispatcher: Dispatcher,
        chosen: Arc<ChosenModel>,
        settings: AskSettings,
        tell: impl Fn(AskEvent) + Send + Sync + 'static,
    ) -> Self {
        let (settings, current) = watch::channel(settings);
        let signals = Signals::default();
        let replacement = Arc::<Replacement>::default();
        let questioner = Questioner {
            // Says nothing of anybody.
            asker: Asker::new(dispatcher, chosen, Uuid::new_v4().to_string()),
            telling: Telling::new(tell),
            settings: current,
            changes: signals.changes(),
            replacement: Arc::clone(&replacement),
        };
        let task = AbortOnDropHandle::new(tokio::spawn(task::ask_on(source, questioner)));
        Self { settings, signals, replacement, _task: task }
    }

    /// Asks about something else from now on. The question that is asked goes on to its end; one
    /// that waits for its turn does not. To be called before the former source ends.
    pub(super) fn replace(&self, source: Source) {
        self.replacement.put(source);
    }

    /// Changes what is asked. An answer to something else is worth nothing any more.
    pub(super) fn change(&self, settings: AskSettings) {
        let before = self.settings.borrow().clone();
        let schedule = |of: &AskSettings| (of.asks, of.interval, of.max_age, of.min_change);
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
