//! What waits to be written to the link.

use std::time::Instant;

use live_vlm_media_link::{
    ConnectionId, FromMedia, LinkError, NothingToAsk, PictureInfo, Writer as LinkWriter,
};
use tokio::{io::AsyncWrite, sync::mpsc};

use super::log::{self, LogLines, LogSender};
use crate::analyze::Picture;

/// Messages that wait. A connection whose message finds no room waits for it.
const QUEUE: usize = 256;

/// Where messages for live-vlm are left. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Outbox {
    messages: mpsc::Sender<Outgoing>,
    log: LogSender,
}

#[derive(Debug)]
enum Outgoing {
    Message(FromMedia),
    Question(ConnectionId, Vec<Picture>),
}

/// Writes them, in the order in which they were left; lines of the log after all else.
pub(super) struct Writer<W> {
    to: LinkWriter<W>,
    messages: mpsc::Receiver<Outgoing>,
    log: LogLines,
}

/// An outbox, and what empties it.
pub(super) fn open<W: AsyncWrite + Unpin>(to: W) -> (Outbox, Writer<W>) {
    let (sender, messages) = mpsc::channel(QUEUE);
    let (log, lines) = log::lines();
    (Outbox { messages: sender, log }, Writer { to: LinkWriter::new(to), messages, log: lines })
}

impl Outbox {
    /// Leaves a message, once there is room. It is lost if the link is gone, and the process ends.
    pub(super) async fn send(&self, message: FromMedia) {
        let _ = self.messages.send(Outgoing::Message(message)).await;
    }

    /// The same for a question with its pictures.
    pub(super) async fn ask(&self, connection: ConnectionId, pictures: Vec<Picture>) {
        let _ = self.messages.send(Outgoing::Question(connection, pictures)).await;
    }

    /// For lines of the log.
    pub(super) fn log(&self) -> LogSender {
        self.log.clone()
    }
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    /// Writes until the link fails.
    pub(super) async fn run(mut self) -> Result<(), LinkError> {
        loop {
            let outgoing = tokio::select! {
                biased;
                Some(outgoing) = self.messages.recv() => outgoing,
                Some(line) = self.log.next() => Outgoing::Message(line),
                else => return Ok(()),
            };
            let written = match outgoing {
                Outgoing::Message(message) => self.to.send(message).await,
                Outgoing::Question(connection, pictures) => self.ask(connection, pictures).await,
            };
            match written {
                Err(LinkError::Io(error)) => return Err(error.into()),
                // live-vlm will miss it, and end the process.
                Err(error) => tracing::error!(%error, "a message cannot be sent"),
                Ok(()) => {}
            }
        }
    }

    async fn ask(
        &mut self,
        connection: ConnectionId,
        pictures: Vec<Picture>,
    ) -> Result<(), LinkError> {
        let now = Instant::now();
        let info = |picture: &Picture| PictureInfo {
            bytes: u32::try_from(picture.jpeg.len()).unwrap_or(u32::MAX),
            label: picture.label.clone(),
            captured_ago: now.saturating_duration_since(picture.captured),
        };
        let question =
            FromMedia::Question { connection, pictures: pictures.iter().map(info).collect() };
        let jpegs: Vec<&[u8]> = pictures.iter().map(|picture| picture.jpeg.as_slice()).collect();
        match self.to.send_with(question, &jpegs).await {
            Err(LinkError::Io(error)) => Err(error.into()),
            Err(error) => {
                let why = NothingToAsk::Unencodable(format!("the question is too large: {error}"));
                self.to.send(FromMedia::NoQuestion { connection, why }).await
            }
            Ok(()) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use live_vlm_media_link::{LogLevel, MAX_ATTACHMENT, Reader, Received, SandboxParts, VERSION};
    use tokio::io::DuplexStream;

    use super::*;

    const SEVEN: ConnectionId = ConnectionId(7);

    fn picture(bytes: usize) -> Picture {
        Picture { jpeg: Arc::new(vec![7; bytes]), label: String::new(), captured: Instant::now() }
    }

    /// An outbox that was greeted from, and what live-vlm reads of it.
    async fn greeted() -> (Outbox, Reader<DuplexStream, FromMedia>) {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let (outbox, writer) = open(ours);
        tokio::spawn(writer.run());
        let sandbox = SandboxParts::default();
        outbox.send(FromMedia::Ready { version: VERSION, codecs: vec![], sandbox }).await;
        let mut reader = Reader::new(theirs);
        reader.next().await.unwrap().unwrap();
        (outbox, reader)
    }

    #[tokio::test]
    async fn a_question_carries_its_pictures_and_their_age() {
        let (outbox, mut reader) = greeted().await;
        outbox.ask(SEVEN, vec![picture(3), picture(5)]).await;
        let Received { message, attachment } = reader.next().await.unwrap().unwrap();
        let FromMedia::Question { connection: SEVEN, pictures } = message else {
            panic!("{message:?}")
        };
        assert_eq!(pictures.iter().map(|info| info.bytes).collect::<Vec<_>>(), [3, 5]);
        assert!(pictures[0].captured_ago.as_secs() < 5);
        assert_eq!(attachment, [7; 8]);
    }

    #[tokio::test]
    async fn a_question_that_is_too_large_is_none() {
        let (outbox, mut reader) = greeted().await;
        outbox.ask(SEVEN, vec![picture(MAX_ATTACHMENT), picture(1)]).await;
        let message = reader.next().await.unwrap().unwrap().message;
        let FromMedia::NoQuestion { connection: SEVEN, why: NothingToAsk::Unencodable(why) } =
            message
        else {
            panic!("{message:?}")
        };
        assert!(why.starts_with("the question is too large: "), "{why}");
    }

    #[tokio::test]
    async fn lines_of_the_log_hold_no_message_up() {
        let (outbox, mut reader) = greeted().await;
        for _ in 0..250 {
            outbox.log().send(LogLevel::Info, "a", None, "x".repeat(4000));
        }
        outbox.send(FromMedia::Pong { number: 1 }).await;
        let mut before = 0;
        while let FromMedia::Log { .. } = reader.next().await.unwrap().unwrap().message {
            before += 1;
        }
        // Those that the socket had taken already.
        assert!(before < 100, "{before} lines come before it");
    }
}
