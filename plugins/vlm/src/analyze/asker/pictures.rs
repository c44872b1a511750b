//! What a question shows.

use std::sync::Arc;

use gst::glib;
use gst_vlm_jpeg::EncodeError;

use super::super::{
    sample::{Clip, Frame, Sample},
    settings::Settings,
};

/// A picture, and what is said of it.
pub(super) struct Picture {
    pub(super) jpeg: Arc<Vec<u8>>,
    /// Tells the pictures of a clip apart; else empty.
    pub(super) label: String,
}

/// Encodes what is not yet encoded, on the way freeing the frames for their pools: answers take
/// seconds, and a camera's pool may have four frames.
pub(super) async fn pictures(
    clip: &mut Clip,
    settings: &Settings,
    element: &glib::WeakRef<gst::Element>,
) -> Result<Vec<Picture>, EncodeError> {
    let is_clip = settings.frames > 1;
    let mut pictures = Vec::with_capacity(clip.earlier.len() + 1);
    for sample in clip.earlier.iter_mut().chain([&mut clip.newest]) {
        let jpeg = match &sample.frame {
            Frame::Encoded(jpeg) => Arc::clone(jpeg),
            Frame::Raw(frame) => {
                let encoded = gst_vlm_jpeg::encode(frame.clone(), settings.jpeg(), element).await;
                Arc::new(encoded?)
            }
        };
        sample.frame = Frame::Encoded(Arc::clone(&jpeg));
        let label = if is_clip { label(sample) } else { String::new() };
        pictures.push(Picture { jpeg, label });
    }
    Ok(pictures)
}

fn label(sample: &Sample) -> String {
    format!("Frame at {:.2} s:", sample.time.as_secs_f64())
}
