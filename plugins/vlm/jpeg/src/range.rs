//! Limited range to full range, where GStreamer's converter leaves that undone: as of 1.22 it
//! converts the range only together with the matrix, and writes caps that say otherwise.

use std::sync::Mutex;

use gst::prelude::*;
use gst_video::{
    VideoColorRange, VideoConverter, VideoFormat, VideoFrameRef, VideoInfo, prelude::*,
};

use super::lock::lock;

/// Of luma: 16 to 235 become 0 to 255.
const LUMA: [u8; 256] = table(16, 219);
/// Of chroma: 16 to 240 become 0 to 255, around 128.
const CHROMA: [u8; 256] = table(128, 224);

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded before")]
const fn table(origin: i32, range: i32) -> [u8; 256] {
    let zero = if origin == 128 { 128 } else { 0 };
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let scaled = (at - origin) * 255;
        let rounding = if scaled < 0 { -(range / 2) } else { range / 2 };
        let level = zero + (scaled + rounding) / range;
        table[at as usize] = if level < 0 {
            0
        } else if level > 255 {
            255
        } else {
            level as u8
        };
        at += 1;
    }
    table
}

/// Sees to it that what comes out of a `videoconvert` is in the range that its caps say.
pub(super) fn keep_to_caps(converter: &gst::Element) {
    let pads = (converter.static_pad("sink"), converter.static_pad("src"));
    let (Some(sink), Some(src)) = pads else { return };
    let sink = sink.downgrade();
    let known = Mutex::new(Known::default());
    src.add_probe(gst::PadProbeType::BUFFER, move |src, info| {
        let caps = || Some((sink.upgrade()?.current_caps()?, src.current_caps()?));
        if let (Some((from, to)), Some(buffer)) = (caps(), info.buffer_mut()) {
            let left = lock(&known).left(&from, &to);
            if let Some(info) = left {
                expand(buffer, &info);
            }
        }
        gst::PadProbeReturn::Ok
    });
}

/// What is known of the newest two caps.
#[derive(Default)]
struct Known {
    caps: Option<(gst::Caps, gst::Caps)>,
    left: Option<VideoInfo>,
}

impl Known {
    /// What comes out, if its range is that of what goes in.
    fn left(&mut self, from: &gst::Caps, to: &gst::Caps) -> Option<VideoInfo> {
        if !self.caps.as_ref().is_some_and(|known| (&known.0, &known.1) == (from, to)) {
            self.left = VideoInfo::from_caps(to).ok().filter(|info| is_left(from, to, info));
            self.caps = Some((from.clone(), to.clone()));
        }
        self.left.clone()
    }
}

/// Whether the converter leaves the range as it is.
fn is_left(from: &gst::Caps, to: &gst::Caps, out: &VideoInfo) -> bool {
    let Ok(given) = VideoInfo::from_caps(from) else { return false };
    given.colorimetry().range() == VideoColorRange::Range16_235
        && out.colorimetry().range() == VideoColorRange::Range0_255
        && given.colorimetry().matrix() == out.colorimetry().matrix()
        && has_planes(out.format())
        && white(from, to).is_none_or(|white| white < 245)
}

/// Formats of 8 bits whose first plane is luma and whose others are chroma.
fn has_planes(format: VideoFormat) -> bool {
    use VideoFormat::{Gray8, I420, Nv12, Nv21, Y42b, Y444, Yv12};
    matches!(format, Gray8 | I420 | Nv12 | Nv21 | Y42b | Y444 | Yv12)
}

/// The luma of white, once it is converted: tried out, as later versions may convert it.
fn white(from: &gst::Caps, to: &gst::Caps) -> Option<u8> {
    let small = |caps: &gst::Caps| {
        let mut caps = caps.copy();
        let structure = caps.make_mut().structure_mut(0)?;
        structure.set("width", 16);
        structure.set("height", 16);
        Some(caps)
    };
    let mut rgb = small(from)?;
    let structure = rgb.make_mut().structure_mut(0)?;
    structure.set("format", "ARGB");
    structure.remove_fields(["colorimetry", "chroma-site"]);
    let steps = [rgb, small(from)?, small(to)?];
    let [rgb, from, to] = steps.map(|caps| VideoInfo::from_caps(&caps).ok());
    let (rgb, from, to) = (rgb?, from?, to?);
    let given = gst::Buffer::from_slice(vec![255; rgb.size()]);
    let limited = converted(&given, &rgb, &from)?;
    let full = converted(&limited, &from, &to)?;
    full.map_readable().ok()?.first().copied()
}

