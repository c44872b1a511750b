//! What GLib, GStreamer and the libraries below them say: taken from where they print it, so that
//! it goes where everything else is logged.
//!
//! Both of GLib's ways to log end in its writer function, and `g_print` and `g_printerr` have
//! handlers. What a library writes to the standard error by itself is not seen here.

use std::{
    borrow::Cow,
    env,
    ffi::{CStr, c_char},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr, slice, str,
    sync::OnceLock,
};

use gst::{
    DebugLevel,
    glib::{self, ffi, translate::IntoGlib},
};

/// `g_assert` prints this before its message as an error, its message after that for test
/// harnesses, and aborts.
const ASSERTION: &str = "**\n";
const AFTER_ASSERTION: &str = "Bail out! ";

/// Something that a native library says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NativeLine<'a> {
    /// Who: GLib's log domain, or GStreamer's debug category.
    pub domain: &'a str,
    /// How bad it is.
    pub level: NativeLevel,
    /// Whether an operator asked for such lines, by `GST_DEBUG` or `G_MESSAGES_DEBUG`.
    pub asked_for: bool,
    /// Whether the process is ended right after it.
    pub is_last: bool,
    /// What. It may have anything in it, and any length.
    pub text: &'a str,
}

/// How bad something is that a native library says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NativeLevel {
    /// A mistake in a program, or the failure of a pipeline.
    Error,
    /// Something is not as it should be.
    Warning,
    /// For people.
    Info,
    /// For those who look for a fault.
    Debug,
    /// Everything.
    Trace,
}

