//! Which elements make a frame's JPEG: chosen by the memory it is in and by what is installed.

use super::{
    EncodeError,
    memory::{CUDA, DMABUF, GL, NVMM, SYSTEM, VA},
};

/// Elements from a frame to its JPEG. Where the hardware scales, no frame comes to the CPU in its
/// full size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chain {
    /// Up to where the size is fixed.
    pub(super) before: &'static [&'static str],
    /// `None`: frames keep their size.
    pub(super) size: Option<Size>,
    pub(super) after: &'static [&'static str],
    /// Whether frames go in as if they were in ordinary memory.
    pub(super) is_mapped: bool,
}

/// What a frame is once it has its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    memory: &'static str,
    /// `None`: what the neighbours agree on.
    format: Option<&'static str>,
    /// Whether the caps say that pixels are square. Not every hardware scaler knows how, and the
    /// size is that of square pixels anyway.
    says_square: bool,
}

impl Size {
    pub(super) fn caps(self, (width, height): (i32, i32)) -> gst::Caps {
        gst::Caps::builder("video/x-raw")
            .features([self.memory])
            .field("width", width)
            .field("height", height)
            .field_if_some("format", self.format)
            .field_if("pixel-aspect-ratio", gst::Fraction::new(1, 1), self.says_square)
            .build()
    }
}

/// By the CPU.
const SCALED: Size = Size { memory: SYSTEM, format: None, says_square: true };

/// By a hardware converter that leaves frames in `memory`.
const fn size(memory: &'static str, format: Option<&'static str>) -> Size {
    Size { memory, format, says_square: false }
}

const fn chain(
    before: &'static [&'static str],
    size: Size,
    after: &'static [&'static str],
) -> Chain {
    Chain { before, size: Some(size), after, is_mapped: false }
}

// Scaling first: converting fewer pixels is cheaper. jpegenc takes I420 as it is.
const CPU: Chain = chain(&["videoscale", "videoconvert"], SCALED, &["jpegenc"]);

// nvvideoconvert first: on a Jetson with DeepStream both are there, and it alone knows the batched
// frames of nvstreammux. Every nvjpegenc that takes NVMM takes I420.
const NVMM_CHAINS: &[Chain] = &[
    chain(&["nvvideoconvert"], size(NVMM, Some("I420")), &["nvjpegenc"]),
    chain(&["nvvidconv"], size(NVMM, Some("I420")), &["nvjpegenc"]),
    chain(&["nvvideoconvert"], size(SYSTEM, None), &["videoconvert", "jpegenc"]),
    chain(&["nvvidconv"], size(SYSTEM, None), &["videoconvert", "jpegenc"]),
];

// GStreamer 1.20 has cudascale only.
const CUDA_CHAINS: &[Chain] = &[
    chain(&["cudaconvertscale"], size(CUDA, Some("I420")), &["nvjpegenc"]),
    chain(&["cudaconvertscale"], size(CUDA, None), &["cudadownload", "videoconvert", "jpegenc"]),
    chain(&["cudascale"], size(CUDA, None), &["cudadownload", "videoconvert", "jpegenc"]),
    chain(&["cudadownload", "videoscale", "videoconvert"], SCALED, &["jpegenc"]),
];

const VA_CHAINS: &[Chain] = &[
    chain(&["vapostproc"], size(VA, Some("NV12")), &["vajpegenc"]),
    chain(&["vapostproc"], size(SYSTEM, None), &["videoconvert", "jpegenc"]),
];

// glcolorscale takes RGBA only.
const GL_CHAINS: &[Chain] = &[
    chain(
        &["glcolorconvert", "glcolorscale"],
        size(GL, None),
        &["gldownload", "videoconvert", "jpegenc"],
    ),
    chain(&["gldownload", "videoscale", "videoconvert"], SCALED, &["jpegenc"]),
];

// Most DMABufs can be mapped like ordinary memory.
const DMABUF_CHAINS: &[Chain] = &[VA_CHAINS[0], VA_CHAINS[1], Chain { is_mapped: true, ..CPU }];

/// What may be tried for frames in a memory, and what has those elements.
fn known(memory: &str) -> (&'static [Chain], &'static str) {
    match memory {
        SYSTEM => (&[CPU], "GStreamer's base and good plugins"),
        NVMM => (NVMM_CHAINS, "DeepStream, or on a Jetson NVIDIA's GStreamer plugins"),
        CUDA => (CUDA_CHAINS, "GStreamer's nvcodec plugin (of the bad plugins)"),
        VA => (VA_CHAINS, "GStreamer's va plugin (of the bad plugins)"),
        GL => (GL_CHAINS, "GStreamer's opengl plugin (of the base plugins)"),
        DMABUF => (DMABUF_CHAINS, "GStreamer's base and good plugins"),
        _ => (&[], ""),
    }
}

impl Chain {
    /// What goes before an encoder that the user has named. Frames that are not in ordinary memory
    /// come to it as they are.
    pub(super) fn before_named(memory: &str) -> Self {
        match memory {
            SYSTEM => Self { after: &[], ..CPU },
            _ => Self { before: &[], size: None, after: &[], is_mapped: false },
        }
    }

