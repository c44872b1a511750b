//! The pipelines of `plugins/vlm/launch` and the `gst-launch-1.0` lines of the documentation. What
//! this machine can run is run as a user runs it, in a process of its own, and leaks nothing; the
//! rest is run with stand-ins for NVIDIA's elements.

mod documented;
mod files;
mod hardware;
mod live;
mod scripts;
mod support;
