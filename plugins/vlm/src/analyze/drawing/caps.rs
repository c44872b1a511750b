//! What caps say of the overlay, and of frames that text can be blended into. Pure.

use gst::prelude::*;
use gst_video::{
    CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION as FEATURE, VideoFlags, VideoFormat,
    VideoFormatInfo, VideoInfo,
};

pub(super) fn with_feature(caps: &gst::CapsRef) -> gst::Caps {
    each_features(caps, |features| {
        if !features.is_any() && !features.contains(FEATURE) {
            features.add(FEATURE);
        }
    })
}

pub(super) fn without_feature(caps: &gst::CapsRef) -> gst::Caps {
    each_features(caps, |features| features.remove(FEATURE))
}

/// What frames are, without what is said of their metadata: whoever looks at a frame looks at its
/// pixels, and few take such caps.
pub(in super::super) fn without_metas(caps: &gst::CapsRef) -> gst::Caps {
    each_features(caps, |features| {
        let metas = features.iter().filter(|feature| feature.starts_with("meta:"));
        for meta in metas.map(|feature| feature.to_owned()).collect::<Vec<_>>() {
            features.remove(meta);
        }
    })
}

fn each_features(caps: &gst::CapsRef, change: impl Fn(&mut gst::CapsFeaturesRef)) -> gst::Caps {
    if caps.is_any() {
        return caps.to_owned();
    }
    let changed = caps.iter_with_features().map(|(structure, features)| {
        let mut features = features.to_owned();
        change(&mut features);
        (structure.to_owned(), features)
    });
    changed.collect()
}

pub(super) fn either(caps: &gst::Caps, other: gst::Caps) -> gst::Caps {
    let mut both = caps.clone();
    both.merge(other);
    both
}

pub(super) fn within(caps: &gst::Caps, pad: &gst::Pad, filter: Option<&gst::Caps>) -> gst::Caps {
    let possible = caps.intersect(&pad.pad_template_caps());
    match filter {
        Some(filter) => filter.intersect_with_mode(&possible, gst::CapsIntersectMode::First),
        None => possible,
    }
}

/// How frames with these caps are blended into; `None` if they cannot be.
pub(super) fn blendable(caps: &gst::CapsRef) -> Option<VideoInfo> {
    let is_foreign = |feature: &gst::glib::GStr| {
        feature.starts_with("memory:") && feature != gst::CAPS_FEATURE_MEMORY_SYSTEM_MEMORY
    };
    if caps.features(0).is_some_and(|features| features.iter().any(is_foreign)) {
        return None;
    }
    let info = VideoInfo::from_caps(caps).ok()?;
    let is_pixels = |format| !matches!(format, VideoFormat::Unknown | VideoFormat::Encoded);
    let format = info.format_info();
    // What GStreamer's blending expects, and else fails loudly for.
    let fits = is_pixels(info.format())
        && is_pixels(format.unpack_format())
        && !format.has_palette()
        && !info.flags().contains(VideoFlags::PREMULTIPLIED_ALPHA)
        && matches!(VideoFormatInfo::from_format(format.unpack_format()).bits(), 8 | 16);
    fits.then_some(info)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(text: &str) -> gst::Caps {
        gst::init().unwrap();
        text.parse().unwrap()
    }

    #[test]
    fn features_are_added_and_removed_beside_the_memory() {
        let plain = caps("video/x-raw,width=8");
        let with = with_feature(&plain);
        assert_eq!(
            with,
            caps("video/x-raw(memory:SystemMemory, meta:GstVideoOverlayComposition),width=8")
        );
        assert_eq!(with_feature(&with), with);
        assert_eq!(without_feature(&with), plain);
        let gl = caps("video/x-raw(memory:GLMemory),width=8");
        assert_eq!(without_feature(&with_feature(&gl)), gl);
        let any = caps("video/x-raw(ANY)");
        assert_eq!(with_feature(&any), any);
        assert!(with_feature(&gst::Caps::new_any()).is_any());
        assert!(with_feature(&gst::Caps::new_empty()).is_empty());
    }

    #[test]
    fn only_ordinary_memory_in_a_format_with_pixels_is_blended_into() {
        let size = "width=64,height=48,framerate=0/1";
        let yes = |format: &str| {
            let caps = caps(&format!("video/x-raw,format={format},{size}"));
            assert!(blendable(&caps).is_some(), "{format}");
        };
        for format in ["I420", "NV12", "YUY2", "RGBA", "BGRx", "ARGB", "RGB", "GRAY8", "P010_10LE"]
        {
            yes(format);
        }
        for no in [
            format!("video/x-raw(memory:GLMemory),format=RGBA,{size}"),
            format!("video/x-raw(memory:DMABuf),format=NV12,{size}"),
            format!("video/x-raw,format=RGB8P,{size}"),
            format!("video/x-raw,format=ENCODED,{size}"),
            "video/x-raw".into(),
        ] {
            assert!(blendable(&caps(&no)).is_none(), "{no}");
        }
    }
}
