//! Sharing one dispatcher among elements, through a `GstContext`.
//!
//! An application makes a [`Dispatcher`] and sets [`context`] on its pipelines before they leave
//! NULL. Without that, the first `vlmanalyze` of a pipeline makes a dispatcher and the others of
//! that pipeline share it.

use gst::{glib, prelude::*};
use live_vlm_dispatch::Dispatcher;

/// The type of the context.
pub const CONTEXT_TYPE: &str = "vlm.dispatcher";
const FIELD: &str = "dispatcher";

#[derive(Clone, Debug, glib::Boxed)]
#[boxed_type(name = "GstVlmDispatcher")]
struct SharedDispatcher(Dispatcher);

/// A context that gives `dispatcher` to every `vlmanalyze` it reaches.
pub fn context(dispatcher: &Dispatcher) -> gst::Context {
    let mut context = gst::Context::new(CONTEXT_TYPE, true);
    if let Some(context) = context.get_mut() {
        context.structure_mut().set(FIELD, SharedDispatcher(dispatcher.clone()));
    }
    context
}

/// The dispatcher that a context carries.
pub(crate) fn dispatcher(context: &gst::ContextRef) -> Option<Dispatcher> {
    if context.context_type() != CONTEXT_TYPE {
        return None;
    }
    context.structure().get::<SharedDispatcher>(FIELD).ok().map(|shared| shared.0)
}

/// Looks for a dispatcher in what the element was given before, then asks the neighbours, then
/// the application. Whatever they give arrives through `ElementImpl::set_context` before this
/// returns.
pub(crate) fn request(element: &gst::Element) {
    if let Some(context) = element.context(CONTEXT_TYPE) {
        element.set_context(&context);
        return;
    }
    for pad in element.pads() {
        let mut query = gst::query::Context::new(CONTEXT_TYPE);
        if pad.peer_query(query.query_mut())
            && let Some(context) = query.context_owned()
        {
            element.set_context(&context);
            return;
        }
    }
    let _ =
        element.post_message(gst::message::NeedContext::builder(CONTEXT_TYPE).src(element).build());
}

/// Tells the application of a dispatcher that `element` made, for others to share.
pub(crate) fn announce(element: &gst::Element, dispatcher: &Dispatcher) {
    let message = gst::message::HaveContext::builder(context(dispatcher)).src(element).build();
    let _ = element.post_message(message);
}
