//! What the element's tests share: a VLM that says what the test wants, and a bench that the
//! element stands on. Nothing here sleeps; whoever waits does so for an event, and not for ever.

mod bench;
mod captions;
mod slots;
pub(crate) mod stand_ins;
mod vlm;

use std::time::Duration;

pub(crate) use bench::{Bench, FORMAT, Heard, frame, heard, stream_error, vlmanalyze};
pub(crate) use captions::{Captions, Said, assert_in_order, gaps};
pub(crate) use slots::Slots;
pub(crate) use vlm::{Asked, Vlm, nobody};

/// Longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// Starts GStreamer with this plugin. Each test has a process of its own.
pub(crate) fn init() {
    init_with_env(&[]);
}

/// The same, with variables in the environment.
pub(crate) fn init_with_env(variables: &[(&str, &str)]) {
    let always = [("G_DEBUG", "fatal_warnings"), ("NO_PROXY", "127.0.0.1")];
    // SAFETY: the test's first act, in a process of its own: no other thread reads the
    // environment yet.
    unsafe {
        for name in ["VLM_API_BASE", "VLM_API_KEY", "VLM_MODEL"] {
            std::env::remove_var(name);
        }
        for (name, value) in always.iter().chain(variables) {
            std::env::set_var(name, value);
        }
    }
    gst::init().unwrap();
    gstvlm::register_static().unwrap();
}

/// Runs `work` on a thread of its own and says when it is done.
pub(crate) fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> std::sync::mpsc::Receiver<T> {
    let (done, when_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _ = done.send(work());
    });
    when_done
}

/// Width and height from a JPEG's start-of-frame marker (ITU T.81, B.2.2).
pub(crate) fn jpeg_size(jpeg: &[u8]) -> (u16, u16) {
    let at = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    let edge = |at: usize| u16::from_be_bytes([jpeg[at], jpeg[at + 1]]);
    (edge(at + 7), edge(at + 5))
}

/// A JPEG's picture, read by a decoder that has nothing to do with GStreamer. It has to be JFIF, whose
/// colours every decoder knows.
pub(crate) fn decoded(jpeg: &[u8]) -> image::RgbImage {
    assert_eq!(jpeg.get(6..11), Some(b"JFIF\0".as_slice()), "it is JFIF");
    image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg).unwrap().into_rgb8()
}

/// Whether two colours can hardly be told apart.
pub(crate) fn is_about(seen: [u8; 3], meant: [u8; 3]) -> bool {
    seen.iter().zip(meant).all(|(seen, meant)| seen.abs_diff(meant) <= 4)
}
