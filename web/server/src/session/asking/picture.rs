use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Instant,
};

use live_vlm_change::Thumbnail;
use tokio::sync::watch;

/// A picture that a VLM may be asked about.
#[derive(Debug)]
pub(in crate::session) struct Picture {
    pub(in crate::session) jpeg: Vec<u8>,
    pub(in crate::session) arrived: Instant,
    pub(in crate::session) captured: Instant,
    /// Where it matters how much has changed.
    pub(in crate::session) thumbnail: Option<Thumbnail>,
}

/// Where a page's pictures come from.
#[derive(Debug, Clone)]
pub(in crate::session) struct PictureSource {
    /// The newest.
    pub(in crate::session) newest: watch::Receiver<Option<Arc<Picture>>>,
    /// How many were asked about.
    pub(in crate::session) asked: Arc<AtomicU64>,
}
