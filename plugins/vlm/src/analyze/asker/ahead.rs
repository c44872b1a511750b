//! A picture that is made before its turn, so that no slot waits for it.

use std::{sync::Arc, time::Instant};

use gst::glib;
use gst_vlm_jpeg::JpegOptions;
use tokio::task::JoinHandle;

use super::super::sample::{Clip, Frame, Sample};

/// The picture of one frame, being made.
pub(super) struct Ahead {
    arrived: Instant,
    task: JoinHandle<Option<Vec<u8>>>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Ahead {
    /// Begins with it; `None` if there is nothing to do.
    pub(super) fn begin(
        sample: &Sample,
        options: JpegOptions,
        element: &glib::WeakRef<gst::Element>,
    ) -> Option<Self> {
        let Frame::Raw(frame) = &sample.frame else { return None };
        let (frame, element) = (frame.clone(), element.clone());
        // What fails now fails again on the turn, and is told then.
        let task = async move { gst_vlm_jpeg::encode(frame, options, &element).await.ok() };
        Some(Self { arrived: sample.arrived, task: tokio::spawn(task) })
    }

    /// Whether it is of this frame.
    pub(super) fn is_of(&self, arrived: Instant) -> bool {
        self.arrived == arrived
    }

    /// Puts the picture in the place of its frame, if the clip ends with that.
    pub(super) async fn put_into(mut self, clip: &mut Clip) {
        if self.is_of(clip.newest.arrived)
            && let Ok(Some(jpeg)) = (&mut self.task).await
        {
            clip.newest.frame = Frame::Encoded(Arc::new(jpeg));
        }
    }
}
