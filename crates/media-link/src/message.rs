use serde::{Serialize, de::DeserializeOwned};

use crate::LinkError;

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
