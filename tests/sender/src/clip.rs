//! Video that is encoded once and sent by many, so that senders cost little more than RTP.
//!
//! Every frame is encoded twice: in a chain of delta frames and as a key frame. A sender goes along
//! the chain and puts the key frame in the place of the delta frame when one is asked for, as an
//! encoder does. What follows still decodes: no frame builds on the entropy coder's state of the
//! one before (RFC 6386, 9.11: `refresh_entropy_probs` is 0), and pictures differ only by what the
//! two encodings of one frame do.

use std::{path::Path, sync::Arc, time::Duration};

use gst::prelude::*;
use gst_app::{AppSink, AppSrc};

use live_vlm_pipelines::{
    Codec,
    properties::{set_if_present, set_text_if_present},
};

use super::{BoxError, SenderError, encoder::encoder};

/// Decoding or encoding one frame takes some milliseconds.
const STUCK: gst::ClockTime = gst::ClockTime::from_seconds(20);
/// Only the last frame is built on, and none changes what the entropy coder starts from.
const CHAINED: &str = "<no-ref-golden+no-ref-alt+no-upd-golden+no-upd-alt+no-upd-entropy>";
/// Of 63; a key frame of 640x480 takes some 10 kB with it, as a browser's does.
const KEY_QUANTIZER: i32 = 36;

/// What a [`Clip`] is made of.
#[derive(Debug, Clone)]
pub struct ClipOptions {
    /// The beginning of a line for gst-launch, up to raw video; it starts again when it ends, and
    /// need not be live. [`ClipOptions::file`] gives that of a file.
    pub source: String,
    /// In pixels. Default: 640.
    pub width: u32,
    /// In pixels. Default: 480.
    pub height: u32,
    /// Frames a second, 1 or more. Default: 30.
    pub frame_rate: u32,
    /// How many frames, 1 or more; the clip is played over and over. Default: 300.
    pub frames: usize,
    /// Bits per second, without the key frames that are asked for. Default: 1,000,000.
    pub bitrate: u32,
}

impl Default for ClipOptions {
    fn default() -> Self {
        Self {
            source: "videotestsrc pattern=zone-plate kx2=8 ky2=8 kt=4".to_owned(),
            width: 640,
            height: 480,
            frame_rate: 30,
            frames: 300,
            bitrate: 1_000_000,
        }
    }
}

impl ClipOptions {
    /// Video from a file that GStreamer can decode.
    pub fn file(path: &Path) -> Self {
        let path = path.display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
        Self { source: format!("filesrc location=\"{path}\" ! decodebin"), ..Self::default() }
    }

    fn caps(&self, kind: &str) -> gst::Caps {
        let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        let mut caps = gst::Caps::builder(kind)
            .field("width", number(self.width))
            .field("height", number(self.height))
            .field("framerate", gst::Fraction::new(number(self.frame_rate.max(1)), 1));
        if kind == "video/x-raw" {
            caps =
                caps.field("format", "I420").field("pixel-aspect-ratio", gst::Fraction::new(1, 1));
        }
        caps.build()
    }

    fn frame_time(&self) -> Duration {
        Duration::from_secs(1) / self.frame_rate.max(1)
    }

    fn time_of(&self, number: usize) -> Option<gst::ClockTime> {
        let number = u64::try_from(number).ok()?;
        gst::ClockTime::SECOND.mul_div_floor(number, self.frame_rate.max(1).into())
    }
}

/// VP8 video in memory, for any number of senders at once.
#[derive(Debug)]
pub struct Clip {
    frames: Vec<Coded>,
    caps: gst::Caps,
    frame_time: Duration,
}

/// One frame in both forms.
#[derive(Debug)]
struct Coded {
    chained: gst::Buffer,
    key: gst::Buffer,
}

impl Clip {
    /// Encodes a clip, which takes some milliseconds a frame. `paint` may draw on each raw I420
    /// frame: it gets the frame's number and its planes.
    ///
    /// # Errors
    /// [`SenderError::Pipeline`] when the source gives no video or an element is missing.
    pub fn encode(
        options: &ClipOptions,
        paint: impl FnMut(usize, &mut [u8]),
    ) -> Result<Arc<Self>, SenderError> {
        Self::encoded(options, paint).map(Arc::new).map_err(SenderError::pipeline)
    }

    /// How many frames it has; frame numbers are smaller.
    pub fn frames(&self) -> usize {
        self.frames.len()
    }

    /// The bytes of all frames as they are sent when nobody asks for key frames.
    pub fn size(&self) -> usize {
        self.frames.iter().map(|frame| frame.chained.size()).sum()
    }

