//! Both directions of the link to one media process.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use live_vlm_media_link::{FromMedia, LinkError, Reader, Received, Writer};
use tokio::{
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
};
use tokio_util::task::AbortOnDropHandle;

use super::counted::Counted;
use crate::commands::Outgoing;

/// What may wait to be read by the process. Each connection bounds what waits of its own, so one
/// that reads never lets so much wait.
const MOST_WAITING: usize = 1024;

/// The link. Nothing that is written is waited for.
pub(super) struct Link {
    reader: Reader<Counted<OwnedReadHalf>, FromMedia>,
    bytes: Arc<AtomicU64>,
    outgoing: Option<mpsc::Sender<Outgoing>>,
    writing: AbortOnDropHandle<()>,
}

/// The process does not read what it is sent.
pub(super) struct IsFull;

impl Link {
    pub(super) fn new(stream: UnixStream) -> Self {
        let (from, to) = stream.into_split();
        let bytes = Arc::new(AtomicU64::new(0));
        let reader = Reader::new(Counted { from, bytes: Arc::clone(&bytes) });
        let (outgoing, waiting) = mpsc::channel(MOST_WAITING);
        let writing = AbortOnDropHandle::new(tokio::spawn(write(Writer::new(to), waiting)));
        Self { reader, bytes, outgoing: Some(outgoing), writing }
    }

    /// The next message, and in how many bytes it came. If the future is dropped, nothing is lost.
    pub(super) async fn next(&mut self) -> Result<Option<(Received<FromMedia>, u64)>, LinkError> {
        let received = self.reader.next().await?;
        // No byte of the next message is read before this one is given out.
        let bytes = self.bytes.swap(0, Ordering::Relaxed);
        Ok(received.map(|received| (received, bytes)))
    }

    pub(super) fn send(&self, message: Outgoing) -> Result<(), IsFull> {
        match &self.outgoing {
            Some(outgoing) => match outgoing.try_send(message) {
                Err(mpsc::error::TrySendError::Full(_)) => Err(IsFull),
                // Else the link is closed, which its reader tells.
                _ => Ok(()),
            },
            None => Ok(()),
        }
    }

    /// Closes it for what is to be sent, once all is sent.
    pub(super) fn close(&mut self) {
        self.outgoing = None;
    }

    /// Closes it at once. Done when nothing is left of it.
    pub(super) async fn end(self) {
        let Self { reader, writing, .. } = self;
        drop(reader);
        writing.abort();
        let _ = writing.await;
    }
}

async fn write(mut writer: Writer<OwnedWriteHalf>, mut waiting: mpsc::Receiver<Outgoing>) {
    while let Some(message) = waiting.recv().await {
        let messages = match message {
            Outgoing::Message(message) => [Some(*message), None],
            Outgoing::Latest(connection, latest) => latest.take(connection),
        };
        for message in messages.into_iter().flatten() {
            match writer.send(message).await {
                Ok(()) => {}
                Err(LinkError::Io(_)) => return,
                Err(error) => tracing::error!(%error, "a message to a media process is not sent"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use live_vlm_media_link::{ConnectionId, ToMedia};

    use super::*;

    #[tokio::test]
    async fn a_process_that_does_not_read_is_noticed_and_holds_nobody_up() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut link = Link::new(ours);
        let text = "x".repeat(1000);
        let message = ToMedia::Text { connection: ConnectionId(1), text, done: false };
        let mut sent = 0;
        while link.send(Outgoing::Message(Box::new(message.clone()))).is_ok() {
            sent += 1;
            assert!(sent < 10_000);
            tokio::task::yield_now().await;
        }
        assert!(sent >= MOST_WAITING);
        link.close();
        link.end().await;
    }
}
