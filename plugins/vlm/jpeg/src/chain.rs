//! Which elements make a frame's JPEG: chosen by the memory it is in and by what is installed.

use super::{
    EncodeError, colours,
    memory::{CUDA, DMABUF, GL, NVMM, SYSTEM, VA},
};

/// The element that converts colours, by the CPU.
pub(super) const CONVERTS: &str = "videoconvert";
/// The element that turns frames.
pub(super) const TURNS: &str = "videoflip";

/// Elements from a frame to its JPEG. Where the hardware scales, no frame comes to the CPU in its
/// full size. Before the last element, frames are in the format and the colours of a JPEG.
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
    format: Format,
    colours: Colours,
    /// Whether the caps say that pixels are square. Not every hardware scaler knows how, and the
    /// size is that of square pixels anyway.
    says_square: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// What the neighbours agree on.
    Agreed,
    /// The one in which a frame of its kind is encoded.
    Encoded,
    /// The one that the encoder takes.
    Is(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colours {
    /// Those of a JPEG.
    Jpeg,
    /// Those of a JPEG, if the hardware can; what is not said, it is asked for no other way.
    JpegIfPossible,
    /// Those that the frame came with, if the hardware says so: a converter that comes later has
    /// to know them.
    SameIfPossible,
    /// What the neighbours agree on.
    Agreed,
}

/// What the caps for an encoder take from those of the frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kind {
    /// The format in which it is encoded.
    pub(super) format: &'static str,
    /// Its colorimetry, as it came.
    pub(super) colorimetry: Option<String>,
}

impl Kind {
    pub(super) fn of(caps: &gst::Caps, is_turned: bool) -> Self {
        let format = match colours::format(caps) {
            // `videoflip` does not take it, and half its colour would go with the turn.
            "Y42B" if is_turned => "I420",
            format => format,
        };
        Self { format, colorimetry: colours::of(caps) }
    }

    /// What the CPU gives an encoder.
    pub(super) fn encoded(&self) -> gst::Caps {
        gst::Caps::builder("video/x-raw")
            .field("format", self.format)
            .field("colorimetry", colours::JPEG)
            .build()
    }
}

impl Size {
    pub(super) fn caps(self, (width, height): (i32, i32), kind: &Kind) -> gst::Caps {
        let format = match self.format {
            Format::Agreed => None,
            Format::Encoded => Some(kind.format),
            Format::Is(format) => Some(format),
        };
        let with = |colorimetry: Option<&str>| {
            gst::Caps::builder("video/x-raw")
                .features([self.memory])
                .field("width", width)
                .field("height", height)
                .field_if_some("format", format)
                .field_if("pixel-aspect-ratio", gst::Fraction::new(1, 1), self.says_square)
                .field_if_some("colorimetry", colorimetry)
                .build()
        };
        let if_possible = |colorimetry: Option<&str>| {
            let mut caps = with(colorimetry);
            if colorimetry.is_some() {
                caps.merge(with(None));
            }
            caps
        };
        match self.colours {
            Colours::Jpeg => with(Some(colours::JPEG)),
            Colours::JpegIfPossible => if_possible(Some(colours::JPEG)),
            Colours::SameIfPossible => if_possible(kind.colorimetry.as_deref()),
            Colours::Agreed => with(None),
        }
    }

    /// The same for an encoder that takes no frames in the colours of a JPEG.
    pub(super) fn in_any_colours(self) -> Self {
        Self { format: Format::Agreed, colours: Colours::Agreed, ..self }
    }
}

/// By the CPU.
const SCALED: Size =
    Size { memory: SYSTEM, format: Format::Encoded, colours: Colours::Jpeg, says_square: true };

/// By a hardware converter, for an encoder that takes this format in this memory.
const fn encoded(memory: &'static str, format: &'static str) -> Size {
    let format = Format::Is(format);
    Size { memory, format, colours: Colours::JpegIfPossible, says_square: false }
}

