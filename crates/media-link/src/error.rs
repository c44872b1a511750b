use std::io;

use crate::VERSION;

/// Why nothing more is read from a link, or a message cannot be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The socket failed.
    #[error("the link to the other process failed: {0}")]
    Io(#[from] io::Error),
    /// The link ended in the middle of a message: the other process ended while it wrote.
    #[error("the link to the other process ended within a message")]
    Cut,
    /// Something is longer than it may be.
    #[error("{what} has {size} bytes or entries and may have {most} at most")]
    TooLong {
        /// The part of the frame, or the field.
        what: &'static str,
        /// How long it is.
        size: usize,
        /// How long it may be.
        most: usize,
    },
    /// A field has a value that it cannot have.
    #[error("{field} must be {allowed}")]
    Field {
        /// Its name.
        field: &'static str,
        /// What would have been right.
        allowed: &'static str,
    },
    /// No message of this version, or no JSON at all.
    #[error("a message cannot be read: {0}")]
    Unreadable(String),
    /// The attachment is not what its message says of it.
    #[error("a message announces {announced} bytes of pictures, and {came} came with it")]
    Attachment {
        /// As the message has it.
        announced: usize,
        /// As the frame has it.
        came: usize,
    },
    /// The other process is of another version.
    #[error(
        "the other process speaks version {theirs} of the link, and this one version {VERSION}; \
         live-vlm and its media processes must be of one installation: restart live-vlm"
    )]
    Version {
        /// The version that it names.
        theirs: u32,
    },
    /// The first message does not name the version.
    #[error("the other process did not name its version first")]
    NotGreeted,
    /// A later message names it again.
    #[error("the other process named its version twice")]
    GreetedTwice,
}

impl LinkError {
    pub(crate) fn bound(what: &'static str, size: usize, most: usize) -> Result<(), Self> {
        if size > most { Err(Self::TooLong { what, size, most }) } else { Ok(()) }
    }
}
