//! What a connection's owner asks of the task that has its process, and where that tells it what
//! comes.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use live_vlm_media_link::{Answered, ConnectionId, OfferError, SamplingSettings, ToMedia};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::{ask::Said, cause::Cause, event::PeerEvent, frames::Frames, owner::Owner};

/// What may wait for the task. It takes them at once, and each connection bounds how many are its
/// own, so it is never reached while both work.
const MOST: usize = 1024;

pub(crate) enum Command {
    /// One more connection.
    Open(Box<Open>),
    /// A message to a connection.
    Send(Outgoing),
}

/// A message on its way.
pub(crate) enum Outgoing {
    Message(Box<ToMedia>),
    /// Whatever they are by then.
    Latest(ConnectionId, Arc<Latest>),
}

/// A connection that is to be.
pub(crate) struct Open {
    pub(crate) connection: ConnectionId,
    pub(crate) offer: ToMedia,
    pub(crate) ends: Ends,
    pub(crate) answer: oneshot::Sender<Result<Answered, NoAnswer>>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// The media process says so.
    Refused(OfferError),
    /// The process ended while it had the offer.
    Gone(Arc<Cause>),
    /// The process ended before it had the offer.
    Unsent(Arc<Cause>),
}

/// Where a connection's owner is told what comes. All of it is dropped when the connection is over.
pub(crate) struct Ends {
    pub(crate) owner: Owner,
    /// What the session is called in logs.
    pub(crate) session: Arc<str>,
    pub(crate) events: mpsc::Sender<PeerEvent>,
    pub(crate) asks: mpsc::Sender<Said>,
    pub(crate) frames: Arc<Frames>,
    /// Only dropped.
    pub(crate) _over: oneshot::Sender<Infallible>,
}

/// Settings that wait to be sent: there may be many changes, and only the last one counts.
#[derive(Debug, Default)]
pub(crate) struct Latest {
    /// A leaf lock, held for an assignment.
    waits: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    settings: Option<SamplingSettings>,
    asks_now: bool,
}

impl Latest {
    /// Whether nothing has waited, so that it must be told that something does.
    fn change(&self, change: impl FnOnce(&mut Waiting)) -> bool {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = waits.settings.is_none() && !waits.asks_now;
        change(&mut waits);
        is_first
    }

    /// What waits, as messages.
    pub(crate) fn take(&self, connection: ConnectionId) -> [Option<ToMedia>; 2] {
        let waits = std::mem::take(&mut *self.waits.lock().unwrap_or_else(PoisonError::into_inner));
        let settings = waits.settings.map(|settings| ToMedia::Settings { connection, settings });
        [settings, waits.asks_now.then_some(ToMedia::AskNow { connection })]
    }
}

/// The way to the task that has a process. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Commands {
    sender: mpsc::Sender<Command>,
    overflows: Arc<AtomicBool>,
    end: Arc<Notify>,
}

/// The task's end of it.
#[derive(Debug)]
pub(crate) struct Inbox {
    receiver: mpsc::Receiver<Command>,
    overflows: Arc<AtomicBool>,
    end: Arc<Notify>,
}

impl Inbox {
    /// Whether something could not be told.
    pub(crate) fn overflows(&self) -> bool {
        self.overflows.load(Ordering::Relaxed)
    }

    /// The next command, if the process is ready for one; `None` when it is not needed any more. If
    /// the future is dropped, nothing is lost.
    pub(crate) async fn next(&mut self, is_ready: bool) -> Option<Command> {
        tokio::select! {
            biased;
            () = self.end.notified() => None,
            command = self.receiver.recv(), if is_ready => command,
        }
    }

    /// What is still to be done, when nothing more is.
    pub(crate) fn close(&mut self) -> Vec<Command> {
        self.receiver.close();
        std::iter::from_fn(|| self.receiver.try_recv().ok()).collect()
    }
}

impl Commands {
    pub(crate) fn new() -> (Self, Inbox) {
        let (sender, receiver) = mpsc::channel(MOST);
        let overflows = Arc::new(AtomicBool::new(false));
        let end = Arc::new(Notify::new());
        let inbox = Inbox { receiver, overflows: Arc::clone(&overflows), end: Arc::clone(&end) };
        (Self { sender, overflows, end }, inbox)
    }

    /// The process is not needed any more.
    pub(crate) fn end(&self) {
        self.end.notify_one();
    }

    /// Does nothing if the process is gone.
    pub(crate) fn send(&self, command: Command) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.sender.try_send(command) {
            self.overflows.store(true, Ordering::Relaxed);
        }
    }
}

/// The way to one connection. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    pub(crate) connection: ConnectionId,
    pub(crate) commands: Commands,
    latest: Arc<Latest>,
}

impl Handle {
    pub(crate) fn new(connection: ConnectionId, commands: Commands) -> Self {
        Self { connection, commands, latest: Arc::default() }
    }

    pub(crate) fn send(&self, message: ToMedia) {
        self.commands.send(Command::Send(Outgoing::Message(Box::new(message))));
    }

    pub(crate) fn change_settings(&self, settings: SamplingSettings) {
        if self.latest.change(|waits| waits.settings = Some(settings)) {
            self.send_latest();
        }
    }

    pub(crate) fn ask_now(&self) {
        if self.latest.change(|waits| waits.asks_now = true) {
            self.send_latest();
        }
    }

    fn send_latest(&self) {
        let latest = Arc::clone(&self.latest);
        self.commands.send(Command::Send(Outgoing::Latest(self.connection, latest)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(seconds: u64) -> SamplingSettings {
        let interval = std::time::Duration::from_secs(seconds);
        SamplingSettings { interval, ..SamplingSettings::default() }
    }

    #[test]
    fn of_many_changes_one_message_waits_with_the_last_one() {
        let (commands, mut inbox) = Commands::new();
        let connection = ConnectionId(7);
        let handle = Handle::new(connection, commands);
        for seconds in 1..=100_000 {
            handle.change_settings(settings(seconds));
            handle.ask_now();
        }
        let Ok(Command::Send(Outgoing::Latest(ConnectionId(7), latest))) =
            inbox.receiver.try_recv()
        else {
            panic!("no message")
        };
        assert!(inbox.receiver.try_recv().is_err() && !inbox.overflows());
        let last = ToMedia::Settings { connection, settings: settings(100_000) };
        let now = ToMedia::AskNow { connection };
        assert_eq!(latest.take(connection), [Some(last), Some(now)]);
        assert_eq!(latest.take(connection), [None, None]);
        handle.ask_now();
        assert!(inbox.receiver.try_recv().is_ok(), "what comes later is told again");
    }

    #[test]
    fn it_is_noticed_when_nobody_takes_what_is_sent() {
        let (commands, inbox) = Commands::new();
        let handle = Handle::new(ConnectionId(7), commands);
        let stop = || ToMedia::Stop { connection: ConnectionId(7) };
        (0..MOST).for_each(|_| handle.send(stop()));
        assert!(!inbox.overflows());
        handle.send(stop());
        assert!(inbox.overflows());
    }
}