/// By a hardware converter, for the CPU to convert.
const fn converted(memory: &'static str) -> Size {
    let format = Format::Agreed;
    Size { memory, format, colours: Colours::SameIfPossible, says_square: false }
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
    chain(&["nvvideoconvert"], encoded(NVMM, "I420"), &["nvjpegenc"]),
    chain(&["nvvidconv"], encoded(NVMM, "I420"), &["nvjpegenc"]),
    chain(&["nvvideoconvert"], converted(SYSTEM), &["videoconvert", "jpegenc"]),
    chain(&["nvvidconv"], converted(SYSTEM), &["videoconvert", "jpegenc"]),
];

// GStreamer 1.20 has cudascale only.
const CUDA_CHAINS: &[Chain] = &[
    chain(&["cudaconvertscale"], encoded(CUDA, "I420"), &["nvjpegenc"]),
    chain(&["cudaconvertscale"], converted(CUDA), &["cudadownload", "videoconvert", "jpegenc"]),
    chain(&["cudascale"], converted(CUDA), &["cudadownload", "videoconvert", "jpegenc"]),
    chain(&["cudadownload", "videoscale", "videoconvert"], SCALED, &["jpegenc"]),
];

const VA_CHAINS: &[Chain] = &[
    chain(&["vapostproc"], encoded(VA, "NV12"), &["vajpegenc"]),
    chain(&["vapostproc"], converted(SYSTEM), &["videoconvert", "jpegenc"]),
];

// glcolorscale takes RGBA only, whose colorimetry is that of RGB.
const GL_SIZE: Size =
    Size { memory: GL, format: Format::Agreed, colours: Colours::Agreed, says_square: false };
