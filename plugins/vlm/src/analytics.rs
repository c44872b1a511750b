//! Answers as classification metadata of GStreamer's analytics library (1.24), for elements that
//! know that and not ours.

use gst::glib;
use gst_analytics::{AnalyticsRelationMeta, prelude::*};

/// A VLM does not say how sure it is.
const CONFIDENCE: f32 = 1.0;

/// Adds a classification per class, behind what other elements have put on the buffer: the library
/// only ever adds. Their names are kept by the process for ever, so they must be
/// few: those that a schema allows.
pub(crate) fn attach(buffer: &mut gst::BufferRef, classes: &[String]) {
    let mut relations = if buffer.meta::<AnalyticsRelationMeta>().is_some() {
        match buffer.meta_mut::<AnalyticsRelationMeta>() {
            Some(relations) => relations,
            None => return,
        }
    } else {
        AnalyticsRelationMeta::add(buffer)
    };
    for class in classes {
        // A meta that is full takes no more; the answer is on the buffer as ours all the same.
        if relations.add_one_cls_mtd(CONFIDENCE, glib::Quark::from_str(class)).is_err() {
            return;
        }
    }
}