fn converted(buffer: &gst::Buffer, from: &VideoInfo, to: &VideoInfo) -> Option<gst::Buffer> {
    let converter = VideoConverter::new(from, to, None).ok()?;
    let mut out = gst::Buffer::with_size(to.size()).ok()?;
    {
        let source = VideoFrameRef::from_buffer_ref_readable(buffer, from).ok()?;
        let mut into = VideoFrameRef::from_buffer_ref_writable(out.get_mut()?, to).ok()?;
        converter.frame_ref(&source, &mut into);
    }
    Some(out)
}

/// Makes limited range full.
fn expand(buffer: &mut gst::Buffer, info: &VideoInfo) {
    let Ok(mut frame) = VideoFrameRef::from_buffer_ref_writable(buffer.make_mut(), info) else {
        return;
    };
    for plane in 0..frame.n_planes() {
        let table = if plane == 0 { &LUMA } else { &CHROMA };
        if let Ok(data) = frame.plane_data_mut(plane) {
            data.iter_mut().for_each(|level| *level = table[usize::from(*level)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use gst_check::Harness;

    use super::*;

    #[test]
    fn the_ends_and_the_middle_of_limited_range_are_those_of_full_range() {
        for (limited, full) in [(0, 0), (16, 0), (17, 1), (126, 128), (235, 255), (255, 255)] {
            assert_eq!(LUMA[limited], full);
        }
        for (limited, full) in [(0, 0), (16, 0), (127, 127), (128, 128), (129, 129), (240, 255)] {
            assert_eq!(CHROMA[limited], full);
        }
    }

    /// What `videoconvert` makes of a frame of which each byte is `level`.
    fn levels(level: u8, from: &str, to: &str) -> (u8, u8) {
        let mut harness = Harness::new("videoconvert");
        keep_to_caps(&harness.element().unwrap());
        let size = "width=16,height=16,framerate=0/1";
        let caps = format!("video/x-raw,{from},{size}").parse::<gst::Caps>().unwrap();
        let bytes = VideoInfo::from_caps(&caps).unwrap().size();
        harness.set_caps(caps, format!("video/x-raw,{to},{size}").parse().unwrap());
        let frame = gst::Buffer::from_slice(vec![level; bytes]);
        let map = harness.push_and_pull(frame.clone()).unwrap().into_mapped_buffer_readable();
        let map = map.unwrap();
        assert!(frame.map_readable().unwrap().iter().all(|byte| *byte == level));
        (map[0], map[map.len() - 1])
    }

    #[test]
    fn what_comes_out_is_in_the_range_that_caps_say() {
        gst::init().unwrap();
        let full = "colorimetry=(string)1:4:0:0";
        for format in ["I420", "NV12", "Y42B", "Y444"] {
            let from = format!("format={format},colorimetry=bt601");
            for to in ["I420", "NV12", "Y42B", "Y444"] {
                let to = format!("format={to},{full}");
                for (limited, (luma, chroma)) in [(235, (255, 250)), (16, (0, 0))] {
                    let full = levels(limited, &from, &to);
                    let is_full = full.0.abs_diff(luma) <= 3 && full.1.abs_diff(chroma) <= 3;
                    assert!(is_full, "{limited} is {full:?} from {from} to {to}");
                }
            }
            let same = format!("format={format},{full}");
            assert_eq!(levels(235, &same, &same), (235, 235));
            assert_eq!(levels(235, &from, &from), (235, 235));
            let wider = levels(235, &format!("format={format},colorimetry=bt709"), &same);
            assert!(wider.0 > 250, "{wider:?}");
        }
    }
}
