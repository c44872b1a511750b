//! The GStreamer plugin `vlm`: the element `vlmanalyze`, which asks a Vision Language Model (VLM)
//! about a running video without ever holding the video up.
//!
//! As a plugin it is `libgstvlm.so`; as a Rust library it also gives applications typed
//! [`messages`], the [`meta`] on buffers, and the [`context`] through which many elements share
//! one dispatcher, or have somebody else ask for them ([`remote`]).

use std::sync::Mutex;

#[cfg(feature = "v1_24")]
mod analytics;
pub mod analyze;
mod change;
pub mod context;
mod lock;
pub mod messages;
pub mod meta;
pub mod remote;
mod runtime;

pub use analyze::VlmAnalyze;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), gst::glib::BoolError> {
    meta::register();
    analyze::register(plugin)
}

/// Makes the plugin known to this process, for applications that link it instead of loading it.
/// Any thread may call it, and more than once: after the first success it does nothing.
///
/// # Errors
/// When GStreamer refuses the registration, for example because it has not been initialised.
pub fn register_static() -> Result<(), gst::glib::BoolError> {
    // GStreamer would keep one more plugin with every call, and two calls at the same moment would
    // both register the metadata's type. Nothing that GStreamer calls here takes this lock.
    static REGISTERED: Mutex<bool> = Mutex::new(false);
    let mut registered = lock::lock(&REGISTERED);
    if !*registered {
        plugin::plugin_register_static()?;
        *registered = true;
    }
    Ok(())
}

#[allow(missing_docs, unreachable_pub, reason = "what the macro makes, GStreamer reads")]
mod plugin {
    use super::plugin_init;

    gst::plugin_define!(
        vlm,
        env!("CARGO_PKG_DESCRIPTION"),
        plugin_init,
        concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
        // GStreamer knows no name for a choice of licences; MIT is one of the two.
        "MIT/X11",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_NAME"),
        env!("BUILD_REL_DATE")
    );
}
