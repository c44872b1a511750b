//! What waits to be sent to a session's page. Bounded: a page that does not read is cut off, and
//! a slow one misses pieces of answers, but never a whole one.

use tokio::sync::mpsc;

use crate::protocol::ServerMessage;

const ROOM: usize = 256;
/// Pieces of answers leave this much room to everything else.
const RESERVED: usize = 64;

/// The end that the session writes to. Dropping it closes the page's connection.
#[derive(Debug, Clone)]
pub struct Outbox {
    messages: mpsc::Sender<String>,
}

/// An [`Outbox`] that does not keep the page's connection open.
#[derive(Debug)]
pub struct WeakOutbox {
    messages: mpsc::WeakSender<String>,
}

impl WeakOutbox {
    /// The outbox, if a session still holds it.
    pub fn upgrade(&self) -> Option<Outbox> {
        self.messages.upgrade().map(|messages| Outbox { messages })
    }
}

/// The end that the WebSocket reads from.
#[derive(Debug)]
pub struct Inbound {
    messages: mpsc::Receiver<String>,
}

/// The page has not read for so long that it must connect anew.
#[derive(Debug, PartialEq, Eq)]
pub struct CutOff;

impl Outbox {
    /// Both ends of a new one.
    pub fn new() -> (Self, Inbound) {
        let (sender, receiver) = mpsc::channel(ROOM);
        (Self { messages: sender }, Inbound { messages: receiver })
    }

    /// Queues a message.
    ///
    /// # Errors
    /// When the page is gone, or has let the queue fill up.
    pub fn send(&self, message: &ServerMessage) -> Result<(), CutOff> {
        let may_be_missed = matches!(message, ServerMessage::AnswerDelta { .. });
        if may_be_missed && self.messages.capacity() < RESERVED {
            return Ok(());
        }
        self.messages.try_send(message.to_json()).map_err(|_| CutOff)
    }

    /// A handle that does not keep the page's connection open.
    pub fn downgrade(&self) -> WeakOutbox {
        WeakOutbox { messages: self.messages.downgrade() }
    }

    /// Whether two outboxes are the same.
    pub fn is(&self, other: &Self) -> bool {
        self.messages.same_channel(&other.messages)
    }
}

impl Inbound {
    /// The next message; `None` when the session has closed the connection.
    pub async fn next(&mut self) -> Option<String> {
        self.messages.recv().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta() -> ServerMessage {
        ServerMessage::AnswerDelta {
            seq: 1,
            offset: 0,
            delta: "a".into(),
            model: "m".into(),
            age_ms: 1.0,
            first_token_ms: None,
        }
    }

    #[test]
    fn a_slow_page_misses_pieces_but_no_whole_message_and_a_dead_one_is_cut_off() {
        let (outbox, _inbound) = Outbox::new();
        for _ in 0..2 * ROOM {
            outbox.send(&delta()).unwrap();
        }
        let whole = ServerMessage::Debug { text: String::new() };
        let taken = (0..2 * ROOM).take_while(|_| outbox.send(&whole).is_ok()).count();
        assert_eq!(taken, RESERVED - 1);
    }
}
