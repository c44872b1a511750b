use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::LinkError;

/// The version of the link. Both ends come from the same installation, so there is no other to get
/// on with.
pub const VERSION: u32 = 1;
/// The longest SDP, of an offer or an answer, in bytes: 64 KiB.
pub const MAX_SDP: usize = 64 * 1024;
/// The longest text that is only for people, such as a line of the log, in bytes: 4 KiB.
pub const MAX_TEXT: usize = 4 * 1024;

/// A peer connection of a media process. live-vlm chooses it, and never the same twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnectionId(pub u64);

impl std::fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What one end says: [`ToMedia`](crate::ToMedia) or [`FromMedia`](crate::FromMedia).
pub trait Message: Serialize + DeserializeOwned + sealed::Sealed {
    /// The version that it names, if it is the one that comes first.
    fn version(&self) -> Option<u32>;

    /// Shortens the texts that are only for people.
    fn shorten(&mut self);

    /// Whether it keeps its bounds with an attachment of so many bytes.
    ///
    /// # Errors
    /// Says which bound it breaks.
    fn check(&self, attachment: usize) -> Result<(), LinkError>;
}

pub(crate) mod sealed {
    /// There are two messages, and both are in here.
    pub trait Sealed {}
}