    pub(super) fn caps(&self) -> &gst::Caps {
        &self.caps
    }

    pub(super) fn frame_time(&self) -> Duration {
        self.frame_time
    }

    /// A frame without a time; its bytes are shared. A number beyond the last is the last's.
    pub(super) fn frame(&self, number: usize, key: bool) -> gst::Buffer {
        let coded = &self.frames[number.min(self.frames.len() - 1)];
        let mut frame = if key { &coded.key } else { &coded.chained }.copy();
        let timeless = frame.make_mut();
        timeless.set_pts(None);
        timeless.set_dts(None);
        frame
    }

    fn encoded(
        options: &ClipOptions,
        mut paint: impl FnMut(usize, &mut [u8]),
    ) -> Result<Self, BoxError> {
        gst::init()?;
        let wanted = options.frames.max(1);
        let chain = Encoder::start(options, chained_encoder(options.bitrate)?)?;
        let keys = Encoder::start(options, key_encoder(options.bitrate)?)?;
        let mut number = 0;
        while number < wanted {
            let began = number;
            let source = Source::open(options)?;
            while let Some(mut frame) = source.next().filter(|_| number < wanted) {
                {
                    let frame = frame.make_mut();
                    frame.set_pts(options.time_of(number));
                    let mut planes = frame.map_writable()?;
                    paint(number, &mut planes);
                }
                chain.push(frame.clone())?;
                keys.push(frame)?;
                number += 1;
            }
            if number == began {
                return Err(source.pipeline.complaint().into());
            }
        }
        let (chain, keys) = (chain.finish(wanted)?, keys.finish(wanted)?);
        let is_delta = |frame: &gst::Buffer| frame.flags().contains(gst::BufferFlags::DELTA_UNIT);
        if is_delta(&chain[0]) || !chain[1..].iter().all(is_delta) || keys.iter().any(is_delta) {
            return Err("the encoder chose its key frames itself".into());
        }
        let frames =
            chain.into_iter().zip(keys).map(|(chained, key)| Coded { chained, key }).collect();
        let (caps, frame_time) = (options.caps("video/x-vp8"), options.frame_time());
        Ok(Self { frames, caps, frame_time })
    }
}

fn chained_encoder(bitrate: u32) -> Result<gst::Element, BoxError> {
    let encoder = encoder(Codec::Vp8, bitrate)?;
    set_text_if_present(&encoder, "temporal-scalability-layer-flags", CHAINED);
    Ok(encoder)
}

fn key_encoder(bitrate: u32) -> Result<gst::Element, BoxError> {
    let encoder = chained_encoder(bitrate)?;
    set_text_if_present(&encoder, "keyframe-mode", "auto");
    set_if_present(&encoder, "keyframe-max-dist", 0i32);
    set_if_present(&encoder, "min-quantizer", KEY_QUANTIZER);
    set_if_present(&encoder, "max-quantizer", KEY_QUANTIZER);
    Ok(encoder)
}

/// A pipeline that ends with this; it may stop on any thread but its own.
struct Stopped(gst::Pipeline);

impl Stopped {
    /// Why there was no frame.
    fn complaint(&self) -> String {
        let error = self.0.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        match error.as_deref().map(gst::MessageRef::view) {
            Some(gst::MessageView::Error(error)) => format!("the clip fails: {}", error.error()),
            _ => "the clip's source gives no video".to_owned(),
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}

fn run(chain: &[gst::Element]) -> Result<Stopped, BoxError> {
    let pipeline = gst::Pipeline::new();
    pipeline.add_many(chain)?;
    gst::Element::link_many(chain)?;
    play(pipeline)
}

fn play(pipeline: gst::Pipeline) -> Result<Stopped, BoxError> {
    let pipeline = Stopped(pipeline);
    pipeline.0.set_state(gst::State::Playing).map_err(|_| pipeline.complaint())?;
    Ok(pipeline)
}

/// Raw frames of the wanted size and rate, as fast as they can be had.
struct Source {
    sink: AppSink,
    pipeline: Stopped,
}

impl Source {
    fn open(options: &ClipOptions) -> Result<Self, BoxError> {
        // Not as a bin: that would take the pad of what a decoder will be linked to for its own.
        let line = format!(
            "{} ! videoconvert ! videoscale add-borders=true ! videorate ! \
             appsink name=frames sync=false max-buffers=2",
            options.source
        );
        let cannot =
            |error: &dyn std::fmt::Display| format!("the clip's source cannot be made: {error}");
        let pipeline = gst::parse::launch(&line).map_err(|error| cannot(&error))?;
        let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| cannot(&"no pipeline"))?;
        let sink = pipeline.by_name("frames").and_downcast::<AppSink>().ok_or("no appsink")?;
        sink.set_caps(Some(&options.caps("video/x-raw")));
        Ok(Self { pipeline: play(pipeline)?, sink })
    }

    /// `None` at the end.
    fn next(&self) -> Option<gst::Buffer> {
        self.sink.try_pull_sample(STUCK)?.buffer_owned()
    }
}

struct Encoder {
    source: AppSrc,
    sink: AppSink,
    _pipeline: Stopped,
}

impl Encoder {
    fn start(options: &ClipOptions, encoder: gst::Element) -> Result<Self, BoxError> {
        let source = AppSrc::builder()
            .caps(&options.caps("video/x-raw"))
            .format(gst::Format::Time)
            .block(true)
            .build();
        let sink = AppSink::builder().sync(false).build();
        let pipeline = run(&[source.clone().upcast(), encoder, sink.clone().upcast()])?;
        Ok(Self { source, sink, _pipeline: pipeline })
    }

