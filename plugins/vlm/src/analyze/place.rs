//! Where a frame stands among others.

use std::time::Duration;

/// Which stream a frame belongs to: each flush begins another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stream(u64);

impl Stream {
    /// The one that begins when this one ends.
    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Where a caption about a frame belongs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place {
    pub(crate) stream: Stream,
    /// From the frame to the next sample, if that is known.
    pub(crate) until_next: Option<Duration>,
}