const GL_CHAINS: &[Chain] = &[
    chain(&["glcolorconvert", "glcolorscale"], GL_SIZE, &["gldownload", "videoconvert", "jpegenc"]),
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
    /// Whether the CPU encodes, behind whose converter frames can be turned.
    fn ends_on_cpu(&self) -> bool {
        self.after.last() == Some(&"jpegenc")
    }

    /// Whether frames are the CPU's when they come to the encoder, and not yet converted when they
    /// get their size.
    pub(super) fn converts_late(&self) -> bool {
        self.ends_on_cpu() && self.after.len() > 1
    }

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

/// The first chain for frames in `memory` whose elements are all installed; for frames that are
/// turned, one in which the CPU encodes. `installed` is asked about an element's name and the memory
/// that it is to take: DeepStream's `nvjpegenc` and the one of GStreamer's nvcodec take different
/// ones.
///
/// # Errors
/// When none is there.
pub(super) fn choose(
    memory: &str,
    is_turned: bool,
    installed: impl Fn(&str, Option<&str>) -> bool,
) -> Result<Chain, EncodeError> {
    let (chains, install) = known(memory);
    let turns = is_turned.then_some((TURNS, None));
    let mut tried = Vec::new();
    for chain in chains.iter().filter(|chain| !is_turned || chain.ends_on_cpu()) {
        let missing: Vec<_> = chain
            .elements(memory)
            .chain(turns)
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
        let installed = |name: &str, _: Option<&str>| BASE.contains(&name) || more.contains(&name);
        let chain = choose(memory, false, installed).unwrap();
        let kind = Kind { format: "Y42B", colorimetry: Some("bt709".to_owned()) };
        let written = |caps: gst::Caps| {
            let text = caps.to_string();
            text.replace("(int)", "").replace("(string)", "").replace(", ", ",")
        };
        let size = written(chain.size.unwrap().caps((4, 2), &kind));
        let mut parts = [chain.before, &[size.as_str()], chain.after].concat();
        let encoded = written(kind.encoded());
        if chain.converts_late() {
            parts.insert(parts.len() - 1, &encoded);
        }
        let mapped = if chain.is_mapped { "mapped: " } else { "" };
        mapped.to_owned() + &parts.join(" ! ")
    }

    #[test]
    fn the_chain_goes_by_memory_and_by_what_is_installed() {
        let size =
            |memory: &str, fields: &str| format!("video/x-raw{memory},width=4,height=2{fields}");
        // Whatever colours come of it where the hardware has no word for those that are wanted.
        let if_possible = |memory: &str, fields: &str, colorimetry: &str| {
            let with = size(memory, &format!("{fields},colorimetry={colorimetry}"));
            format!("{with}; {}", size(memory, fields))
        };
        let encoded = |memory: &str, format: &str| {
            if_possible(&format!("(memory:{memory})"), &format!(",format={format}"), "1:4:0:0")
        };
        let square = size("", ",format=Y42B,pixel-aspect-ratio=(fraction)1/1,colorimetry=1:4:0:0");
        let jpeg = "video/x-raw,format=Y42B,colorimetry=1:4:0:0 ! jpegenc";
        let system_size = if_possible("", "", "bt709");
        let nvmm_size = encoded("NVMM", "I420");
        let va_size = encoded("VAMemory", "NV12");
        let cuda_size = if_possible("(memory:CUDAMemory)", "", "bt709");
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
                format!("nvvidconv ! {system_size} ! videoconvert ! {jpeg}"),
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
                format!("nvvideoconvert ! {system_size} ! videoconvert ! {jpeg}"),
            ),
            (
                "CUDA",
                CUDA,
                &["cudaconvertscale", "cudadownload", "nvjpegenc"],
                format!("cudaconvertscale ! {} ! nvjpegenc", encoded("CUDAMemory", "I420")),
            ),
            (
                "CUDA without nvjpegenc",
                CUDA,
                &["cudaconvertscale", "cudadownload"],
                format!("cudaconvertscale ! {cuda_size} ! cudadownload ! videoconvert ! {jpeg}"),
            ),
            (
                "CUDA in GStreamer 1.20",
                CUDA,
                &["cudascale", "cudadownload"],
                format!("cudascale ! {cuda_size} ! cudadownload ! videoconvert ! {jpeg}"),
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
                format!("vapostproc ! {system_size} ! videoconvert ! {jpeg}"),
            ),
            (
                "GL",
                GL,
                &["glcolorconvert", "glcolorscale", "gldownload"],
                format!(
                    "glcolorconvert ! glcolorscale ! {gl_size} ! gldownload ! videoconvert ! \
                     {jpeg}"
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
                format!("vapostproc ! {system_size} ! videoconvert ! {jpeg}"),
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
    fn frames_that_are_turned_come_to_the_cpu_once_they_are_small() {
        for (memory, chosen) in [
            (SYSTEM, &CPU),
            (NVMM, &NVMM_CHAINS[2]),
            (CUDA, &CUDA_CHAINS[1]),
            (VA, &VA_CHAINS[1]),
            (GL, &GL_CHAINS[0]),
            (DMABUF, &DMABUF_CHAINS[1]),
        ] {
            assert_eq!(choose(memory, true, |_, _| true).as_ref(), Ok(chosen), "{memory}");
            let error = choose(memory, true, |name, _| name != TURNS).unwrap_err().to_string();
            assert!(error.contains("no videoflip") && error.contains(memory), "{error}");
        }
    }

    #[test]
    fn an_element_that_takes_another_memory_is_not_the_one() {
        let nvjpegenc_of_nvcodec = |name: &str, memory: Option<&str>| {
            name != "nvjpegenc" || matches!(memory, Some(CUDA | SYSTEM))
        };
        assert_eq!(choose(CUDA, false, nvjpegenc_of_nvcodec).unwrap().after, ["nvjpegenc"]);
        assert_eq!(
            choose(NVMM, false, nvjpegenc_of_nvcodec).unwrap().after,
            ["videoconvert", "jpegenc"]
        );
        // Mapped, a DMABuf is ordinary memory to videoscale.
        let takes_system = |_: &str, memory: Option<&str>| memory.is_none_or(|it| it == SYSTEM);
        assert!(choose(DMABUF, false, takes_system).unwrap().is_mapped);
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
            let error = choose(memory, false, |_, _| false).unwrap_err().to_string();
            for word in [memory, install, "jpeg-encoder"].iter().chain(elements) {
                assert!(error.contains(word), "{word} is not in: {error}");
            }
        }
        let error = choose("memory:Strange", false, |_, _| true).unwrap_err().to_string();
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
