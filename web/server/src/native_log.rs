//! What GLib, GStreamer and the libraries below them say, in the server's own log: in its form, and
//! so few lines a minute that nobody fills a disk by what they have such a library complain of.

use std::{
    io::{Write, stderr},
    sync::Arc,
    time::{Duration, Instant},
};

use live_vlm_access::log_limit::LogLimit;
use live_vlm_config::{LogFilter, NotAllowed, shown::escaped};
use live_vlm_pipelines::{NativeLevel, NativeLine, native_debugging, take_native_log};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;
use tracing::Level;
use tracing_subscriber::EnvFilter;

/// What such lines are called in filters: `native=off`.
const TARGET: &str = "native";
/// What judges certificates of VLM servers.
const VERIFIER: &str = "rustls_platform_verifier";
/// Lines a minute of one library and level.
const MOST: u64 = 10;
/// Characters of a line that nobody asked for.
const LONGEST: usize = 1000;
/// How often it is looked for what is to be told of lines that were left out.
const TELL: Duration = Duration::from_secs(5);

type Kinds = LogLimit<(String, NativeLevel)>;

/// Logs what native libraries say, from when this is made. To be kept for as long as the server
/// runs: then it also says how many lines were left out.
#[derive(Debug)]
pub struct NativeLog {
    kinds: Arc<Kinds>,
    _telling: AbortOnDropHandle<()>,
}

impl NativeLog {
    /// To be made before GStreamer is started, on a runtime.
    pub fn begin() -> Self {
        let kinds = Arc::new(Kinds::new(MOST));
        let taking = Arc::clone(&kinds);
        take_native_log(move |line| write(&taking, line, Instant::now()));
        let telling = Arc::clone(&kinds);
        let telling = tokio::spawn(async move {
            let mut tick = interval(TELL);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tick.tick().await;
                tell_left_out(telling.ended(Instant::now()));
            }
        });
        Self { kinds, _telling: AbortOnDropHandle::new(telling) }
    }
}

impl Drop for NativeLog {
    fn drop(&mut self) {
        tell_left_out(self.kinds.drain());
    }
}

/// The filter that `level` is, and that lets native lines through as it should: unless it says
/// something about them, those that an operator asked for by `GST_DEBUG` or `G_MESSAGES_DEBUG`, and
/// warnings even where it is about single parts of the program only.
///
/// # Errors
/// Never for a filter that was read.
pub fn filter(level: &LogFilter) -> Result<EnvFilter, NotAllowed> {
    let filter = level.to_env_filter()?;
    let directive = match directive(level.text(), native_debugging()) {
        Some(directive) => directive.parse().ok(),
        None => None,
    };
    let filter = match directive {
        Some(directive) => filter.add_directive(directive),
        None => filter,
    };
    // It logs each certificate that it refuses, and not whose that is. Whoever asked says that.
    let quiet = format!("{VERIFIER}=off").parse().ok();
    Ok(match quiet.filter(|_| !level.text().contains(VERIFIER)) {
        Some(quiet) => filter.add_directive(quiet),
        None => filter,
    })
}

fn directive(filter: &str, asked_for: bool) -> Option<&'static str> {
    let directives = || filter.split(',').map(str::trim);
    if directives().any(|directive| directive.split('=').next() == Some(TARGET)) {
        None
    } else if asked_for {
        Some("native=trace")
    } else if directives().all(|directive| directive.contains('=')) {
        Some("native=info")
    } else {
        None
    }
}

fn write(kinds: &Kinds, line: &NativeLine<'_>, now: Instant) {
    let kind = || (line.domain.to_owned(), line.level);
    // What is said before the process ends is in nobody's way.
    let is_limited = !line.asked_for && !line.is_last;
    let due = if is_limited { kinds.due(kind(), now) } else { Some(0) };
    let Some(before) = due else { return };
    let before = (before > 0).then_some(before);
    let longest = if is_limited { LONGEST } else { usize::MAX };
    let (domain, text) = (escaped(line.domain, LONGEST), escaped(line.text, longest));
    if line.is_last && !tracing::enabled!(target: TARGET, Level::ERROR) {
        let _ = writeln!(stderr(), "live-vlm: {domain}: {text}");
        return;
    }
    match line.level {
        _ if line.is_last => {
            tracing::error!(target: TARGET, domain, "{text}; this ends the server");
        }
        NativeLevel::Error => tracing::error!(target: TARGET, domain, before, "{text}"),
        NativeLevel::Warning => tracing::warn!(target: TARGET, domain, before, "{text}"),
        NativeLevel::Info => tracing::info!(target: TARGET, domain, before, "{text}"),
        NativeLevel::Debug => tracing::debug!(target: TARGET, domain, before, "{text}"),
        NativeLevel::Trace => tracing::trace!(target: TARGET, domain, before, "{text}"),
    }
}

