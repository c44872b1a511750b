//! How much a request may hold.

pub(crate) const MOST_PICTURES: usize = 64;
/// In bytes.
pub(crate) const LONGEST_USER: usize = 512;
