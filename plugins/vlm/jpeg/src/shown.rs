//! What of a frame in ordinary memory is to be looked at: the part that its crop metadata names,
//! and a single field as the picture that it is.

use gst_video::{
    VideoConverter, VideoConverterConfig, VideoCropMeta, VideoFrameRef, VideoInfo, VideoMeta,
    prelude::*,
};

use super::{colours, memory};

/// A part of a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    x: i32,
    y: i32,
    width: i32,
    height: i32,
}

/// A frame that is nothing but what is to be looked at, with caps that say all of its colours.
/// Pixels are copied only if there is crop metadata. `None` if the frame is in another memory, or has
/// not the pixels that its caps speak of: converters show whatever is in memory then.
pub fn shown(buffer: &gst::Buffer, caps: &gst::Caps) -> Option<(gst::Buffer, gst::Caps)> {
    if memory::of(caps) != memory::SYSTEM {
        return None;
    }
    let caps = colours::spelt_out(caps);
    let (caps, lines) = if is_field(&caps) { (as_picture(&caps), 2) } else { (caps, 1) };
    let info = VideoInfo::from_caps(&caps).ok()?;
    let fits = |meta: gst::MetaRef<VideoMeta>| {
        let is_large_enough = meta.width() >= info.width() && meta.height() >= info.height();
        meta.format() == info.format() && is_large_enough
    };
    if !buffer.meta::<VideoMeta>().is_none_or(fits) {
        return None;
    }
    let frame = VideoFrameRef::from_buffer_ref_readable(buffer, &info).ok()?;
    Some(cropped(buffer, &frame, &caps, lines).unwrap_or_else(|| (buffer.clone(), caps)))
}

/// Whether each buffer has one field only (`interlace-mode=alternate`).
pub(super) fn is_field(caps: &gst::Caps) -> bool {
    caps.structure(0).is_some_and(|caps| caps.get("interlace-mode") == Ok("alternate"))
}

/// A field as a picture of half the lines, each of which is twice as high.
fn as_picture(caps: &gst::Caps) -> gst::Caps {
    let mut field = caps.copy();
    let caps = field.make_mut();
    if let Some(features) = caps.features_mut(0) {
        features.remove(gst_video::CAPS_FEATURE_FORMAT_INTERLACED);
    }
    let Some(structure) = caps.structure_mut(0) else { return field };
    let par = structure.get::<gst::Fraction>("pixel-aspect-ratio").ok();
    let (n, d) = par.map_or((1, 1), |par| (par.numer(), par.denom()));
    if let (Ok(lines), Some(d)) = (structure.get::<i32>("height"), d.checked_mul(2)) {
        structure.set("height", lines / 2 + lines % 2);
        structure.set("pixel-aspect-ratio", gst::Fraction::new(n, d));
    }
    structure.set("interlace-mode", "progressive");
    structure.remove_field("field-order");
    field
}

/// The part that a frame's crop metadata names, which counts `lines` lines as one. `None` if there
/// is no such metadata, or if it names what is not in the frame.
fn cropped(
    buffer: &gst::Buffer,
    frame: &VideoFrameRef<&gst::BufferRef>,
    caps: &gst::Caps,
    lines: u32,
) -> Option<(gst::Buffer, gst::Caps)> {
    let (x, y, width, height) = buffer.meta::<VideoCropMeta>()?.rect();
    let part = Part::new(x, y / lines, width, height.div_ceil(lines))?;
    let info = VideoInfo::from_caps(caps).ok()?;
    // The frame's own size. Many who add crop metadata give the caps the size of the part; that of a
    // field may count the lines of both.
    let height = if lines == 1 { frame.height() } else { info.height() };
    let whole = Part::new(0, 0, frame.width(), height)?;
    // What begins there and is as large as the caps say is what everybody looks at.
    let is_looked_at = Some(part) == Part::new(0, 0, info.width(), info.height());
    if is_looked_at || !part.is_in(whole) {
        return None;
    }
    let (from, _) = whole.described(caps)?;
    let (to, caps) = part.described(caps)?;
    let mut config = VideoConverterConfig::new();
    config.set_src_x(part.x);
    config.set_src_y(part.y);
    config.set_src_width(Some(part.width));
    config.set_src_height(Some(part.height));
    let converter = VideoConverter::new(&from, &to, Some(config)).ok()?;
    let mut cropped = gst::Buffer::with_size(to.size()).ok()?;
    {
        let cropped = cropped.get_mut()?;
        let kept = gst::BufferCopyFlags::TIMESTAMPS | gst::BufferCopyFlags::FLAGS;
        buffer.copy_into(cropped, kept, ..).ok()?;
        let mut into = VideoFrameRef::from_buffer_ref_writable(cropped, &to).ok()?;
        converter.frame_ref(frame, &mut into);
    }
    Some((cropped, caps))
}

impl Part {
    fn new(x: u32, y: u32, width: u32, height: u32) -> Option<Self> {
        let pixels = |pixels: u32| i32::try_from(pixels).ok();
        let part =
            Self { x: pixels(x)?, y: pixels(y)?, width: pixels(width)?, height: pixels(height)? };
        (part.width > 0 && part.height > 0).then_some(part)
    }

    fn is_in(self, whole: Self) -> bool {
        let ends_in = |from: i32, edge: i32, whole: i32| {
            from.checked_add(edge).is_some_and(|end| end <= whole)
        };
        ends_in(self.x, self.width, whole.width) && ends_in(self.y, self.height, whole.height)
    }

