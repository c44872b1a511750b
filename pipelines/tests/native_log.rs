//! What native libraries say comes to whoever took their log, by whichever way they say it.

use std::{
    env,
    ffi::{CStr, c_char},
    sync::Mutex,
};

use gst::glib::{self, ffi};
use live_vlm_pipelines::{NativeLevel, NativeLine, take_native_log};

static SAID: Mutex<Vec<(String, NativeLevel, bool, String)>> = Mutex::new(Vec::new());

/// What of our own libraries was said since the last time.
fn said() -> Vec<(String, NativeLevel, bool, String)> {
    let mut said = SAID.lock().unwrap();
    said.drain(..)
        .filter(|(domain, ..)| domain.starts_with("our-") || domain == "printed")
        .collect()
}

fn log(level: ffi::GLogLevelFlags, message: &CStr) {
    // SAFETY: all texts end with a zero.
    unsafe { ffi::g_log(c"our-library".as_ptr(), level, c"%s".as_ptr(), message.as_ptr()) };
}

fn log_structured(level: ffi::GLogLevelFlags, message: &CStr) {
    let field = |key: &CStr, value: &CStr| ffi::GLogField {
        key: key.as_ptr(),
        value: value.as_ptr().cast(),
        length: -1,
    };
    let fields = [field(c"GLIB_DOMAIN", c"our-library"), field(c"MESSAGE", message)];
    // SAFETY: there are two fields, and their texts end with a zero.
    unsafe { ffi::g_log_structured_array(level, fields.as_ptr(), fields.len()) };
}

/// One test, as all of it is the process'.
#[test]
fn everything_that_native_libraries_say_is_taken() {
    // SAFETY: nothing else reads the environment yet; this test has a process of its own.
    unsafe { env::set_var("G_MESSAGES_DEBUG", "our-library") };
    // The tests' G_DEBUG=fatal_warnings would end them here.
    glib::log_set_always_fatal(glib::LogLevels::LEVEL_ERROR);
    take_native_log(|line: &NativeLine<'_>| {
        let (domain, text) = (line.domain.to_owned(), line.text.to_owned());
        SAID.lock().unwrap().push((domain, line.level, line.asked_for, text));
    });
    gst::init().unwrap();
    said();

    let line = |level, asked_for, text: &str| ("our-library".into(), level, asked_for, text.into());
    for log in [log, log_structured] {
        log(ffi::G_LOG_LEVEL_CRITICAL, c"critical");
        log(ffi::G_LOG_LEVEL_WARNING, c"warn\xffing");
        log(ffi::G_LOG_LEVEL_MESSAGE, c"message");
        log(ffi::G_LOG_LEVEL_DEBUG, c"debug");
        // Of somebody's own.
        log(1 << 9, c"level");
        let expected = [
            line(NativeLevel::Error, false, "critical"),
            line(NativeLevel::Warning, false, "warn\u{fffd}ing"),
            line(NativeLevel::Info, false, "message"),
            line(NativeLevel::Debug, true, "debug"),
            line(NativeLevel::Info, false, "level"),
        ];
        let said = said();
        // The older way writes down by itself what is not UTF-8.
        let warning = &said[1].3;
        assert!(warning.starts_with("warn") && warning.ends_with("ing"), "{warning}");
        assert_eq!((&said[0], &said[2..]), (&expected[0], &expected[2..]));
    }
    // SAFETY: the texts end with a zero.
    unsafe {
        ffi::g_log(c"our-other".as_ptr(), ffi::G_LOG_LEVEL_DEBUG, c"unwanted".as_ptr());
        type Print = unsafe extern "C" fn(*const c_char, ...);
        let prints: [Print; 2] = [ffi::g_print, ffi::g_printerr];
        for print in prints {
            print(c"%s\n".as_ptr(), c"printed".as_ptr());
        }
    }
    let printed = |level| ("printed".into(), level, false, "printed".into());
    assert_eq!(said(), [printed(NativeLevel::Info), printed(NativeLevel::Warning)]);

    let category = gst::DebugCategory::new("our-category", gst::DebugColorFlags::empty(), None);
    category.set_threshold(gst::DebugLevel::Debug);
    gst::error!(category, "an error");
    gst::warning!(category, "a warning");
    gst::debug!(category, "a detail");
    gst::trace!(category, "too much");
    let said: Vec<_> = said()
        .into_iter()
        .map(|(domain, level, asked_for, text)| {
            assert_eq!(domain, "our-category");
            assert!(text.contains("native_log.rs:"), "{text}");
            (level, asked_for, text.rsplit(": ").next().unwrap().to_owned())
        })
        .collect();
    assert_eq!(
        said,
        [
            (NativeLevel::Error, false, "an error".to_owned()),
            (NativeLevel::Warning, false, "a warning".to_owned()),
            (NativeLevel::Debug, true, "a detail".to_owned()),
        ]
    );
}
