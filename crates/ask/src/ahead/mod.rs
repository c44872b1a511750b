//! When to ask a source for a frame, so that it is there when its turn comes, and fresh: pure.

mod lead;
mod rhythm;
mod wishes;

pub use lead::Lead;
pub use rhythm::Rhythm;
pub use wishes::Wishes;