fn tell_left_out(kinds: Vec<((String, NativeLevel), u64)>) {
    for ((domain, level), lines) in kinds {
        let domain = escaped(&domain, LONGEST);
        tracing::warn!(target: TARGET, domain, ?level, lines, "further lines were left out");
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Mutex};

    use super::*;

    const LINE: NativeLine<'_> = NativeLine {
        domain: "libnice",
        level: NativeLevel::Warning,
        asked_for: false,
        is_last: false,
        text: "Component 0 not found",
    };

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged meanwhile, line by line.
    fn logged(act: impl FnOnce()) -> Vec<String> {
        let written = Written::default();
        let writer = written.clone();
        let logs = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .without_time()
            .with_ansi(false)
            .with_writer(move || writer.clone());
        tracing::subscriber::with_default(logs.finish(), act);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn of_each_library_and_level_ten_lines_a_minute_are_logged_and_the_rest_is_counted() {
        let kinds = Kinds::new(MOST);
        let now = Instant::now();
        let lines = logged(|| {
            for _ in 0..1000 {
                write(&kinds, &LINE, now);
            }
            write(&kinds, &NativeLine { level: NativeLevel::Error, ..LINE }, now);
            write(&kinds, &NativeLine { domain: "GStreamer", ..LINE }, now);
        });
        assert_eq!(lines.len(), 12, "{lines:#?}");
        assert_eq!(lines[0], "WARN native: Component 0 not found domain=\"libnice\"");
        assert_eq!(lines[10], "ERROR native: Component 0 not found domain=\"libnice\"");
        let told = logged(|| tell_left_out(kinds.ended(now + Duration::from_secs(60))));
        let left_out = "WARN native: further lines were left out domain=\"libnice\" level=Warning \
                        lines=990";
        assert_eq!(told, [left_out]);
    }

    #[test]
    fn what_was_asked_for_and_what_is_said_last_is_always_logged() {
        let kinds = Kinds::new(MOST);
        let asked_for = NativeLine { asked_for: true, level: NativeLevel::Debug, ..LINE };
        let last = NativeLine { is_last: true, level: NativeLevel::Error, ..LINE };
        let lines = logged(|| {
            for _ in 0..100 {
                write(&kinds, &asked_for, Instant::now());
            }
            for _ in 0..50 {
                write(&kinds, &NativeLine { level: NativeLevel::Error, ..LINE }, Instant::now());
            }
            write(&kinds, &last, Instant::now());
        });
        assert_eq!(lines.len(), 111);
        assert!(
            lines[110].contains("Component 0 not found; this ends the server"),
            "{}",
            lines[110]
        );
    }

    #[test]
    fn a_line_is_one_line_and_no_longer_than_it_may_be() {
        let text = "a\nERROR forged\u{1b}[2J".to_owned() + &"x".repeat(100_000);
        let kinds = Kinds::new(MOST);
        let lines = logged(|| write(&kinds, &NativeLine { text: &text, ..LINE }, Instant::now()));
        assert_eq!(lines.len(), 1);
        assert!(lines[0].starts_with("WARN native: a\\nERROR forged\\u{1b}[2Jxxx"), "{}", lines[0]);
        assert!(lines[0].len() < 1100, "{}", lines[0].len());
    }

    #[test]
    fn a_filter_lets_through_what_was_asked_for_unless_it_says_otherwise() {
        for (filter, asked_for, expected) in [
            ("info", false, None),
            ("error", false, None),
            ("live_vlm=debug", false, Some("native=info")),
            ("live_vlm=debug,warn", false, None),
            ("info", true, Some("native=trace")),
            ("live_vlm=debug", true, Some("native=trace")),
            ("info,native=off", true, None),
            ("info, native=debug", false, None),
        ] {
            assert_eq!(directive(filter, asked_for), expected, "{filter}");
        }
    }
}
