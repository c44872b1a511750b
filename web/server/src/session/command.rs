//! What a session is told, and the way to tell it.

use std::time::Duration;

use live_vlm_pictures::Jpeg;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{id::SessionId, outbox::Outbox, presence::Offerer};
use crate::{
    protocol::{ClientMessage, FramesMode},
    refusal::Refusal,
};

/// How many commands may wait.
pub(super) const COMMANDS: usize = 128;

pub(super) enum Command {
    Attach(Outbox),
    Detach(Outbox),
    /// The page of this connection has left a ping unanswered, or is heard again.
    Silence {
        outbox: Outbox,
        silent: bool,
    },
    Message(Result<ClientMessage, Refusal>),
    /// The page has sent a picture. What is told when it was dealt with, so that the page's next
    /// message is not read before.
    Picture {
        sent: SentPicture,
        done: oneshot::Sender<()>,
    },
    Offer {
        offer: Offer,
        reply: oneshot::Sender<Result<OfferReply, Refusal>>,
    },
    /// The key or token that its owner signed in by was revoked or has expired.
    SignedOut,
    /// Its user may do something else than before.
    RulesChanged,
    /// No more questions are asked; the server ends after this time.
    Closing(Duration),
    Close,
    /// What a mistake of ours would do.
    #[cfg(test)]
    Panic,
}

/// An offer of video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) sdp: String,
    pub(crate) of: Offerer,
    /// Whether whoever offers can give single frames.
    pub(crate) frames_on_demand: bool,
}

/// What is replied to an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OfferReply {
    pub(crate) sdp: String,
    /// How frames are to come, of those who can give single ones.
    pub(crate) frames: Option<FramesMode>,
}

/// A picture that a page has sent.
#[derive(Debug)]
pub(crate) struct SentPicture {
    /// The number of the `frame_wanted` that it answers, as the page says.
    pub(crate) seq: u32,
    /// How old it was when it was sent, as the page says.
    pub(crate) age: Duration,
    pub(crate) jpeg: Jpeg,
    /// When it came.
    pub(crate) came: Instant,
}

/// A way to reach a session. It may have ended meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    pub(super) id: SessionId,
    pub(super) commands: mpsc::Sender<Command>,
}

impl Handle {
    pub(crate) fn id(&self) -> SessionId {
        self.id
    }

    /// Gives the session its page's connection, in place of one it may have.
    pub(crate) async fn attach(&self, outbox: Outbox) -> bool {
        self.commands.send(Command::Attach(outbox)).await.is_ok()
    }

    /// The page's connection is closed.
    pub(crate) async fn detach(&self, outbox: Outbox) {
        let _ = self.commands.send(Command::Detach(outbox)).await;
    }

    /// The page has left a ping unanswered, or is heard again. False when the session has ended.
    pub(crate) async fn silence(&self, outbox: Outbox, silent: bool) -> bool {
        self.commands.send(Command::Silence { outbox, silent }).await.is_ok()
    }

    /// A message from the page. False when the session has ended.
    pub(crate) async fn message(&self, message: Result<ClientMessage, Refusal>) -> bool {
        self.commands.send(Command::Message(message)).await.is_ok()
    }

    /// A picture from the page. Done when the session has dealt with it; false when the session has
    /// ended.
    pub(crate) async fn picture(&self, sent: SentPicture) -> bool {
        let (done, is_done) = oneshot::channel();
        self.commands.send(Command::Picture { sent, done }).await.is_ok() && is_done.await.is_ok()
    }

    /// Has the session answer an offer, in place of a video that may run. One of a page has a
    /// WebSocket too, or comes to have one.
    ///
    /// # Errors
    /// When the offer cannot be used.
    pub(crate) async fn answer_offer(&self, offer: Offer) -> Result<OfferReply, Refusal> {
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.send(Command::Offer { offer, reply }).await;
        match (sent, answer.await) {
            (Ok(()), Ok(answer)) => answer,
            _ => Err(Refusal::session_ended()),
        }
    }
}
