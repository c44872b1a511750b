//! What a frame looks like, small: for seeing how much has changed.

use gst_video::{
    VideoConverter, VideoConverterConfig, VideoFormat, VideoFrameRef, VideoInfo,
    VideoResamplerMethod,
};

use gst_vlm_jpeg::shown;
pub(crate) use live_vlm_change::Thumbnail;
use live_vlm_change::{HEIGHT, WIDTH};

/// Makes thumbnails of frames.
#[derive(Debug, Default)]
pub(crate) struct Thumbnails {
    /// For the caps of the frame before, mostly those of the next.
    prepared: Option<Prepared>,
}

#[derive(Debug)]
struct Prepared {
    caps: gst::Caps,
    from: VideoInfo,
    to: VideoInfo,
    converter: VideoConverter,
}

impl Thumbnails {
    /// Of a frame in ordinary memory, in any format; `None` for frames that the CPU does not see,
    /// and for those that do not fit their caps.
    pub(crate) fn of(&mut self, buffer: &gst::Buffer, caps: &gst::Caps) -> Option<Thumbnail> {
        let (buffer, caps) = &shown(buffer, caps)?;
        if self.prepared.as_ref().is_none_or(|prepared| prepared.caps != *caps) {
            self.prepared = Prepared::for_caps(caps);
        }
        let prepared = self.prepared.as_ref()?;
        let frame = VideoFrameRef::from_buffer_ref_readable(buffer, &prepared.from).ok()?;
        let mut points = gst::Buffer::with_size(prepared.to.size()).ok()?;
        {
            let points = points.get_mut()?;
            let mut points = VideoFrameRef::from_buffer_ref_writable(points, &prepared.to).ok()?;
            prepared.converter.frame_ref(&frame, &mut points);
        }
        let points = points.map_readable().ok()?;
        Some(Thumbnail::of_points(&points))
    }
}

impl Prepared {
    fn for_caps(caps: &gst::Caps) -> Option<Self> {
        let from = VideoInfo::from_caps(caps).ok()?;
        let [width, height] = [WIDTH, HEIGHT].map(|points| u32::try_from(points).ok());
        let to = VideoInfo::builder(VideoFormat::Gray8, width?, height?)
            .fps(from.fps())
            .interlace_mode(from.interlace_mode())
            .build()
            .ok()?;
        let mut nearest = VideoConverterConfig::new();
        nearest.set_resampler_method(VideoResamplerMethod::Nearest);
        nearest.set_chroma_resampler_method(VideoResamplerMethod::Nearest);
        let converter = VideoConverter::new(&from, &to, Some(nearest)).ok()?;
        Some(Self { caps: caps.clone(), from, to, converter })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(format: &str, width: i32, height: i32) -> gst::Caps {
        gst::init().unwrap();
        gst::Caps::builder("video/x-raw")
            .field("format", format)
            .field("width", width)
            .field("height", height)
            .field("framerate", gst::Fraction::new(30, 1))
            .build()
    }

    /// A grey picture, part of which is lighter: the rows from the first on.
    fn picture(caps: &gst::Caps, lighter: usize, by: u8) -> gst::Buffer {
        let info = VideoInfo::from_caps(caps).unwrap();
        let mut buffer = gst::Buffer::with_size(info.size()).unwrap();
        {
            let mut map = buffer.get_mut().unwrap().map_writable().unwrap();
            map.fill(128);
            let row = usize::try_from(info.stride()[0]).unwrap();
            map[..lighter * row].iter_mut().for_each(|byte| *byte += by);
        }
        buffer
    }

    fn change(format: &str, lighter: usize, by: u8) -> f64 {
        let caps = caps(format, 640, 360);
        let mut thumbnails = Thumbnails::default();
        let mut of = |buffer: gst::Buffer| thumbnails.of(&buffer, &caps).unwrap();
        of(picture(&caps, 0, 0)).change(&of(picture(&caps, lighter, by)))
    }

    #[test]
    fn the_share_of_the_picture_that_changed_is_measured_in_every_format() {
        for format in ["I420", "NV12", "GRAY8", "RGBA", "BGRx", "RGB", "I420_10LE"] {
            assert_eq!(change(format, 0, 0), 0.0, "{format}");
        }
        for format in ["I420", "NV12", "GRAY8", "RGBA", "BGRx", "RGB"] {
            let quarter = change(format, 90, 60);
            assert!((0.24..0.28).contains(&quarter), "{format}: {quarter}");
        }
    }

    #[test]
    fn noise_is_no_change() {
        assert_eq!(change("I420", 360, 10), 0.0);
        assert_eq!(change("I420", 360, 40), 1.0);
    }

    #[test]
    fn noise_of_single_pixels_is_evened_out() {
        let caps = caps("GRAY8", 640, 360);
        let noisy = |odd: bool| {
            let mut buffer = picture(&caps, 0, 0);
            let mut map = buffer.get_mut().unwrap().map_writable().unwrap();
            // Neither pattern fits the points that are looked at.
            for (at, byte) in map.iter_mut().enumerate() {
                *byte = if (at * 7919 / 13 % 2 == 0) == odd { 100 } else { 156 };
            }
            drop(map);
            buffer
        };
        let mut thumbnails = Thumbnails::default();
        let mut of = |buffer: gst::Buffer| thumbnails.of(&buffer, &caps).unwrap();
        let change = of(noisy(true)).change(&of(noisy(false)));
        assert!(change < 0.15, "{change}");
    }

    #[test]
    fn tiny_frames_and_frames_that_do_not_fit_harm_nobody() {
        let mut thumbnails = Thumbnails::default();
        let tiny = caps("I420", 1, 1);
        assert!(thumbnails.of(&picture(&tiny, 0, 0), &tiny).is_some());
        assert!(
            thumbnails.of(&gst::Buffer::with_size(1).unwrap(), &caps("I420", 64, 64)).is_none()
        );
        let mut hardware = caps("NV12", 64, 64);
        hardware.get_mut().unwrap().set_features(0, Some(gst::CapsFeatures::new(["memory:NVMM"])));
        assert!(thumbnails.of(&gst::Buffer::with_size(10_000).unwrap(), &hardware).is_none());
    }
}
