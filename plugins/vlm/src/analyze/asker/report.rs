//! How the asking task tells of answers and failures.

use std::sync::Arc;

use gst::{glib, prelude::*};

use super::super::{category::CAT, inbox::SharedInbox, shared::Run};
use crate::messages::{self, AnswerError};

/// Posts for one start of the element.
pub(super) struct Reporter {
    pub(super) element: glib::WeakRef<gst::Element>,
    pub(super) inbox: SharedInbox,
    pub(super) run: Arc<Run>,
}

impl Reporter {
    pub(super) fn tell(&self, error: &AnswerError) {
        self.run.count(|counters| counters.errors += 1);
        self.post(error.to_structure());
    }

    /// Ends the stream with an error, as `error-policy=fail` wants it.
    pub(super) fn fail(&self, message: &str) {
        if let Some(element) = self.element.upgrade()
            && !self.inbox.is_closed()
        {
            gst::element_error!(element, gst::ResourceError::Failed, ("{message}"));
        }
        self.inbox.fail();
    }

    pub(super) fn post(&self, structure: gst::Structure) {
        // What a stopped start has to say would be taken for the next one's.
        if let Some(element) = self.element.upgrade()
            && !self.inbox.is_closed()
        {
            messages::post(&element, structure);
        }
    }

    /// Tells whoever listens to the signal `answer`: after the turn, so that no server waits for
    /// them, and on a thread on which they may take their time.
    pub(super) async fn emit_answer(&self, answer: gst::Structure) {
        let Some(element) = self.element.upgrade().filter(|_| !self.inbox.is_closed()) else {
            return;
        };
        let emitted = tokio::task::spawn_blocking(move || {
            element.emit_by_name::<()>("answer", &[&answer]);
        });
        if emitted.await.is_err() {
            gst::error!(CAT, "A handler of the signal answer has panicked");
        }
    }
}
