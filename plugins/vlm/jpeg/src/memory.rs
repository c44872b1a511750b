//! The memory that a frame is in, as its caps name it.

use super::EncodeError;

pub(super) const SYSTEM: &str = "memory:SystemMemory";
pub(super) const NVMM: &str = "memory:NVMM";
pub(super) const CUDA: &str = "memory:CUDAMemory";
pub(super) const VA: &str = "memory:VAMemory";
pub(super) const GL: &str = "memory:GLMemory";
pub(super) const DMABUF: &str = "memory:DMABuf";

/// The memory feature of fixed caps.
pub(super) fn of(caps: &gst::Caps) -> String {
    caps.features(0)
        .and_then(|features| features.iter().find(|f| f.as_str().starts_with("memory:")))
        .map_or_else(|| SYSTEM.to_owned(), |feature| feature.to_string())
}

/// Whether frames in this memory are of use only to elements that share a display, device or
/// context with the element that made them.
pub(super) fn has_context(memory: &str) -> bool {
    !matches!(memory, SYSTEM | NVMM | DMABUF)
}

/// The caps of a frame in DMABuf that is mapped like ordinary memory.
pub(super) fn mapped(caps: &gst::Caps) -> Result<gst::Caps, EncodeError> {
    let mut mapped = caps.copy();
    let as_it_is = mapped.make_mut();
    as_it_is.set_features_simple(None);
    let Some(structure) = as_it_is.structure_mut(0) else { return Ok(mapped) };
    // From GStreamer 1.24 on the format may be DRM's, with how the pixels are laid out.
    if structure.get::<&str>("format") == Ok("DMA_DRM") {
        let drm = structure.get::<String>("drm-format").unwrap_or_default();
        let format = linear(&drm).ok_or_else(|| {
            EncodeError::Failed(format!(
                "a DMABuf of the layout `{drm}` cannot be read as it is; install vapostproc \
                 (GStreamer's va plugin) or convert before the element"
            ))
        })?;
        structure.set("format", format);
        structure.remove_field("drm-format");
    }
    Ok(mapped)
}

/// GStreamer's name of a DRM format (drm_fourcc.h), if its lines follow one another.
fn linear(drm: &str) -> Option<&'static str> {
    let (fourcc, modifier) = drm.split_once(':').unwrap_or((drm, "0x0"));
    if modifier.trim_start_matches("0x").chars().any(|digit| digit != '0') {
        return None;
    }
    Some(match fourcc {
        "NV12" => "NV12",
        "YU12" => "I420",
        "YV12" => "YV12",
        "YUYV" => "YUY2",
        "UYVY" => "UYVY",
        "AR24" => "BGRA",
        "XR24" => "BGRx",
        "AB24" => "RGBA",
        "XB24" => "RGBx",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(text: &str) -> gst::Caps {
        gst::init().unwrap();
        text.parse().unwrap()
    }

    #[test]
    fn the_memory_is_the_caps_feature() {
        assert_eq!(of(&caps("video/x-raw,width=4")), SYSTEM);
        assert_eq!(of(&caps("video/x-raw(memory:NVMM),width=4")), NVMM);
        assert_eq!(of(&caps("video/x-raw(meta:Some,memory:VAMemory),width=4")), VA);
        assert_eq!(of(&caps("video/x-raw(meta:Some),width=4")), SYSTEM);
    }

    #[test]
    fn a_dmabuf_is_read_if_its_lines_follow_one_another() {
        let read = |format: &str| {
            mapped(&caps(&format!("video/x-raw(memory:DMABuf),{format},width=4,height=2")))
        };
        let as_format =
            |format: &str| caps(&format!("video/x-raw,format={format},width=4,height=2"));
        assert_eq!(read("format=NV12").unwrap(), as_format("NV12"));
        assert_eq!(read("format=DMA_DRM,drm-format=YUYV").unwrap(), as_format("YUY2"));
        assert_eq!(read("format=DMA_DRM,drm-format=(string)NV12:0x0").unwrap(), as_format("NV12"));
        for unreadable in ["NV12:0x0100000000000002", "P010", ""] {
            let error = read(&format!("format=DMA_DRM,drm-format=(string)\"{unreadable}\""));
            assert!(error.unwrap_err().to_string().contains("vapostproc"));
        }
    }
}
