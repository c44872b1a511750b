//! SECTION:element-vlmanalyze
//!
//! `vlmanalyze` shows frames of a running video to a Vision Language Model (VLM) behind any
//! OpenAI-compatible server (vLLM, Ollama, SGLang, llama.cpp, NIM, cloud) and gives its answers as
//! messages on the bus and as metadata on buffers. Video passes through untouched and is never
//! held up, unless `busy=wait` asks for it.
//!
//! The element posts `vlm-answer` messages while an answer is being written and once it is
//! complete, and `vlm-error` messages when a question fails; a failing VLM never stops the
//! pipeline. Their fields are those of [`Answer`](crate::messages::Answer) and
//! [`AnswerError`](crate::messages::AnswerError). Every buffer carries the newest complete answer
//! as a `GstVlmAnswerMeta`. The property `overlay` puts answers over the picture as text.
//!
//! ## Captions
//!
//! The request pad `text`, of which there is one at most, pushes each complete answer as
//! `text/x-raw` in the video's segment: `format=utf8`, or `pango-markup` (with `&`, `<` and `>`
//! escaped) where downstream prefers that. With `busy=wait` a caption has its frame's timestamp
//! and lasts until the next sample; else it begins when it is known, and lasts for `interval` or,
//! if longer, for the time since the caption before. Gap events tell where no caption begins. The
//! pad has a thread and a bounded queue of its own: nothing that happens to the text holds the
//! video up, and if it is far behind, its oldest captions go (`captions-dropped` in `stats`).
//! `text-format=json` writes lines of JSON instead.
//!
//! `matroskamux` needs no queues between the two; muxers that want data of all their pads at once,
//! as `mp4mux` does, want one in front of their video pad.
//!
//! ## Example
//!
//! ```console
//! gst-launch-1.0 -m v4l2src ! videoconvert ! vlmanalyze prompt="What is on the desk?" ! \
//!     autovideosink
//! gst-launch-1.0 filesrc location=clip.mp4 ! decodebin3 ! videoconvert ! \
//!     vlmanalyze name=v busy=wait ! fakesink v.text ! webvttenc ! filesink location=clip.vtt
//! ```

mod allocation;
mod asker;
mod category;
mod drawing;
mod imp;
mod inbox;
mod orientation;
mod properties;
mod sample;
mod sampler;
mod settings;
mod shared;
mod stream;
mod stream_position;
mod text;
mod window;

use gst::{glib, prelude::*, subclass::prelude::*};
pub use settings::{Busy, ErrorPolicy, TextFormat};
use vlm_client::Endpoint;

pub use gst_vlm_overlay::{OverlayMode, OverlayPosition};

glib::wrapper! {
    /// The element `vlmanalyze`.
    pub struct VlmAnalyze(ObjectSubclass<imp::VlmAnalyze>) @extends gst::Element, gst::Object;
}

impl VlmAnalyze {
    /// Changes the server and its key in one step, so that no question is asked of the one with
    /// the key of the other. The properties `api-base` and `api-key` do it in two.
    pub fn set_endpoint(&self, endpoint: &Endpoint) {
        self.imp().set_endpoint(endpoint);
    }
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "vlmanalyze", gst::Rank::NONE, VlmAnalyze::static_type())
}
