//! Frames to JPEG, by GStreamer's own elements, off the streaming threads.
//!
//! Encoders are shared by the process: as many exist as were ever busy at once, and at most one
//! per core. An encoder is a small bin that frames are pushed through on the calling thread, so
//! it has no thread of its own.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use gst::prelude::*;
use tokio::sync::Semaphore;

/// How a frame is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JpegOptions {
    /// The longest edge in pixels; larger frames are scaled down, smaller ones stay. 0 = no limit.
    pub(crate) max_size: u32,
    /// 1 to 100.
    pub(crate) quality: u8,
}

/// Why a frame was not encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EncodeError {
    #[error(
        "cannot make the JPEG encoder `{description}`: {reason}; install GStreamer's base and \
         good plugins"
    )]
    Missing { description: String, reason: String },
    #[error("frames in {feature} cannot be brought to memory: none of {tried} is installed")]
    NoDownload { feature: String, tried: String },
    #[error("the frame could not be encoded: {0}")]
    Failed(String),
}

static ROOM: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(most_at_once()));
static IDLE: Mutex<Vec<Encoder>> = Mutex::new(Vec::new());

fn most_at_once() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Encodes a frame on a blocking thread of the current runtime.
pub(crate) async fn encode(
    buffer: gst::Buffer,
    caps: gst::Caps,
    options: JpegOptions,
) -> Result<Vec<u8>, EncodeError> {
    let room = ROOM.acquire().await.map_err(|error| EncodeError::Failed(error.to_string()))?;
    tokio::task::spawn_blocking(move || {
        // Here, because encoding goes on when nobody waits for it any more.
        let _room = room;
        encode_now(buffer, &caps, options)
    })
    .await
    .map_err(|error| EncodeError::Failed(error.to_string()))?
}

fn encode_now(
    buffer: gst::Buffer,
    caps: &gst::Caps,
    options: JpegOptions,
) -> Result<Vec<u8>, EncodeError> {
    let to_memory =
        to_memory(&memory_feature(caps), |name| gst::ElementFactory::find(name).is_some())?;
    let idle = {
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        let at = idle.iter().position(|encoder| encoder.to_memory == to_memory);
        at.map(|at| idle.swap_remove(at))
    };
    let mut encoder = match idle {
        Some(encoder) => encoder,
        None => Encoder::new(&to_memory)?,
    };
    let jpeg = encoder.encode(buffer, caps, options)?;
    // Only one that works goes back; the others are made anew.
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    if idle.len() < most_at_once() {
        idle.push(encoder);
    }
    Ok(jpeg)
}

fn memory_feature(caps: &gst::Caps) -> String {
    caps.features(0)
        .and_then(|features| features.iter().find(|f| f.as_str().starts_with("memory:")))
        .map_or_else(|| "memory:SystemMemory".to_owned(), |feature| feature.to_string())
}

/// What brings frames with a memory feature into ordinary memory, scaled on the way where the
/// hardware can. The first that is installed is taken.
fn to_memory(feature: &str, installed: impl Fn(&str) -> bool) -> Result<String, EncodeError> {
    let choices: &[&[&str]] = match feature {
        "memory:SystemMemory" => return Ok(String::new()),
        "memory:NVMM" => &[&["nvvideoconvert"], &["nvvidconv"]],
        "memory:CUDAMemory" => &[&["cudaconvertscale", "cudadownload"], &["cudadownload"]],
        "memory:GLMemory" => &[&["glcolorscale", "gldownload"], &["gldownload"]],
        "memory:VAMemory" => &[&["vapostproc"]],
        // Most DMABufs can be mapped like ordinary memory.
        "memory:DMABuf" => &[&["vapostproc"], &["identity"]],
        _ => &[],
    };
    let chosen = choices.iter().find(|elements| elements.iter().all(|name| installed(name)));
    chosen.map(|elements| format!("{} ! video/x-raw ! ", elements.join(" ! "))).ok_or_else(|| {
        EncodeError::NoDownload {
            feature: feature.to_owned(),
            tried: choices.iter().map(|c| c.join(" ! ")).collect::<Vec<_>>().join(", "),
        }
    })
}

struct Encoder {
    to_memory: String,
    bin: gst::Bin,
    bus: gst::Bus,
    size: gst::Element,
    jpegenc: gst::Element,
    input: gst::Pad,
    _output: gst::Pad,
    encoded: Arc<Mutex<Option<gst::Buffer>>>,
    caps: Option<gst::Caps>,
}

