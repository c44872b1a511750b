//! The connections of one media process: where their owners are told what comes.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use live_vlm_media_link::{Answered, ConnectionId, FromMedia, Received};
use tokio::sync::oneshot;

use crate::{
    ask::{Question, Said},
    cause::Cause,
    commands::{Ends, NoAnswer, Open},
    event::PeerEvent,
    owner::Owner,
};

/// So many events come once each.
pub(crate) const ONCE: usize = 4;

#[derive(Default)]
pub(super) struct Connections {
    open: HashMap<ConnectionId, Connection>,
}

struct Connection {
    ends: Ends,
    answer: Option<oneshot::Sender<Result<Answered, NoAnswer>>>,
}

impl Connection {
    fn tell(&self, event: PeerEvent) {
        // There is room for each event once, and none comes twice.
        let _ = self.ends.events.try_send(event);
    }

    /// Leaves room for each event that comes once. Who gets no frame wants one again.
    fn want_frames(&self, frames: u32, spacing: Duration) {
        if self.ends.events.capacity() > ONCE {
            self.tell(PeerEvent::FrameWanted { frames, spacing });
        }
    }

    fn ask(&self, said: Said) {
        // There is room for what may be said about a want, and about the one before.
        if self.ends.asks.try_send(said).is_err() && !self.ends.asks.is_closed() {
            let session = &*self.ends.session;
            tracing::error!(session, "there is no room for what a connection asks");
        }
    }
}

impl Connections {
    /// One more, whose offer is being sent.
    pub(super) fn open(&mut self, open: Open) {
        let Open { connection, ends, answer, .. } = open;
        self.open.insert(connection, Connection { ends, answer: Some(answer) });
    }

    pub(super) fn session(&self, connection: ConnectionId) -> Option<&str> {
        self.open.get(&connection).map(|connection| &*connection.ends.session)
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Tells a connection what counts. If it is over then, whose it was.
    pub(super) fn tell(&mut self, received: Received<FromMedia>, now: Instant) -> Option<Owner> {
        let Received { message, attachment } = received;
        let id = message.connection()?;
        let connection = self.open.get_mut(&id)?;
        match message {
            FromMedia::Answered { result, .. } => {
                let is_over = result.is_err();
                if let Some(answer) = connection.answer.take() {
                    // Who does not wait for it has stopped the connection.
                    let _ = answer.send(result.map_err(NoAnswer::Refused));
                }
                if is_over {
                    return self.remove(id);
                }
            }
            FromMedia::Stopped { .. } => return self.remove(id),
            FromMedia::Connected { .. } => connection.tell(PeerEvent::Connected),
            FromMedia::FirstFrame { .. } => connection.tell(PeerEvent::FirstFrame),
            FromMedia::Lost { reason, .. } => connection.tell(PeerEvent::Lost(reason)),
            FromMedia::Frames { counts, .. } => connection.ends.frames.tell(counts),
            FromMedia::Want { urgent, lead, .. } => connection.ask(Said::Wants { urgent, lead }),
            FromMedia::FrameWanted { frames, spacing, .. } => {
                connection.want_frames(frames, spacing);
            }
            FromMedia::GiveUp { .. } => connection.ask(Said::GaveUp),
            FromMedia::Question { pictures, .. } => {
                connection.ask(Said::Question(Question::new(pictures, attachment, now)));
            }
            FromMedia::NoQuestion { why, .. } => connection.ask(Said::Nothing(why)),
            _ => {}
        }
        None
    }

    fn remove(&mut self, connection: ConnectionId) -> Option<Owner> {
        self.open.remove(&connection).map(|connection| connection.ends.owner)
    }

    /// All of them are over, as the process is.
    pub(super) fn gone(&mut self, cause: &Arc<Cause>) {
        for (_, mut connection) in self.open.drain() {
            if let Some(answer) = connection.answer.take() {
                let _ = answer.send(Err(NoAnswer::Gone(Arc::clone(cause))));
            }
            connection.tell(PeerEvent::Gone(Arc::clone(cause)));
        }
    }
}
