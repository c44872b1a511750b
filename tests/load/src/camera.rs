//! Pictures as a page sends them in place of video.

use std::sync::Arc;

use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    timecode,
    video::{Size, Video},
};

/// As a page's.
const QUALITY: u8 = 80;

/// Gives pictures when they are wanted: a still scene with some detail, and the time of capture.
#[derive(Debug, Clone)]
pub(crate) struct Camera {
    size: Size,
    scene: Arc<Vec<u8>>,
}

impl Camera {
    pub(crate) fn new(size: Size) -> Self {
        let (width, height) = (size.width as usize, size.height as usize);
        let shade = |at: usize| {
            let (x, y) = (at % width, at / width);
            // Waves of growing frequency, as in the live video's pattern.
            u8::try_from(x * y / 48 % 200).unwrap_or(u8::MAX)
        };
        Self { size, scene: Arc::new((0..width * height).map(shade).collect()) }
    }

    /// What the age of its pictures is told by: the time of day in them.
    pub(crate) fn as_video(&self) -> Video {
        Video::Live { size: self.size, frame_rate: 1 }
    }

    /// The answer to a `frame_wanted`; `None` if it cannot be made.
    pub(crate) fn picture(&self, wanted: &Value) -> Option<Message> {
        let Size { width, height } = self.size;
        let mut luma = self.scene.to_vec();
        timecode::draw(&mut luma, width as usize, timecode::now_ms());
        // Taken just now: no older than it is.
        let age = 0_u32.to_be_bytes();
        let seq = u32::try_from(wanted["seq"].as_u64()?).ok()?.to_be_bytes();
        let mut message = [seq, age].concat();
        JpegEncoder::new_with_quality(&mut message, QUALITY)
            .encode(&luma, width, height, ExtendedColorType::L8)
            .ok()?;
        Some(Message::binary(message))
    }
}
