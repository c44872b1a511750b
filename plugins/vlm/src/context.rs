//! Sharing one dispatcher among elements, or having somebody else ask for one, through a
//! `GstContext`.
//!
//! An application makes a [`Dispatcher`] and sets [`context`] on its pipelines before they leave
//! NULL. Without that, the first `vlmanalyze` of a pipeline makes a dispatcher and the others of
//! that pipeline share it.

use gst::{glib, prelude::*};
use live_vlm_dispatch::Dispatcher;
use tokio::runtime::Handle;

use crate::remote::RemoteAsker;

/// The type of the context.
pub const CONTEXT_TYPE: &str = "vlm.dispatcher";
const DISPATCHER: &str = "dispatcher";
const REMOTE_ASKER: &str = "remote-asker";

#[derive(Clone, Debug, glib::Boxed)]
#[boxed_type(name = "GstVlmDispatcher")]
struct SharedDispatcher(Dispatcher);

#[derive(Clone, Debug, glib::Boxed)]
#[boxed_type(name = "GstVlmRemoteAsker")]
struct SharedRemoteAsker(RemoteAsker);

/// How an element asks.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// By itself, on its turn.
    Dispatcher(Dispatcher),
    /// Somebody else does.
    Remote(RemoteAsker),
}

impl Way {
    /// Where its tasks run.
    pub(crate) fn runtime(&self) -> &Handle {
        match self {
            Self::Dispatcher(dispatcher) => dispatcher.runtime(),
            Self::Remote(asker) => asker.runtime(),
        }
    }
}

/// A context that gives `dispatcher` to every `vlmanalyze` it reaches.
pub fn context(dispatcher: &Dispatcher) -> gst::Context {
    with_field(DISPATCHER, &SharedDispatcher(dispatcher.clone()))
}

/// A context that has `asker` ask for the `vlmanalyze` that it reaches, which is to be one only.
pub fn remote_context(asker: &RemoteAsker) -> gst::Context {
    with_field(REMOTE_ASKER, &SharedRemoteAsker(asker.clone()))
}

fn with_field(name: &str, value: &(impl ToSendValue + Sync)) -> gst::Context {
    let mut context = gst::Context::new(CONTEXT_TYPE, true);
    if let Some(context) = context.get_mut() {
        context.structure_mut().set_value(name, value.to_send_value());
    }
    context
}

/// What a context carries.
pub(crate) fn way(context: &gst::ContextRef) -> Option<Way> {
    if context.context_type() != CONTEXT_TYPE {
        return None;
    }
    let structure = context.structure();
    if let Ok(SharedRemoteAsker(asker)) = structure.get(REMOTE_ASKER) {
        return Some(Way::Remote(asker));
    }
    structure.get(DISPATCHER).ok().map(|SharedDispatcher(dispatcher)| Way::Dispatcher(dispatcher))
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
