//! A connection's side of asking: it wants a turn, is given one, and says what to ask about.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use live_vlm_media_link::{NothingToAsk, Outcome, ToMedia};
use tokio::sync::mpsc;

use crate::{
    ask::{Question, Said},
    commands::Handle,
};

/// Where a connection tells that it wants to ask.
///
/// ```no_run
/// # use live_vlm_media_processes::{Outcome, Turns};
/// # async fn dispatcher_gives_a_turn() {}
/// # async fn ask(_: live_vlm_media_processes::Question) {}
/// # async fn example(mut turns: Turns) {
/// while let Some(mut want) = turns.want().await {
///     // Whoever waits for a turn in vain leaves the queue.
///     tokio::select! {
///         () = dispatcher_gives_a_turn() => {}
///         () = want.given_up() => continue,
///     }
///     if let Ok(question) = want.turn().await {
///         ask(question).await;
///     }
///     want.end(Outcome::Done);
/// }
/// # }
/// ```
pub struct Turns {
    handle: Handle,
    asks: mpsc::Receiver<Said>,
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turns").field("connection", &self.handle.connection).finish_non_exhaustive()
    }
}

impl Turns {
    pub(crate) fn new(handle: Handle, asks: mpsc::Receiver<Said>) -> Self {
        Self { handle, asks }
    }

    /// Waits until the connection wants to ask; `None` when it is over. If the future is dropped,
    /// nothing is lost.
    pub async fn want(&mut self) -> Option<Want<'_>> {
        loop {
            // Anything else is about a want that has ended.
            if let Said::Wants { urgent, lead } = self.asks.recv().await? {
                let (state, outcome) = (State::default(), Outcome::Done);
                return Some(Want { turns: self, urgent, lead, state, outcome });
            }
        }
    }
}

/// A wish to ask. It ends with [`end`](Self::end), or when it is dropped: then the next one comes
/// after the interval.
#[derive(Debug)]
pub struct Want<'a> {
    turns: &'a mut Turns,
    urgent: bool,
    lead: Duration,
    state: State,
    outcome: Outcome,
}

#[derive(Debug, Default)]
struct State {
    is_told: Arc<AtomicBool>,
    has_turn: bool,
    is_given_up: bool,
    reply: Option<Result<Question, NothingToAsk>>,
}

/// Why there is nothing to ask on a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoQuestion {
    /// The media process has nothing to ask about.
    Nothing(NothingToAsk),
    /// The want was given up: the stream is over, or a setting has changed.
    GivenUp,
    /// The connection is over.
    Over,
}

/// Tells a connection that its turn is near. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TurnNear {
    handle: Handle,
    is_told: Arc<AtomicBool>,
}

impl TurnNear {
    /// Its turn comes soon: it is to have a fresh frame. Nothing happens unless it waits, or when it
    /// was told before.
    pub fn tell(&self) {
        if !self.is_told.swap(true, Ordering::Relaxed) {
            self.handle.send(ToMedia::TurnNear { connection: self.handle.connection });
        }
    }
}

impl Want<'_> {
    /// Whether somebody waits for the answer.
    pub fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// How long before its turn it is of use to tell that this is near: as long as a frame takes to
    /// come, at most a second.
    pub fn lead(&self) -> Duration {
        self.lead
    }

    /// For telling it that its turn is near, while it is waited for one.
    pub fn near(&self) -> TurnNear {
        let handle = self.turns.handle.clone();
        TurnNear { handle, is_told: Arc::clone(&self.state.is_told) }
    }

    /// Waits until the want is void, which may never be: it was given up, or the connection is over.
    /// Also while a question is asked, which is worth nothing then. If the future is dropped,
    /// nothing is lost.
    pub async fn given_up(&mut self) {
        while !self.state.is_given_up && self.hear().await {}
    }

    /// Gives the connection its turn, and waits for what to ask about. If the future is dropped, the
    /// next call goes on where it stopped.
    ///
    /// # Errors
    /// When there is nothing to ask.
    pub async fn turn(&mut self) -> Result<Question, NoQuestion> {
        loop {
            if let Some(reply) = self.state.reply.take() {
                return reply.map_err(NoQuestion::Nothing);
            }
            if self.state.is_given_up {
                return Err(NoQuestion::GivenUp);
            }
            if !self.state.has_turn {
                self.state.has_turn = true;
                let handle = &self.turns.handle;
                handle.send(ToMedia::Turn { connection: handle.connection });
            }
            if !self.hear().await {
                return Err(NoQuestion::Over);
            }
        }
    }

    /// That was all. `outcome` says when the next want may come.
    pub fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// Waits for what is said next about this want; false when the connection is over.
    async fn hear(&mut self) -> bool {
        match self.turns.asks.recv().await {
            // None comes before this one has ended.
            Some(Said::Wants { .. }) => {}
            Some(Said::GaveUp) => self.state.is_given_up = true,
            Some(Said::Question(question)) => self.state.reply = Some(Ok(question)),
            Some(Said::Nothing(why)) => self.state.reply = Some(Err(why)),
            None => return false,
        }
        true
    }
}

impl Drop for Want<'_> {
    fn drop(&mut self) {
        let handle = &self.turns.handle;
        let (connection, outcome) = (handle.connection, self.outcome);
        handle.send(ToMedia::Ended { connection, outcome });
    }
}