impl Encoder {
    fn new(to_memory: &str) -> Result<Self, EncodeError> {
        // Scaling first: converting fewer pixels is cheaper. jpegenc takes I420 as it is.
        let description = format!(
            "{to_memory}videoscale name=scale ! videoconvert ! capsfilter name=size ! jpegenc \
             name=jpegenc"
        );
        let missing =
            |reason: String| EncodeError::Missing { description: description.clone(), reason };
        let bin = gst::parse::bin_from_description(&description, true)
            .map_err(|error| missing(error.to_string()))?;
        let (Some(size), Some(jpegenc)) = (bin.by_name("size"), bin.by_name("jpegenc")) else {
            return Err(missing("an element has no name".into()));
        };
        let (Some(into), Some(out)) = (bin.static_pad("sink"), bin.static_pad("src")) else {
            return Err(missing("it has no pads".into()));
        };
        // The bin has no pipeline, hence a bus of its own, for the words of an error.
        let bus = gst::Bus::new();
        bin.set_bus(Some(&bus));

        // Without a template, a pad that has seen caps would take no others.
        let any = |name, direction| {
            gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &gst::Caps::new_any())
                .map_err(|error| missing(error.to_string()))
        };
        let encoded = Arc::new(Mutex::new(None));
        let input = gst::Pad::builder_from_template(&any("input", gst::PadDirection::Src)?).build();
        let output = gst::Pad::builder_from_template(&any("output", gst::PadDirection::Sink)?)
            .chain_function({
                let encoded = Arc::clone(&encoded);
                move |_, _, buffer| {
                    *encoded.lock().unwrap_or_else(PoisonError::into_inner) = Some(buffer);
                    Ok(gst::FlowSuccess::Ok)
                }
            })
            .event_function(|_, _, _| true)
            .build();
        let wired = input.set_active(true).is_ok()
            && output.set_active(true).is_ok()
            && input.link(&into).is_ok()
            && out.link(&output).is_ok();
        let encoder = Self {
            to_memory: to_memory.to_owned(),
            bin: bin.upcast(),
            bus,
            size,
            jpegenc,
            input,
            _output: output,
            encoded,
            caps: None,
        };
        if !wired || encoder.bin.set_state(gst::State::Playing).is_err() {
            return Err(missing("it does not start".into()));
        }
        encoder.input.push_event(gst::event::StreamStart::new("vlm-jpeg"));
        Ok(encoder)
    }

    fn encode(
        &mut self,
        buffer: gst::Buffer,
        caps: &gst::Caps,
        options: JpegOptions,
    ) -> Result<Vec<u8>, EncodeError> {
        let shape = Shape::of(caps).ok_or_else(|| {
            EncodeError::Failed(format!("the caps {caps} have no width and height"))
        })?;
        let (width, height) = shape.scaled(options.max_size);
        let wanted = gst::Caps::builder("video/x-raw")
            .field("width", width)
            .field("height", height)
            .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
            .build();
        if self.size.property::<Option<gst::Caps>>("caps").as_ref() != Some(&wanted) {
            self.size.set_property("caps", wanted);
        }
        self.jpegenc.set_property("quality", i32::from(options.quality));
        if self.caps.as_ref() != Some(caps) {
            self.input.push_event(gst::event::Caps::new(caps));
            let segment = gst::FormattedSegment::<gst::ClockTime>::new();
            self.input.push_event(gst::event::Segment::new(&segment));
            self.caps = Some(caps.clone());
        }
        // What the elements said of earlier frames; nobody else reads it.
        while self.bus.pop().is_some() {}
        let pushed = self.input.push(buffer);
        let encoded = self.encoded.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (pushed, encoded) {
            (Ok(_), Some(jpeg)) => {
                let map =
                    jpeg.map_readable().map_err(|error| EncodeError::Failed(error.to_string()))?;
                Ok(map.to_vec())
            }
            (Ok(_), None) => Err(EncodeError::Failed("the encoder gave nothing".into())),
            (Err(flow), _) => Err(EncodeError::Failed(
                self.said().unwrap_or_else(|| format!("{flow}; the frame's format is {caps}")),
            )),
        }
    }

    fn said(&self) -> Option<String> {
        let message = self.bus.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(error.error().to_string()),
            _ => None,
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let _ = self.bin.set_state(gst::State::Null);
    }
}

/// The size of a frame, and the shape of its pixels.
#[derive(Debug, Clone, Copy)]
struct Shape {
    width: i32,
    height: i32,
    par: (i32, i32),
}

impl Shape {
    fn of(caps: &gst::Caps) -> Option<Self> {
        let structure = caps.structure(0)?;
        let par = structure.get::<gst::Fraction>("pixel-aspect-ratio").ok();
        let shape = Self {
            width: structure.get("width").ok()?,
            height: structure.get("height").ok()?,
            par: par.map_or((1, 1), |par| (par.numer().max(1), par.denom().max(1))),
        };
        (shape.width > 0 && shape.height > 0).then_some(shape)
    }

