//! All that this crate knows of `vlmanalyze`: its properties, its messages, its context.

use gst::prelude::*;
use gstvlm::VlmAnalyze;
pub use gstvlm::messages::{Answer, AnswerError, CANCELLED};
pub(crate) use gstvlm::{
    context::remote_context,
    remote::{FromElement, Picture, RemoteAsker},
};

use crate::{
    DecodeMode, PeerSettings, PipelineError,
    properties::{make, set_if_present},
};

/// A new `vlmanalyze`.
pub(crate) fn element() -> Result<gst::Element, PipelineError> {
    gst::init()?;
    gstvlm::register_static()?;
    make("vlmanalyze")
}

/// The context that has every connection's element share `dispatcher`, for
/// [`PeerOptions::context`](crate::PeerOptions::context).
pub fn dispatcher_context(dispatcher: &live_vlm_dispatch::Dispatcher) -> gst::Context {
    gstvlm::context::context(dispatcher)
}

/// Hands the settings to the element, those that it has.
pub(crate) fn set_properties(element: &gst::Element, settings: &PeerSettings) {
    if let (Some(element), Some(endpoint)) =
        (element.downcast_ref::<VlmAnalyze>(), &settings.endpoint)
    {
        // The server and its key in one step.
        element.set_endpoint(endpoint);
    }
    set_if_present(element, "model", settings.model.clone());
    set_if_present(element, "ask", settings.asks);
    settings.choices.set_properties(element);
}

/// Tells the element whether frames come only when asked for.
pub(crate) fn set_mode(element: &gst::Element, mode: DecodeMode) {
    set_if_present(element, "on-demand", mode.is_on_demand());
}

/// Asks about a new frame at once.
pub(crate) fn ask_now(element: &gst::Element) {
    if element.is::<VlmAnalyze>() {
        element.emit_by_name::<()>("analyze-now", &[]);
    }
}
