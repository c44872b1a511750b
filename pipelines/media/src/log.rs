//! Where lines of a media process's log go: to live-vlm, by the link. What may be the last that a
//! process says goes to its error output, which live-vlm reads too, because it is out at once.

use std::io::{Write, stderr};

use live_vlm_pipelines::{
    Greeting, LogLayer, NativeLevel, NativeLine, native_debugging, take_native_log,
};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, reload, util::SubscriberInitExt};

/// What lines of native libraries are called in filters: `native=off`.
const NATIVE: &str = "native";

/// Takes what native libraries say. To be called before they are loaded.
pub(crate) fn take_native() {
    take_native_log(|line| match line {
        NativeLine { is_last: true, domain, text, .. } => {
            // As GLib writes it, and live-vlm knows it.
            let _ = writeln!(stderr(), "{domain}-ERROR **: {text}");
        }
        NativeLine { asked_for: false, domain, text, .. } => {
            let _ = writeln!(stderr(), "{domain}: {text}");
        }
        NativeLine { level, domain, text, .. } => debug(*level, domain, text),
    });
}

/// What somebody has asked for by `GST_DEBUG` or `G_MESSAGES_DEBUG`.
fn debug(level: NativeLevel, domain: &str, text: &str) {
    match level {
        NativeLevel::Trace => tracing::trace!(target: NATIVE, "{domain}: {text}"),
        _ => tracing::debug!(target: NATIVE, "{domain}: {text}"),
    }
}

/// Does this with warnings going to the error output.
pub(crate) fn while_nobody_listens<T>(this: impl FnOnce() -> T) -> T {
    let log = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::WARN)
        .with_writer(stderr)
        .without_time()
        .with_ansi(false);
    tracing::subscriber::with_default(log.finish(), this)
}

/// From now on, lines go to live-vlm, as far as it wants them. To be called on a runtime.
pub(crate) fn begin(greeting: Greeting) {
    let Greeting { mut log, lines } = greeting;
    let (filter, handle) = reload::Layer::new(filter(&log.borrow_and_update()));
    // It fails only where there is a log already.
    let _ = tracing_subscriber::registry().with(filter).with(LogLayer::new(lines)).try_init();
    // It ends with the link.
    tokio::spawn(async move {
        while log.changed().await.is_ok() {
            // It fails only where the log is gone.
            let _ = handle.reload(self::filter(&log.borrow_and_update()));
        }
    });
}

fn filter(log: &str) -> EnvFilter {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    let filter = filter.parse_lossy(log);
    match format!("{NATIVE}=trace").parse() {
        Ok(native) if native_debugging() && !log.contains(NATIVE) => filter.add_directive(native),
        _ => filter,
    }
}
