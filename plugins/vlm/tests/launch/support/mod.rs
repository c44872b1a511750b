//! What these tests share. Nothing sleeps, and whatever is started ends in bounded time.

mod demo;
mod rtsp;
mod run;
mod script;
pub(crate) mod stand_ins;
mod video;

pub(crate) use self::{
    demo::Demo,
    rtsp::Camera,
    run::{Bench, Ran},
    script::{description, folder, root, scripts, words, zero_ended},
    video::video,
};

/// Starts GStreamer with this plugin, and with stand-ins for what this machine lacks.
pub(crate) fn init() {
    // SAFETY: the test's first act, in a process of its own: no other thread reads the
    // environment yet.
    unsafe {
        std::env::set_var("G_DEBUG", "fatal-criticals");
        std::env::set_var("NO_PROXY", "127.0.0.1");
        for name in ["VLM_API_BASE", "VLM_API_KEY", "VLM_MODEL"] {
            std::env::remove_var(name);
        }
    }
    gst::init().unwrap();
    gstvlm::register_static().unwrap();
    stand_ins::register();
}
