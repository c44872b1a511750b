use std::{
    io::{Read, Write},
    os::{fd::FromRawFd, unix::net::UnixStream},
};

use bytes::BufMut;
use live_vlm_media_link::{Decoder, FromMedia, ToMedia, encode};

/// The link to live-vlm, without a runtime.
pub(crate) struct Link {
    stream: UnixStream,
    decoder: Decoder<ToMedia>,
}

impl Link {
    /// At the file descriptor where it is handed over.
    pub(crate) fn of_process() -> Self {
        // SAFETY: nobody else has it.
        Self::new(unsafe { UnixStream::from_raw_fd(3) })
    }

    pub(crate) fn new(stream: UnixStream) -> Self {
        Self { stream, decoder: Decoder::default() }
    }

    pub(crate) fn send(&mut self, message: FromMedia) {
        self.send_with(message, &[]);
    }

    pub(crate) fn send_with(&mut self, message: FromMedia, attachment: &[u8]) {
        let frame = encode(message, attachment.len()).expect("a message within its bounds");
        self.write(&frame);
        self.write(attachment);
    }

    /// Bytes that need not be a message. When live-vlm has ended the link, it ends this process.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if self.stream.write_all(bytes).is_err() {
            std::process::exit(0);
        }
    }

    pub(crate) fn close(&self) {
        self.stream.shutdown(std::net::Shutdown::Both).expect("an open link");
    }

    /// `None` when live-vlm has closed the link.
    pub(crate) fn next(&mut self) -> Option<ToMedia> {
        loop {
            if let Some(received) = self.decoder.next().expect("an honest live-vlm") {
                return Some(received.message);
            }
            let mut room = self.decoder.room();
            let mut piece = vec![0; room.remaining_mut().min(4096)];
            let read = self.stream.read(&mut piece).ok().filter(|read| *read > 0)?;
            room.put_slice(&piece[..read]);
        }
    }
}
