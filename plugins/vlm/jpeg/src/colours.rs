//! The colours of a frame, and those of a JPEG: full range, by the matrix of BT.601 (JFIF 1.02,
//! "Conversion to and from RGB"). No encoder of GStreamer converts to them; what comes to it has
//! to have them.

use gst_video::{VideoColorMatrix, VideoColorimetry, VideoFormat, VideoFormatInfo, VideoInfo};

/// JPEG's range and matrix, in the words of caps. It says nothing of transfer and primaries, so
/// that nothing is converted but range and matrix.
pub(super) const JPEG: &str = "1:4:0:0";

/// What caps say of the colours.
const FIELDS: [&str; 2] = ["colorimetry", "chroma-site"];

/// The same caps, with words for the colours that they leave out. What is left out is taken to be
/// BT.709 for a picture of more than 576 lines, and else BT.601: scaled to fewer lines, the same
/// pixels would be taken for others.
pub(super) fn spelt_out(caps: &gst::Caps) -> gst::Caps {
    let mut spelt = caps.copy();
    let Some(structure) = spelt.make_mut().structure_mut(0) else { return spelt };
    if says_yuv_of_rgb(structure) {
        structure.remove_field("colorimetry");
    }
    let Ok(said) = VideoInfo::from_caps(&spelt).and_then(|info| info.to_caps()) else {
        return caps.clone();
    };
    let Some(said) = said.structure(0) else { return caps.clone() };
    if let Some(structure) = spelt.make_mut().structure_mut(0) {
        for field in FIELDS {
            if let Ok(value) = said.value(field) {
                structure.set_value(field, value.clone());
            }
        }
    }
    spelt
}

/// Elements that make RGB of something else may leave the colorimetry as it was. It says then that
/// black is 16, which it is not.
fn says_yuv_of_rgb(caps: &gst::StructureRef) -> bool {
    let format = caps.get::<&str>("format").ok().and_then(|format| format.parse().ok());
    let colorimetry = caps.get::<&str>("colorimetry").ok().and_then(|it| it.parse().ok());
    let is_rgb = |format: VideoFormat| {
        format != VideoFormat::Unknown && VideoFormatInfo::from_format(format).is_rgb()
    };
    format.is_some_and(is_rgb)
        && colorimetry.is_some_and(|it: VideoColorimetry| it.matrix() != VideoColorMatrix::Rgb)
}

/// The colorimetry of caps.
pub(super) fn of(caps: &gst::Caps) -> Option<String> {
    spelt_out(caps).structure(0)?.get("colorimetry").ok()
}

/// The format in which a frame is encoded: with as much colour as it has, and no more.
pub(super) fn format(caps: &gst::Caps) -> &'static str {
    let Ok(info) = VideoInfo::from_caps(caps) else { return "I420" };
    let format = info.format_info();
    if format.is_gray() {
        return "GRAY8";
    }
    let subsampling = |of: &[u32]| of.iter().any(|sub| *sub > 0);
    match (subsampling(format.w_sub()), subsampling(format.h_sub())) {
        (_, true) => "I420",
        (true, false) => "Y42B",
        (false, false) => "Y444",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(text: &str) -> gst::Caps {
        gst::init().unwrap();
        format!("video/x-raw,framerate=0/1,{text}").parse().unwrap()
    }

    #[test]
    fn what_is_left_out_is_said_for_the_size_that_the_frame_has() {
        for (text, colorimetry) in [
            ("format=I420,width=1280,height=720", "bt709"),
            ("format=P010_10LE,width=1280,height=720", "bt709"),
            ("format=I420,width=640,height=480", "bt601"),
            ("format=I420,width=640,height=480,colorimetry=bt709", "bt709"),
            ("format=I420,width=640,height=480,colorimetry=strange", "bt601"),
            ("format=NV12,width=640,height=480,colorimetry=(string)1:4:0:0", "1:4:0:0"),
            ("format=RGB,width=640,height=480", "sRGB"),
            ("format=RGB,width=640,height=480,colorimetry=bt709", "sRGB"),
            ("format=BGRx,width=640,height=480,colorimetry=(string)2:1:5:1", "2:1:5:1"),
        ] {
            assert_eq!(of(&caps(text)).as_deref(), Some(colorimetry), "{text}");
        }
        let spelt = spelt_out(&caps("format=I420,width=1280,height=720"));
        assert_eq!(spelt.structure(0).unwrap().get("chroma-site"), Ok("mpeg2"));
    }

    #[test]
    fn caps_that_cannot_be_read_stay_as_they_are() {
        let strange = caps("format=no-such-format,width=640,height=480");
        assert_eq!(spelt_out(&strange), strange);
        assert_eq!((of(&strange), format(&strange)), (None, "I420"));
        assert_eq!(spelt_out(&gst::Caps::new_empty()), gst::Caps::new_empty());
    }

    #[test]
    fn a_frame_keeps_its_chroma_and_gets_no_more() {
        for (given, encoded) in [
            ("I420", "I420"),
            ("NV12", "I420"),
            ("P010_10LE", "I420"),
            ("YUY2", "Y42B"),
            ("v210", "Y42B"),
            ("Y41B", "Y42B"),
            ("YUV9", "I420"),
            ("Y444", "Y444"),
            ("AYUV", "Y444"),
            ("RGB", "Y444"),
            ("BGRx", "Y444"),
            ("GRAY8", "GRAY8"),
            ("GRAY16_LE", "GRAY8"),
        ] {
            let caps = caps(&format!("format={given},width=64,height=48"));
            assert_eq!(format(&caps), encoded, "{given}");
        }
    }
}
