//! Which frames in ordinary memory can be looked at.

use gst_video::{VideoFrameRef, VideoInfo, VideoMeta};

/// Whether the frame has the pixels that its caps speak of. Where it has not, converters show
/// whatever is in memory.
pub(super) fn fits(buffer: &gst::Buffer, caps: &gst::Caps) -> bool {
    let Ok(info) = VideoInfo::from_caps(caps) else { return false };
    let fits = |meta: gst::MetaRef<VideoMeta>| {
        let is_large_enough = meta.width() >= info.width() && meta.height() >= info.height();
        meta.format() == info.format() && is_large_enough
    };
    buffer.meta::<VideoMeta>().is_none_or(fits)
        && VideoFrameRef::from_buffer_ref_readable(buffer, &info).is_ok()
}

#[cfg(test)]
mod tests {
    use gst_video::{VideoFormat, VideoFrameFlags};

    use super::*;

    #[test]
    fn a_frame_that_has_not_the_pixels_of_its_caps_does_not_fit_them() {
        gst::init().unwrap();
        let caps = |height: i32| {
            let caps = format!("video/x-raw,format=GRAY8,width=8,height={height},framerate=0/1");
            caps.parse::<gst::Caps>().unwrap()
        };
        let mut frame = gst::Buffer::with_size(48).unwrap();
        assert!(fits(&frame, &caps(6)));
        assert!(!fits(&frame, &caps(7)));
        let (new, flags) = (frame.get_mut().unwrap(), VideoFrameFlags::empty());
        VideoMeta::add(new, flags, VideoFormat::Gray8, 8, 5).unwrap();
        assert!(!fits(&frame, &caps(6)));
    }
}
