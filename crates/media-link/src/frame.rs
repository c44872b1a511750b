//! Frames: how messages lie one behind the other in a stream of bytes.

use std::marker::PhantomData;

use bytes::{BufMut, buf::Limit};
use serde::Deserialize;

use crate::{LinkError, Message, VERSION, text::shorten};

/// The longest JSON of a message, in bytes: 256 KiB.
pub const MAX_JSON: usize = 256 * 1024;
/// The longest attachment, in bytes: 8 MiB.
pub const MAX_ATTACHMENT: usize = 8 * 1024 * 1024;

const HEAD: usize = 8;
/// A buffer for JSON that has grown beyond this is not kept.
const KEPT: usize = 16 * 1024;
/// What is told of why JSON cannot be read. It may quote the other end.
const MAX_REASON: usize = 200;

/// A message that has come, with its attachment.
#[derive(Debug, Clone, PartialEq)]
pub struct Received<M> {
    /// It keeps all bounds.
    pub message: M,
    /// Empty, but for pictures.
    pub attachment: Vec<u8>,
}

/// The beginning of a message's frame: the two lengths and the JSON. The attachment, of so many
/// bytes, is sent right behind it. Texts that are only for people are shortened.
///
/// # Errors
/// When the message breaks a bound. Nothing is to be sent then, and the link goes on.
pub fn encode<M: Message>(mut message: M, attachment: usize) -> Result<Vec<u8>, LinkError> {
    message.shorten();
    message.check(attachment)?;
    LinkError::bound("the attachment", attachment, MAX_ATTACHMENT)?;
    let mut frame = vec![0; HEAD];
    serde_json::to_writer(&mut frame, &message).map_err(|error| unreadable(&error))?;
    let json = frame.len() - HEAD;
    LinkError::bound("the JSON", json, MAX_JSON)?;
    let (json, attachment) = (u32::try_from(json), u32::try_from(attachment));
    // Both are far below.
    frame[..4].copy_from_slice(&json.unwrap_or(u32::MAX).to_le_bytes());
    frame[4..HEAD].copy_from_slice(&attachment.unwrap_or(u32::MAX).to_le_bytes());
    Ok(frame)
}

/// Makes messages of bytes, without I/O. Put bytes into [`room`](Self::room), then call
/// [`next`](Self::next), until it gives a message or an error. After an error nothing more is to be
/// read.
#[derive(Debug)]
pub struct Decoder<M> {
    head: Vec<u8>,
    /// Of JSON and attachment, once the head is there.
    lengths: Option<(usize, usize)>,
    json: Vec<u8>,
    attachment: Vec<u8>,
    is_greeted: bool,
    messages: PhantomData<M>,
}

impl<M> Default for Decoder<M> {
    fn default() -> Self {
        Self {
            head: Vec::with_capacity(HEAD),
            lengths: None,
            json: Vec::new(),
            attachment: Vec::new(),
            is_greeted: false,
            messages: PhantomData,
        }
    }
}

impl<M: Message> Decoder<M> {
    /// Where the next bytes go, and no more than it has room for.
    pub fn room(&mut self) -> Limit<&mut Vec<u8>> {
        let (part, length) = match self.lengths {
            None => (&mut self.head, HEAD),
            Some((json, _)) if self.json.len() < json => (&mut self.json, json),
            Some((_, attachment)) => (&mut self.attachment, attachment),
        };
        let lacks = length - part.len();
        part.limit(lacks)
    }

    /// Whether no frame has begun.
    pub fn is_between_frames(&self) -> bool {
        self.head.is_empty()
    }

    /// The next message, if it is complete.
    ///
    /// # Errors
    /// When it breaks a bound, cannot be read, or is out of order.
    #[expect(clippy::should_implement_trait, reason = "None is not the end")]
    pub fn next(&mut self) -> Result<Option<Received<M>>, LinkError> {
        let Some((json, attachment)) = self.lengths()? else { return Ok(None) };
        if self.json.len() < json || self.attachment.len() < attachment {
            return Ok(None);
        }
        let message = self.read()?;
        message.check(attachment)?;
        let attachment = std::mem::take(&mut self.attachment);
        self.head.clear();
        self.lengths = None;
        self.json.clear();
        self.json.shrink_to(KEPT);
        Ok(Some(Received { message, attachment }))
    }

    /// The lengths of JSON and attachment, for which there is room then.
    fn lengths(&mut self) -> Result<Option<(usize, usize)>, LinkError> {
        if self.lengths.is_none()
            && let Some((json, rest)) = self.head.split_first_chunk()
            && let Some((attachment, _)) = rest.split_first_chunk()
        {
            let json = length("the JSON", *json, MAX_JSON)?;
            let attachment = length("the attachment", *attachment, MAX_ATTACHMENT)?;
            self.json.reserve_exact(json);
            self.attachment.reserve_exact(attachment);
            self.lengths = Some((json, attachment));
        }
        Ok(self.lengths)
    }

    fn read(&mut self) -> Result<M, LinkError> {
        if !self.is_greeted {
            check_version(&self.json)?;
        }
        let message: M = serde_json::from_slice(&self.json).map_err(|error| unreadable(&error))?;
        match (message.version(), self.is_greeted) {
            (Some(_), true) => Err(LinkError::GreetedTwice),
            (None, false) => Err(LinkError::NotGreeted),
            _ => {
                self.is_greeted = true;
                Ok(message)
            }
        }
    }
}

fn length(what: &'static str, bytes: [u8; 4], most: usize) -> Result<usize, LinkError> {
    let size = usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX);
    LinkError::bound(what, size, most)?;
    Ok(size)
}

/// Another version's first message may differ in all but this.
#[derive(Deserialize)]
struct Greeting {
    version: u32,
}

fn check_version(json: &[u8]) -> Result<(), LinkError> {
    match serde_json::from_slice(json) {
        Ok(Greeting { version: theirs }) if theirs != VERSION => Err(LinkError::Version { theirs }),
        _ => Ok(()),
    }
}

fn unreadable(error: &serde_json::Error) -> LinkError {
    let mut reason = error.to_string().escape_debug().to_string();
    shorten(&mut reason, MAX_REASON);
    LinkError::Unreadable(reason)
}
