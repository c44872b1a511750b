//! Somebody else who asks for an element: the element has the frames, and whoever asks has the VLM
//! servers, the keys and the prompt, perhaps in another process.
//!
//! An application makes a [`RemoteAsker`] for each `vlmanalyze`, and sets its
//! [`context`](crate::context::remote_context) on the element's pipeline before that leaves NULL. The
//! element then asks nobody. It says what it has ([`FromElement`]), and hears when to choose a frame:
//!
//! ```text
//! element                                asker
//!   Want                   ->
//!                          <-            turn_near, perhaps
//!                          <-            turn
//!   Question or NoQuestion ->
//!                          <-            ended
//! ```
//!
//! Of a source that gives [frames on demand](RemoteAsker::set_frames_on_demand), the element asks for
//! a frame by [`FromElement::FrameWanted`] whenever it needs one, and elsewhere by a key-frame
//! request upstream.
//!
//! Each want gets exactly one `ended`, also after [`FromElement::GiveUp`], `NoQuestion`, or without a
//! turn. Only after it comes the next want. After a failure, the asker waits as long as it thinks
//! right before it says `ended`.
//!
//! Locking order: the mutex is a leaf; nothing is told while it is held.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

pub use live_vlm_media_link::{NothingToAsk, Outcome};
use tokio::{
    runtime::Handle,
    sync::{Notify, OwnedMutexGuard},
};

use crate::lock::lock;

/// What an element says to whoever asks for it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum FromElement {
    /// It is time to ask, and there is something to ask about, or would be on demand.
    Want {
        /// Whether somebody waits for the answer.
        urgent: bool,
        /// How long before the turn it is of use to say that this is near: about as long as a frame
        /// takes to come that is asked for, at most 1 s.
        lead: Duration,
    },
    /// Frames are wanted, now, of a source that gives them on demand. They are wanted again if they
    /// do not come.
    FrameWanted {
        /// How many, 1 to 64.
        frames: u32,
        /// The time between two of them, at most a minute.
        spacing: Duration,
    },
    /// The want is void.
    GiveUp,
    /// What to ask about, on a turn; oldest first.
    Question(Vec<Picture>),
    /// There is nothing to ask about on this turn.
    NoQuestion(NothingToAsk),
}

/// A picture of a question.
#[derive(Clone)]
pub struct Picture {
    /// The JPEG.
    pub jpeg: Arc<Vec<u8>>,
    /// Words that the model reads before it, as several pictures need them to be told apart; else
    /// empty.
    pub label: String,
    /// When its frame was captured, as well as that is known here.
    pub captured: Instant,
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({} bytes)", self.jpeg.len())
    }
}

/// Asks for one element at a time; another that is given the same waits until that has stopped.
/// Cheap to clone.
#[derive(Clone)]
pub struct RemoteAsker(Arc<Inner>);

struct Inner {
    runtime: Handle,
    tell: Box<dyn Fn(FromElement) + Send + Sync>,
    frames_on_demand: AtomicBool,
    /// Held by the asking task that may speak.
    claim: Arc<tokio::sync::Mutex<()>>,
    state: Mutex<State>,
    /// For the asking task: the state has changed.
    changed: Notify,
}

/// What is between a want and its end. It outlives the element's start.
#[derive(Debug, Default)]
struct State {
    want: Want,
    is_near: bool,
    has_turn: bool,
    ended: Option<Outcome>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Want {
    #[default]
    None,
    Wanted,
    GivenUp,
}

/// What the asking task hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    Near,
    Turn,
    Ended(Outcome),
}

impl fmt::Debug for RemoteAsker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RemoteAsker").field(&self.state()).finish()
    }
}

impl RemoteAsker {
    /// `tell` is called from a task on `runtime`, which must run for as long as the element: it must
    /// not block.
    pub fn new(runtime: &Handle, tell: impl Fn(FromElement) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            runtime: runtime.clone(),
            tell: Box::new(tell),
            frames_on_demand: AtomicBool::new(false),
            claim: Arc::default(),
            state: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// Whether the source sends a frame when it hears that one is wanted, and none else. Default:
    /// no. Set it before the element's property `on-demand`, which it is of use with only.
    pub fn set_frames_on_demand(&self, on_demand: bool) {
        self.0.frames_on_demand.store(on_demand, Ordering::Relaxed);
    }

    /// The turn comes soon: the element is to have a fresh frame.
    pub fn turn_near(&self) {
        self.hear(|state| state.is_near = true);
    }

    /// The element is to choose a frame now, and to say `Question` or `NoQuestion`. It says nothing
    /// if it has given up.
    pub fn turn(&self) {
        self.hear(|state| state.has_turn = true);
    }

    /// That was all for the want.
    pub fn ended(&self, outcome: Outcome) {
        self.hear(|state| state.ended = Some(outcome));
    }

    /// What comes without a want is forgotten with the next one.
    fn hear(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.0.changed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }
}

/// The asking task's side.
impl RemoteAsker {
    pub(crate) fn runtime(&self) -> &Handle {
        &self.0.runtime
    }

    /// Waits until no other task speaks, nor is a want of one before open.
    pub(crate) async fn claim(&self) -> OwnedMutexGuard<()> {
        let claim = Arc::clone(&self.0.claim).lock_owned().await;
        while self.state().want != Want::None {
            if let Heard::Ended(_) = self.heard().await {
                break;
            }
        }
        claim
    }

    pub(crate) fn gives_frames_on_demand(&self) -> bool {
        self.0.frames_on_demand.load(Ordering::Relaxed)
    }

    pub(crate) fn want_frames(&self, frames: u32, spacing: Duration) {
        (self.0.tell)(FromElement::FrameWanted { frames, spacing });
    }

    pub(crate) fn want(&self, urgent: bool, lead: Duration) {
        *self.state() = State { want: Want::Wanted, ..State::default() };
        (self.0.tell)(FromElement::Want { urgent, lead });
    }

    /// Says once that the want is void, if there is one.
    pub(crate) fn give_up(&self) {
        {
            let mut state = self.state();
            if state.want != Want::Wanted || state.ended.is_some() {
                return;
            }
            state.want = Want::GivenUp;
        }
        (self.0.tell)(FromElement::GiveUp);
    }

    /// Answers a turn. It may cross with an end.
    pub(crate) fn answer(&self, question: Result<Vec<Picture>, NothingToAsk>) {
        (self.0.tell)(match question {
            Ok(pictures) => FromElement::Question(pictures),
            Err(why) => FromElement::NoQuestion(why),
        });
    }

    /// The next thing that is heard. An end comes before all else.
    pub(crate) async fn heard(&self) -> Heard {
        loop {
            if let Some(heard) = self.state().heard() {
                return heard;
            }
            self.0.changed.notified().await;
        }
    }
}

impl State {
    fn heard(&mut self) -> Option<Heard> {
        if let Some(outcome) = self.ended {
            *self = Self::default();
            return Some(Heard::Ended(outcome));
        }
        if std::mem::take(&mut self.has_turn) {
            self.is_near = false;
            return Some(Heard::Turn);
        }
        std::mem::take(&mut self.is_near).then_some(Heard::Near)
    }
}
