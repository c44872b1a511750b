//! Frames that a question may be about.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::stream_position::StreamPosition;
use gst_vlm_jpeg::RawFrame;

/// A frame that a question may be about.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) frame: Frame,
    /// When it is in its stream: its running time, or a stand-in for it.
    pub(crate) time: Duration,
    pub(crate) pts: Option<gst::ClockTime>,
    pub(crate) running_time: Option<gst::ClockTime>,
    /// When the frame was captured, as well as that is known here.
    pub(crate) captured: Instant,
    /// When it reached the element.
    pub(crate) arrived: Instant,
    /// Where a caption about it belongs.
    pub(crate) position: StreamPosition,
}

/// What there is of a sample's picture.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    /// A reference, which its pool misses.
    Raw(RawFrame),
    /// As JPEG. The frame went back to its pool.
    Encoded(Arc<Vec<u8>>),
}

impl Sample {
    pub(crate) fn age(&self) -> Duration {
        self.captured.elapsed()
    }

    /// How much memory it holds, in bytes.
    pub(super) fn size(&self) -> usize {
        match &self.frame {
            Frame::Raw(frame) => frame.buffer.size(),
            Frame::Encoded(jpeg) => jpeg.len(),
        }
    }
}

/// What one question shows.
#[derive(Clone, Debug)]
pub(crate) struct Clip {
    /// The frames before the newest one, oldest first.
    pub(crate) earlier: Vec<Sample>,
    /// The one that the question is about.
    pub(crate) newest: Sample,
}
