//! Encoders that cost little: many senders share a machine with what they test.

use live_vlm_pipelines::{
    Codec, PipelineError,
    properties::{make, set_if_present, set_text_if_present},
};

/// Key frames only come when they are asked for: this many frames are over an hour.
const KEY_FRAME_DISTANCE: i32 = 120_000;

/// An encoder with its cheapest settings.
pub(super) fn encoder(codec: Codec, bitrate: u32) -> Result<gst::Element, PipelineError> {
    match codec {
        Codec::Vp8 | Codec::Vp9 => {
            let encoder = make(if codec == Codec::Vp8 { "vp8enc" } else { "vp9enc" })?;
            set_if_present(&encoder, "deadline", 1i64);
            set_if_present(&encoder, "cpu-used", if codec == Codec::Vp8 { 16i32 } else { 9 });
            set_if_present(&encoder, "threads", 1i32);
            set_if_present(&encoder, "lag-in-frames", 0i32);
            set_if_present(&encoder, "keyframe-max-dist", KEY_FRAME_DISTANCE);
            set_if_present(&encoder, "target-bitrate", i32::try_from(bitrate).unwrap_or(i32::MAX));
            set_text_if_present(&encoder, "end-usage", "cbr");
            set_text_if_present(&encoder, "keyframe-mode", "disabled");
            Ok(encoder)
        }
        Codec::H264 => {
            let encoder = make("x264enc")?;
            set_text_if_present(&encoder, "tune", "zerolatency");
            set_text_if_present(&encoder, "speed-preset", "ultrafast");
            set_if_present(&encoder, "threads", 1u32);
            set_if_present(&encoder, "bitrate", bitrate.div_ceil(1000));
            set_if_present(&encoder, "key-int-max", KEY_FRAME_DISTANCE.unsigned_abs());
            // No key frame at a change of scene either.
            set_text_if_present(&encoder, "option-string", "scenecut=0");
            Ok(encoder)
        }
    }
}
