//! Where the element's own log goes: `GST_DEBUG=vlmanalyze:6`.

use std::sync::LazyLock;

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("vlmanalyze", gst::DebugColorFlags::empty(), Some("Asks a VLM"))
});