    fn push(&self, frame: gst::Buffer) -> Result<(), BoxError> {
        self.source.push_buffer(frame).map(drop).map_err(|_| "the clip's encoder fails".into())
    }

    fn finish(&self, frames: usize) -> Result<Vec<gst::Buffer>, BoxError> {
        self.source.end_of_stream()?;
        let coded: Vec<gst::Buffer> = std::iter::from_fn(|| self.sink.try_pull_sample(STUCK))
            .take(frames)
            .filter_map(|sample| sample.buffer_owned())
            .collect();
        if coded.len() == frames {
            return Ok(coded);
        }
        Err(format!("the clip's encoder gave {} of {frames} frames", coded.len()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use live_vlm_pipelines::properties::make;

    const FRAMES: usize = 40;

    fn small() -> ClipOptions {
        let (width, height, bitrate) = (160, 120, 200_000);
        ClipOptions { width, height, bitrate, frames: FRAMES, ..ClipOptions::default() }
    }

    /// The mean difference of each decoded picture from the one that was encoded, in shades.
    fn errors(clip: &Clip, raw: &[Vec<u8>], is_key: impl Fn(usize) -> bool) -> Vec<f64> {
        let source =
            AppSrc::builder().caps(clip.caps()).format(gst::Format::Time).block(true).build();
        let sink = AppSink::builder().sync(false).build();
        let decoder = make("vp8dec").unwrap();
        let _running = run(&[source.clone().upcast(), decoder, sink.clone().upcast()]).unwrap();
        for number in 0..clip.frames() {
            let mut frame = clip.frame(number, is_key(number));
            frame.make_mut().set_pts(gst::ClockTime::from_mseconds(33 * number as u64));
            source.push_buffer(frame).unwrap();
        }
        source.end_of_stream().unwrap();
        std::iter::from_fn(|| sink.try_pull_sample(STUCK))
            .zip(raw)
            .map(|(sample, raw)| {
                let picture = sample.buffer().unwrap().map_readable().unwrap();
                let sum: u64 =
                    picture.iter().zip(raw).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
                sum as f64 / raw.len() as f64
            })
            .collect()
    }

    #[test]
    fn a_chain_with_key_frames_put_in_decodes_to_what_was_encoded() {
        let mut raw = Vec::new();
        let clip = Clip::encode(&small(), |number, planes| {
            planes[..160 * 20].fill(if number % 2 == 0 { 16 } else { 235 });
            raw.push(planes.to_vec());
        })
        .unwrap();
        assert_eq!(clip.frames(), FRAMES);
        let alone = errors(&clip, &raw, |_| false);
        let mixed = errors(&clip, &raw, |number| [7, 20, 21].contains(&number));
        assert_eq!((alone.len(), mixed.len()), (FRAMES, FRAMES));
        for (number, (alone, mixed)) in alone.iter().zip(&mixed).enumerate() {
            assert!(*alone < 5.0 && *mixed < 5.0, "{number}: {alone} alone, {mixed} mixed");
        }
    }

    #[test]
    fn a_short_source_is_started_again() {
        let source = "videotestsrc num-buffers=7".to_owned();
        let clip = Clip::encode(&ClipOptions { source, frames: 20, ..small() }, |_, _| ()).unwrap();
        assert_eq!(clip.frames(), 20);
    }

    #[test]
    fn a_source_that_cannot_be_had_is_said_to_be() {
        let missing = ClipOptions { frames: 2, ..ClipOptions::file(Path::new("/no/such.webm")) };
        let error = Clip::encode(&missing, |_, _| ()).unwrap_err().to_string();
        assert!(error.contains("the clip fails"), "{error}");
    }
}