/// Where lines go.
type Sink = Box<dyn Fn(&NativeLine<'_>) + Send + Sync>;

struct Taken {
    sink: Sink,
    /// Of these domains, debug messages are wanted.
    debug_domains: Vec<String>,
    /// Of these levels, a message is the last one: `G_DEBUG=fatal-warnings`.
    always_fatal: ffi::GLogLevelFlags,
}

static TAKEN: OnceLock<Taken> = OnceLock::new();

/// Has everything that native libraries log or print come to `sink`, on whichever thread they do
/// so: it must be quick, and not call any of them. To be called before [`init`](crate::init), and
/// once: only the first call has an effect.
///
/// `GST_DEBUG` and `G_MESSAGES_DEBUG` say as ever what there is of debug messages. With
/// `GST_DEBUG_FILE`, those of GStreamer go into that file.
pub fn take_native_log(sink: impl Fn(&NativeLine<'_>) + Send + Sync + 'static) {
    let wanted = env::var("G_MESSAGES_DEBUG").unwrap_or_default();
    let always_fatal = glib::log_set_always_fatal(glib::LogLevels::LEVEL_ERROR);
    glib::log_set_always_fatal(always_fatal);
    let taken = Taken {
        sink: Box::new(sink),
        debug_domains: wanted.split_whitespace().map(str::to_owned).collect(),
        always_fatal: always_fatal.into_glib(),
    };
    if TAKEN.set(taken).is_err() {
        return;
    }
    // SAFETY: the functions are as GLib wants them, have no data that could end before them, and
    // may be called on any thread. A writer function may be set once, which the lock above sees
    // to.
    unsafe {
        ffi::g_log_set_writer_func(Some(write_log), ptr::null_mut(), None);
        ffi::g_set_print_handler(Some(print));
        ffi::g_set_printerr_handler(Some(print_error));
    }
    if env::var_os("GST_DEBUG_FILE").is_none() {
        gst::log::remove_default_log_function();
        gst::log::add_log_function(|category, level, file, _, line, object, message| {
            let text = message.get();
            let text = text.as_deref().map_or("", glib::GStr::as_str);
            let object = object.map(|object| format!(" <{object}>")).unwrap_or_default();
            let text = format!("{}:{line}:{object} {text}", file.as_str());
            tell(&NativeLine {
                domain: category.name(),
                level: of_gstreamer(level),
                asked_for: level > DebugLevel::Fixme,
                is_last: false,
                text: &text,
            });
        });
    }
}

/// Whether this process was told to say more of native libraries than usual.
pub fn native_debugging() -> bool {
    ["GST_DEBUG", "G_MESSAGES_DEBUG"].iter().any(|name| env::var_os(name).is_some())
}

/// Panics must not leave through C.
fn tell(line: &NativeLine<'_>) {
    if let Some(taken) = TAKEN.get() {
        let _ = catch_unwind(AssertUnwindSafe(|| (taken.sink)(line)));
    }
}

fn of_gstreamer(level: DebugLevel) -> NativeLevel {
    match level {
        DebugLevel::None | DebugLevel::Error => NativeLevel::Error,
        DebugLevel::Warning => NativeLevel::Warning,
        DebugLevel::Fixme | DebugLevel::Info => NativeLevel::Info,
        DebugLevel::Debug => NativeLevel::Debug,
        _ => NativeLevel::Trace,
    }
}

fn of_glib(level: ffi::GLogLevelFlags) -> NativeLevel {
    let is = |flag: ffi::GLogLevelFlags| level & flag != 0;
    if is(ffi::G_LOG_LEVEL_ERROR | ffi::G_LOG_LEVEL_CRITICAL) {
        NativeLevel::Error
    } else if is(ffi::G_LOG_LEVEL_WARNING) {
        NativeLevel::Warning
    } else if is(ffi::G_LOG_LEVEL_INFO | ffi::G_LOG_LEVEL_DEBUG) {
        NativeLevel::Debug
    } else {
        // A message, or a level of somebody's own.
        NativeLevel::Info
    }
}

unsafe extern "C" fn write_log(
    level: ffi::GLogLevelFlags,
    fields: *const ffi::GLogField,
    n_fields: usize,
    _: ffi::gpointer,
) -> ffi::GLogWriterOutput {
    let Some(taken) = TAKEN.get() else { return ffi::G_LOG_WRITER_UNHANDLED };
    let fields = match n_fields {
        0 => &[],
        // SAFETY: GLib passes so many fields.
        _ => unsafe { slice::from_raw_parts(fields, n_fields) },
    };
    // SAFETY: keys are texts, and values as long as their fields say.
    let field = |wanted: &CStr| unsafe {
        let found = fields.iter().find(|field| CStr::from_ptr(field.key) == wanted)?;
        let value = found.value.cast::<u8>();
        Some(match usize::try_from(found.length) {
            _ if value.is_null() => Cow::Borrowed(""),
            Ok(length) => String::from_utf8_lossy(slice::from_raw_parts(value, length)),
            Err(_) => CStr::from_ptr(value.cast::<c_char>()).to_string_lossy(),
        })
    };
    let domain = field(c"GLIB_DOMAIN").unwrap_or(Cow::Borrowed("GLib"));
    let asked_for = of_glib(level) == NativeLevel::Debug;
    let wanted = |own: &String| own == "all" || **own == *domain;
    if asked_for && !taken.debug_domains.iter().any(wanted) {
        return ffi::G_LOG_WRITER_HANDLED;
    }
    let is_last = level & (ffi::G_LOG_FLAG_FATAL | taken.always_fatal) != 0;
    tell(&NativeLine {
        domain: &domain,
        level: of_glib(level),
        asked_for,
        is_last,
        text: &field(c"MESSAGE").unwrap_or_default(),
    });
    // GLib ends the process itself, except of a structured message that is no error.
    let is_structured = field(c"GLIB_OLD_LOG_API").is_none();
    if is_last && is_structured && level & ffi::G_LOG_LEVEL_ERROR == 0 {
        std::process::abort();
    }
    ffi::G_LOG_WRITER_HANDLED
}

unsafe extern "C" fn print(text: *const c_char) {
    // SAFETY: GLib passes a text.
    tell_printed(unsafe { CStr::from_ptr(text) }, NativeLevel::Info);
}

unsafe extern "C" fn print_error(text: *const c_char) {
    // SAFETY: GLib passes a text.
    tell_printed(unsafe { CStr::from_ptr(text) }, NativeLevel::Warning);
}

fn tell_printed(text: &CStr, level: NativeLevel) {
    let text = text.to_string_lossy();
    let is_last = text.starts_with(ASSERTION);
    let level = if is_last { NativeLevel::Error } else { level };
    let text = text.trim_start_matches(ASSERTION).trim_end_matches('\n');
    if !text.is_empty() && !text.starts_with(AFTER_ASSERTION) {
        tell(&NativeLine { domain: "printed", level, asked_for: false, is_last, text });
    }
}