    /// The elements, each with the memory that it is given, as far as that is known.
    fn elements<'a>(
        &'a self,
        memory: &'a str,
    ) -> impl Iterator<Item = (&'static str, Option<&'a str>)> {
        let memory = if self.is_mapped { SYSTEM } else { memory };
        let sized = self.size.map(|size| size.memory);
        let given = |at: usize, memory| if at == 0 { memory } else { None };
        let before =
            self.before.iter().enumerate().map(move |(at, name)| (*name, given(at, Some(memory))));
        let after = self.after.iter().enumerate().map(move |(at, name)| (*name, given(at, sized)));
        before.chain(after)
    }

    fn text(&self) -> String {
        self.before.iter().chain(self.after).copied().collect::<Vec<_>>().join(" ! ")
    }
}

/// The first chain for frames in `memory` whose elements are all installed. `installed` is asked
/// about an element's name and the memory that it is to take: DeepStream's `nvjpegenc` and the one
/// of GStreamer's nvcodec take different ones.
///
/// # Errors
/// When none is there.
pub(super) fn choose(
    memory: &str,
    installed: impl Fn(&str, Option<&str>) -> bool,
) -> Result<Chain, EncodeError> {
    let (chains, install) = known(memory);
    let mut tried = Vec::new();
    for chain in chains {
        let missing: Vec<_> = chain
            .elements(memory)
            .filter(|(name, memory)| !installed(name, *memory))
            .map(|(name, _)| name)
            .collect();
        if missing.is_empty() {
            return Ok(*chain);
        }
        tried.push(format!("`{}` (no {})", chain.text(), missing.join(", no ")));
    }
    Err(match tried.is_empty() {
        true => EncodeError::Unknown { memory: memory.to_owned() },
        false => {
            EncodeError::Missing { memory: memory.to_owned(), tried: tried.join(", "), install }
        }
    })
}

