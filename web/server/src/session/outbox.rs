//! What waits to be sent to a session's page. Bounded: a page that does not read is cut off, and
//! a slow one misses pieces of answers, but never a whole one.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::mpsc;

use crate::protocol::ServerMessage;

const ROOM: usize = 256;
/// Pieces of answers, and wishes for frames, leave this much room to everything else.
const RESERVED: usize = 64;
/// Bytes that may wait. The longest answer, escaped, is 1.5 MB.
const BYTES: usize = 4 << 20;

/// The end that the session writes to. Dropping it closes the page's connection.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    messages: mpsc::Sender<String>,
    waiting: Arc<AtomicUsize>,
}

/// An [`Outbox`] that does not keep the page's connection open.
#[derive(Debug)]
pub(crate) struct WeakOutbox {
    messages: mpsc::WeakSender<String>,
    waiting: Arc<AtomicUsize>,
}

impl WeakOutbox {
    /// The outbox, if a session still holds it.
    pub(crate) fn upgrade(&self) -> Option<Outbox> {
        let waiting = Arc::clone(&self.waiting);
        self.messages.upgrade().map(|messages| Outbox { messages, waiting })
    }
}

/// The end that the WebSocket reads from.
#[derive(Debug)]
pub(crate) struct Inbound {
    messages: mpsc::Receiver<String>,
    waiting: Arc<AtomicUsize>,
}

/// The page has not read for so long that it must connect anew.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CutOff;

impl Outbox {
    /// Both ends of a new one.
    pub(crate) fn new() -> (Self, Inbound) {
        let (sender, receiver) = mpsc::channel(ROOM);
        let waiting = Arc::new(AtomicUsize::new(0));
        let inbound = Inbound { messages: receiver, waiting: Arc::clone(&waiting) };
        (Self { messages: sender, waiting }, inbound)
    }

    /// Queues a message.
    ///
    /// # Errors
    /// When the page is gone, or has let the queue fill up.
    pub(crate) fn send(&self, message: &ServerMessage) -> Result<(), CutOff> {
        let may_be_missed = matches!(
            message,
            ServerMessage::AnswerDelta { .. } | ServerMessage::FrameWanted { .. }
        );
        if may_be_missed && self.messages.capacity() < RESERVED {
            return Ok(());
        }
        let json = message.to_json();
        let bytes = json.len();
        if self.waiting.load(Ordering::Relaxed) + bytes > BYTES {
            return if may_be_missed { Ok(()) } else { Err(CutOff) };
        }
        // Before the other end can take it out again.
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
        self.messages.try_send(json).map_err(|_| CutOff)
    }

    /// A handle that does not keep the page's connection open.
    pub(crate) fn downgrade(&self) -> WeakOutbox {
        WeakOutbox { messages: self.messages.downgrade(), waiting: Arc::clone(&self.waiting) }
    }

    /// Whether two outboxes are the same.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.messages.same_channel(&other.messages)
    }
}

impl Inbound {
    /// The next message; `None` when the session has closed the connection.
    pub(crate) async fn next(&mut self) -> Option<String> {
        let message = self.messages.recv().await?;
        self.waiting.fetch_sub(message.len(), Ordering::Relaxed);
        Some(message)
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

    #[tokio::test]
    async fn what_waits_is_bounded_in_bytes_until_it_is_read() {
        let (outbox, mut inbound) = Outbox::new();
        let long = ServerMessage::Debug { text: "x".repeat(1 << 20) };
        let fill = || (0..10).take_while(|_| outbox.send(&long).is_ok()).count();
        assert_eq!(fill(), 3);
        assert!(inbound.next().await.is_some());
        assert_eq!(fill(), 1);
    }
}
