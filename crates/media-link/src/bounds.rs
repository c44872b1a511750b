//! What both ends keep to. Bounds of a single message are beside it.

/// The version of the link. Both ends come from the same installation, so there is no other to get
/// on with.
pub const VERSION: u32 = 2;
/// The longest SDP, of an offer or an answer, in bytes: 64 KiB.
pub const MAX_SDP: usize = 64 * 1024;
/// The longest text that is only for people, such as a line of the log, in bytes: 4 KiB.
pub const MAX_TEXT: usize = 4 * 1024;
