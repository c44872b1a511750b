//! Where a frame stands among others.

use std::time::Duration;

/// Which part of the video a frame is of. Each start of the element, flush and stream-start begins
/// another: what is of an earlier one comes too late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

impl Epoch {
    /// The one that begins when this one ends.
    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Where a caption about a frame belongs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StreamPosition {
    pub(crate) epoch: Epoch,
    /// From the frame to the next sample, if that is known.
    pub(crate) until_next: Option<Duration>,
}