    /// The size with square pixels, within `max_size` (0 = any), in even numbers as chroma wants.
    fn scaled(self, max_size: u32) -> (i32, i32) {
        let width = f64::from(self.width) * f64::from(self.par.0) / f64::from(self.par.1);
        let height = f64::from(self.height);
        let longest = width.max(height);
        let scale = match max_size {
            0 => 1.0,
            max_size => (f64::from(max_size) / longest).min(1.0),
        };
        let even = |edge: f64| {
            // In range: edges come from i32 and shrink.
            #[expect(clippy::cast_possible_truncation, reason = "bounded above and below")]
            let edge = (edge * scale / 2.0).round().clamp(1.0, f64::from(i32::MAX / 2)) as i32;
            edge * 2
        };
        (even(width), even(height))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(width: i32, height: i32, par: (i32, i32)) -> Shape {
        Shape { width, height, par }
    }

    #[test]
    fn large_frames_shrink_to_the_longest_edge_and_small_ones_stay() {
        assert_eq!(shape(1920, 1080, (1, 1)).scaled(768), (768, 432));
        assert_eq!(shape(1080, 1920, (1, 1)).scaled(768), (432, 768));
        assert_eq!(shape(640, 480, (1, 1)).scaled(768), (640, 480));
        assert_eq!(shape(1920, 1080, (1, 1)).scaled(0), (1920, 1080));
        assert_eq!(shape(1, 1, (1, 1)).scaled(16), (2, 2));
    }

    #[test]
    fn pixels_that_are_not_square_become_so() {
        assert_eq!(shape(720, 576, (16, 15)).scaled(0), (768, 576));
    }

    #[test]
    fn hardware_memory_takes_the_first_way_that_is_installed() {
        assert_eq!(to_memory("memory:SystemMemory", |_| false).unwrap(), "");
        assert_eq!(
            to_memory("memory:NVMM", |name| name == "nvvidconv").unwrap(),
            "nvvidconv ! video/x-raw ! "
        );
        assert_eq!(
            to_memory("memory:CUDAMemory", |_| true).unwrap(),
            "cudaconvertscale ! cudadownload ! video/x-raw ! "
        );
        let error = to_memory("memory:NVMM", |_| false).unwrap_err();
        assert!(error.to_string().contains("nvvideoconvert"), "{error}");
        assert!(to_memory("memory:Strange", |_| true).is_err());
    }

    fn frame(format: &str, width: i32, height: i32) -> (gst::Buffer, gst::Caps) {
        gst::init().unwrap();
        let caps = gst::Caps::builder("video/x-raw")
            .field("format", format)
            .field("width", width)
            .field("height", height)
            .field("framerate", gst::Fraction::new(0, 1))
            .build();
        let info = gst_video::VideoInfo::from_caps(&caps).unwrap();
        let mut buffer = gst::Buffer::with_size(info.size()).unwrap();
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::ZERO);
        (buffer, caps)
    }

    /// Width and height from the start-of-frame marker (ITU T.81, B.2.2).
    fn jpeg_size(jpeg: &[u8]) -> (u16, u16) {
        let at = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        let edge = |at: usize| u16::from_be_bytes([jpeg[at], jpeg[at + 1]]);
        (edge(at + 7), edge(at + 5))
    }

    #[test]
    fn one_encoder_serves_frames_of_many_formats_and_sizes() {
        let options = JpegOptions { max_size: 320, quality: 80 };
        for (format, width, height, expected) in [
            ("I420", 640, 480, (320, 240)),
            ("I420", 1280, 720, (320, 180)),
            ("NV12", 160, 120, (160, 120)),
            ("RGBA", 640, 480, (320, 240)),
            ("YUY2", 641, 481, (320, 240)),
            ("I420", 640, 480, (320, 240)),
        ] {
            let (buffer, caps) = frame(format, width, height);
            let jpeg = encode_now(buffer, &caps, options).unwrap();
            assert_eq!(jpeg_size(&jpeg), expected, "{format} {width}x{height}");
        }
    }

    #[test]
    fn quality_makes_a_difference() {
        let (mut buffer, caps) = frame("GRAY8", 320, 240);
        for (at, byte) in buffer.get_mut().unwrap().map_writable().unwrap().iter_mut().enumerate() {
            *byte = (at * 31 % 251) as u8;
        }
        let size = |quality| {
            encode_now(buffer.clone(), &caps, JpegOptions { max_size: 0, quality }).unwrap().len()
        };
        assert!(size(20) * 2 < size(95));
    }

    #[test]
    fn a_frame_that_does_not_fit_its_caps_is_an_error_and_the_next_one_works() {
        let (_, caps) = frame("I420", 640, 480);
        let options = JpegOptions { max_size: 0, quality: 80 };
        encode_now(gst::Buffer::with_size(10).unwrap(), &caps, options).unwrap_err();
        let (buffer, caps) = frame("I420", 640, 480);
        encode_now(buffer, &caps, options).unwrap();
    }
}
