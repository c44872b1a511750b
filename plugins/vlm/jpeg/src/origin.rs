//! Where a frame comes from, for hardware elements that must share its display, device or context.

use gst::{glib, prelude::*};

/// The element that frames come from.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    element: glib::WeakRef<gst::Element>,
    /// Tells origins apart without holding on to them.
    address: usize,
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
    }
}

impl Origin {
    pub(super) fn of(element: &gst::Element) -> Self {
        Self { element: element.downgrade(), address: element.as_ptr().addr() }
    }

    /// Whether the element is there still; if not, another one may get its address.
    pub(super) fn is_there(&self) -> bool {
        self.element.upgrade().is_some()
    }

    /// Gives `bin` the contexts that the application and the pipeline gave the element.
    pub(super) fn share_with(&self, bin: &gst::Bin) {
        for context in self.element.upgrade().iter().flat_map(ElementExt::contexts) {
            bin.set_context(&context);
        }
    }

    /// Asks the element's neighbours for a context.
    pub(super) fn ask(&self, query: &mut gst::QueryRef) -> bool {
        let Some(element) = self.element.upgrade() else { return false };
        element.sink_pads().into_iter().chain(element.src_pads()).any(|pad| pad.peer_query(query))
    }
}
