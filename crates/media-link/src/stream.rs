//! Messages over a socket.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{
    LinkError, Message,
    frame::{Decoder, Received, encode},
};

/// The end of a link that is read. Pictures are read straight into the buffer that they are given
/// out in.
#[derive(Debug)]
pub struct Reader<R, M> {
    from: R,
    decoder: Decoder<M>,
}

impl<R: AsyncRead + Unpin, M: Message> Reader<R, M> {
    /// Reads messages from here.
    pub fn new(from: R) -> Self {
        Self { from, decoder: Decoder::default() }
    }

    /// The next message; `None` when the other end has closed the link between two messages. If the
    /// future is dropped, the next call goes on where it stopped.
    ///
    /// # Errors
    /// When the other end breaks a rule of the link, or it fails. Nothing more is to be read then.
    pub async fn next(&mut self) -> Result<Option<Received<M>>, LinkError> {
        loop {
            if let Some(received) = self.decoder.next()? {
                return Ok(Some(received));
            }
            if self.from.read_buf(&mut self.decoder.room()).await? == 0 {
                let is_whole = self.decoder.is_between_frames();
                return if is_whole { Ok(None) } else { Err(LinkError::Cut) };
            }
        }
    }
}

/// The end of a link that is written.
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    /// Writes messages there.
    pub fn new(to: W) -> Self {
        Self { to }
    }

    /// Sends a message. The future must not be dropped before it is done, or the link is of no use
    /// any more.
    ///
    /// # Errors
    /// When the message breaks a bound; then nothing was sent and the link goes on. When the link
    /// fails ([`LinkError::Io`]).
    pub async fn send<M: Message>(&mut self, message: M) -> Result<(), LinkError> {
        self.send_with(message, &[] as &[&[u8]]).await
    }

    /// Sends a message with its pictures, which are written from where they are. The rest is as with
    /// [`send`](Self::send).
    ///
    /// # Errors
    /// The same.
    pub async fn send_with<M: Message>(
        &mut self,
        message: M,
        pictures: &[impl AsRef<[u8]>],
    ) -> Result<(), LinkError> {
        let attachment = pictures.iter().map(|picture| picture.as_ref().len()).sum();
        self.to.write_all(&encode(message, attachment)?).await?;
        for picture in pictures {
            self.to.write_all(picture.as_ref()).await?;
        }
        Ok(self.to.flush().await?)
    }
}