    /// What a frame of this part's size is, in the format of these caps.
    fn described(self, caps: &gst::Caps) -> Option<(VideoInfo, gst::Caps)> {
        let mut caps = caps.copy();
        let structure = caps.make_mut().structure_mut(0)?;
        structure.set("width", self.width);
        structure.set("height", self.height);
        Some((VideoInfo::from_caps(&caps).ok()?, caps))
    }
}

#[cfg(test)]
mod tests {
    use gst_video::{VideoFormat, VideoFrameFlags};

    use super::*;

    fn caps(text: &str) -> gst::Caps {
        gst::init().unwrap();
        format!("video/x-raw{text},framerate=0/1").parse().unwrap()
    }

    /// Brightness that counts pixels, 8 of them in a line and 6 lines, with a part of them named.
    fn counted(part: (u32, u32, u32, u32)) -> gst::Buffer {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::from_mut_slice((0..48).collect::<Vec<u8>>());
        let new = buffer.get_mut().unwrap();
        new.set_pts(gst::ClockTime::from_seconds(3));
        VideoCropMeta::add(new, part);
        buffer
    }

    /// The lines of a picture of `width`, without their padding.
    fn lines(buffer: &gst::Buffer, width: usize) -> Vec<Vec<u8>> {
        let map = buffer.map_readable().unwrap();
        let stride = width.next_multiple_of(4);
        map.chunks(stride).map(|line| line[..width].to_vec()).collect()
    }

    const SIX_LINES: &str = ",format=GRAY8,width=8,height=6";

    #[test]
    fn the_part_is_shown_that_the_metadata_names() {
        let (buffer, part) = shown(&counted((2, 1, 3, 2)), &caps(SIX_LINES)).unwrap();
        assert_eq!(lines(&buffer, 3), [[10, 11, 12], [18, 19, 20]]);
        assert_eq!(buffer.pts(), Some(gst::ClockTime::from_seconds(3)));
        let structure = part.structure(0).unwrap();
        assert_eq!((structure.get("width"), structure.get("height")), (Ok(3), Ok(2)));
    }

    #[test]
    fn the_part_is_one_of_what_there_is_whatever_size_the_caps_have() {
        let mut buffer = counted((2, 1, 3, 2));
        let frame = VideoFrameFlags::empty();
        VideoMeta::add(buffer.get_mut().unwrap(), frame, VideoFormat::Gray8, 8, 6).unwrap();
        let (buffer, part) = shown(&buffer, &caps(",format=GRAY8,width=3,height=2")).unwrap();
        assert_eq!(lines(&buffer, 3), [[10, 11, 12], [18, 19, 20]]);
        assert_eq!(part.structure(0).unwrap().get("width"), Ok(3));
    }

    #[test]
    fn a_part_that_is_all_of_the_frame_or_not_in_it_is_not_cut_out() {
        for part in [
            (0, 0, 8, 6),
            (0, 0, 9, 1),
            (6, 0, 3, 1),
            (0, 5, 1, 2),
            (0, 0, 0, 4),
            (8, 0, 1, 1),
            (u32::MAX, 0, 2, 2),
            (0, u32::MAX - 1, 2, 2),
        ] {
            let given = counted(part);
            let (buffer, _) = shown(&given, &caps(SIX_LINES)).unwrap();
            assert_eq!(buffer.as_ptr(), given.as_ptr(), "{part:?}");
        }
    }

    #[test]
    fn a_frame_that_has_not_the_pixels_of_its_caps_is_not_shown() {
        let short = counted((2, 1, 3, 2));
        assert!(shown(&short, &caps(",format=GRAY8,width=8,height=7")).is_none());
        let mut smaller = gst::Buffer::with_size(48).unwrap();
        let (new, frame) = (smaller.get_mut().unwrap(), VideoFrameFlags::empty());
        VideoMeta::add(new, frame, VideoFormat::Gray8, 8, 5).unwrap();
        assert!(shown(&smaller, &caps(SIX_LINES)).is_none());
    }

    #[test]
    fn a_frame_without_crop_metadata_is_not_copied() {
        gst::init().unwrap();
        let given = gst::Buffer::with_size(48).unwrap();
        let (buffer, caps) = shown(&given, &caps(SIX_LINES)).unwrap();
        assert_eq!(buffer.as_ptr(), given.as_ptr());
        assert!(caps.structure(0).unwrap().has_field("colorimetry"));
    }

    #[test]
    fn a_field_is_a_picture_of_half_the_lines() {
        let alternate = "interlace-mode=alternate,field-order=top-field-first";
        let given = caps(&format!("(format:Interlaced),format=GRAY8,width=8,height=7,{alternate}"));
        let (_, field) = shown(&gst::Buffer::with_size(32).unwrap(), &given).unwrap();
        let expected = ",format=GRAY8,width=8,height=4,pixel-aspect-ratio=1/2,\
                        interlace-mode=progressive";
        assert_eq!(field, colours::spelt_out(&caps(expected)));
        // The metadata counts the lines of both fields.
        let given =
            caps(&format!("(format:Interlaced),format=GRAY8,width=8,height=12,{alternate}"));
        let (buffer, _) = shown(&counted((2, 2, 3, 4)), &given).unwrap();
        assert_eq!(lines(&buffer, 3), [[10, 11, 12], [18, 19, 20]]);
    }
}