/// Whether GStreamer has an element of this name that takes frames in this memory.
pub(super) fn installed(name: &str, memory: Option<&str>) -> bool {
    let Some(factory) = gst::ElementFactory::find(name) else { return false };
    memory.is_none_or(|memory| {
        factory.can_sink_any_caps(&gst::Caps::builder("video/x-raw").features([memory]).build())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &[&str] = &["videoscale", "videoconvert", "jpegenc"];

    /// The chain that is chosen if GStreamer has its usual elements and `more`, with what it fixes.
    fn chosen(memory: &str, more: &[&str]) -> String {
        gst::init().unwrap();
        let chain = choose(memory, |name, _| BASE.contains(&name) || more.contains(&name)).unwrap();
        let size = chain.size.unwrap().caps((4, 2)).to_string();
        let size = size.replace("(int)", "").replace("(string)", "").replace(", ", ",");
        let parts = [chain.before, &[size.as_str()], chain.after].concat();
        let mapped = if chain.is_mapped { "mapped: " } else { "" };
        mapped.to_owned() + &parts.join(" ! ")
    }

    #[test]
    fn the_chain_goes_by_memory_and_by_what_is_installed() {
        const SYSTEM_SIZE: &str = "video/x-raw,width=4,height=2";
        let square = format!("{SYSTEM_SIZE},pixel-aspect-ratio=(fraction)1/1");
        let nvmm_size = "video/x-raw(memory:NVMM),width=4,height=2,format=I420";
        let va_size = "video/x-raw(memory:VAMemory),width=4,height=2,format=NV12";
        let cuda_size = "video/x-raw(memory:CUDAMemory),width=4,height=2";
        let gl_size = "video/x-raw(memory:GLMemory),width=4,height=2";
        for (place, memory, more, expected) in [
            ("CPU", SYSTEM, &[][..], format!("videoscale ! videoconvert ! {square} ! jpegenc")),
            (
                "CPU with hardware elsewhere",
                SYSTEM,
                &["nvvidconv", "nvjpegenc", "vapostproc", "vajpegenc"],
                format!("videoscale ! videoconvert ! {square} ! jpegenc"),
            ),
            (
                "Jetson",
                NVMM,
                &["nvvidconv", "nvjpegenc"],
                format!("nvvidconv ! {nvmm_size} ! nvjpegenc"),
            ),
            (
                "Jetson with DeepStream",
                NVMM,
                &["nvvidconv", "nvvideoconvert", "nvjpegenc"],
                format!("nvvideoconvert ! {nvmm_size} ! nvjpegenc"),
            ),
            (
                "Jetson without nvjpegenc",
                NVMM,
                &["nvvidconv"],
                format!("nvvidconv ! {SYSTEM_SIZE} ! videoconvert ! jpegenc"),
            ),
            (
                "DeepStream on a dGPU",
                NVMM,
                &["nvvideoconvert", "nvjpegenc"],
                format!("nvvideoconvert ! {nvmm_size} ! nvjpegenc"),
            ),
            (
                "DeepStream without nvjpegenc",
                NVMM,
                &["nvvideoconvert"],
                format!("nvvideoconvert ! {SYSTEM_SIZE} ! videoconvert ! jpegenc"),
            ),
            (
                "CUDA",
                CUDA,
                &["cudaconvertscale", "cudadownload", "nvjpegenc"],
                format!("cudaconvertscale ! {cuda_size},format=I420 ! nvjpegenc"),
            ),
            (
                "CUDA without nvjpegenc",
                CUDA,
                &["cudaconvertscale", "cudadownload"],
                format!("cudaconvertscale ! {cuda_size} ! cudadownload ! videoconvert ! jpegenc"),
            ),
            (
                "CUDA in GStreamer 1.20",
                CUDA,
                &["cudascale", "cudadownload"],
                format!("cudascale ! {cuda_size} ! cudadownload ! videoconvert ! jpegenc"),
            ),
            (
                "CUDA that only downloads",
                CUDA,
                &["cudadownload"],
                format!("cudadownload ! videoscale ! videoconvert ! {square} ! jpegenc"),
            ),
            ("VA", VA, &["vapostproc", "vajpegenc"], format!("vapostproc ! {va_size} ! vajpegenc")),
            (
                "VA without vajpegenc",
                VA,
                &["vapostproc"],
                format!("vapostproc ! {SYSTEM_SIZE} ! videoconvert ! jpegenc"),
            ),
            (
                "GL",
                GL,
                &["glcolorconvert", "glcolorscale", "gldownload"],
                format!(
                    "glcolorconvert ! glcolorscale ! {gl_size} ! gldownload ! videoconvert ! \
                     jpegenc"
                ),
            ),
            (
                "GL that only downloads",
                GL,
                &["gldownload"],
                format!("gldownload ! videoscale ! videoconvert ! {square} ! jpegenc"),
            ),
            (
                "DMABuf with VA",
                DMABUF,
                &["vapostproc", "vajpegenc"],
                format!("vapostproc ! {va_size} ! vajpegenc"),
            ),
            (
                "DMABuf with VA without vajpegenc",
                DMABUF,
                &["vapostproc"],
                format!("vapostproc ! {SYSTEM_SIZE} ! videoconvert ! jpegenc"),
            ),
            (
                "DMABuf",
                DMABUF,
                &[],
                format!("mapped: videoscale ! videoconvert ! {square} ! jpegenc"),
            ),
        ] {
            assert_eq!(chosen(memory, more), expected, "{place}");
        }
    }

    #[test]
    fn an_element_that_takes_another_memory_is_not_the_one() {
        let nvjpegenc_of_nvcodec = |name: &str, memory: Option<&str>| {
            name != "nvjpegenc" || matches!(memory, Some(CUDA | SYSTEM))
        };
        assert_eq!(choose(CUDA, nvjpegenc_of_nvcodec).unwrap().after, ["nvjpegenc"]);
        assert_eq!(choose(NVMM, nvjpegenc_of_nvcodec).unwrap().after, ["videoconvert", "jpegenc"]);
        // Mapped, a DMABuf is ordinary memory to videoscale.
        let takes_system = |_: &str, memory: Option<&str>| memory.is_none_or(|it| it == SYSTEM);
        assert!(choose(DMABUF, takes_system).unwrap().is_mapped);
    }

    #[test]
    fn where_nothing_is_installed_the_error_names_what_would_be() {
        for (memory, elements, install) in [
            (SYSTEM, &["videoscale", "videoconvert", "jpegenc"][..], "good plugins"),
            (NVMM, &["nvvideoconvert", "nvvidconv", "nvjpegenc"], "DeepStream"),
            (CUDA, &["cudaconvertscale", "cudadownload", "nvjpegenc"], "nvcodec"),
            (VA, &["vapostproc", "vajpegenc"], "va plugin"),
            (GL, &["glcolorscale", "gldownload"], "opengl"),
            (DMABUF, &["vapostproc", "jpegenc"], "good plugins"),
        ] {
            let error = choose(memory, |_, _| false).unwrap_err().to_string();
            for word in [memory, install, "jpeg-encoder"].iter().chain(elements) {
                assert!(error.contains(word), "{word} is not in: {error}");
            }
        }
        let error = choose("memory:Strange", |_, _| true).unwrap_err().to_string();
        assert!(error.contains("memory:Strange") && error.contains("jpeg-encoder"), "{error}");
    }

    #[test]
    fn what_is_installed_is_asked_of_gstreamer() {
        gst::init().unwrap();
        assert!(installed("jpegenc", Some(SYSTEM)));
        assert!(!installed("jpegenc", Some(NVMM)));
        assert!(installed("jpegenc", None));
        assert!(!installed("no-such-element", None));
    }

    #[test]
    fn before_an_encoder_that_the_user_names_only_ordinary_memory_is_scaled() {
        let chain = Chain::before_named(SYSTEM);
        assert_eq!((chain.before, chain.after), (CPU.before, &[][..]));
        assert_eq!(chain.size, CPU.size);
        assert_eq!(Chain::before_named(VA).size, None);
    }
}
