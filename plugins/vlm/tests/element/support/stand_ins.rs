//! Elements that bear the names of hardware converters and encoders. They take and give the memory
//! features that those do, though what they have is ordinary memory.

use std::sync::Mutex;

use gst::{glib, prelude::*, subclass::prelude::*};
use gst_check::Harness;

pub(crate) const SYSTEM: &str = "memory:SystemMemory";
const NVMM: &str = "memory:NVMM";
const CUDA: &str = "memory:CUDAMemory";
const VA: &str = "memory:VAMemory";
const GL: &str = "memory:GLMemory";
const DMABUF: &str = "memory:DMABuf";

/// A context that hardware elements of one pipeline share.
pub(crate) const DISPLAY: &str = "stand-in.display";

/// The stand-ins that were made, in that order.
static MADE: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
/// What the newest converter got from its neighbours when it asked for [`DISPLAY`].
static CONTEXT: Mutex<Option<gst::Context>> = Mutex::new(None);
/// The quality that the newest frame was encoded with.
static QUALITY: Mutex<Option<u32>> = Mutex::new(None);

/// The names of the stand-ins that were made, one for each.
pub(crate) fn made() -> Vec<&'static str> {
    MADE.lock().unwrap().clone()
}

pub(crate) fn context() -> Option<gst::Context> {
    CONTEXT.lock().unwrap().clone()
}

pub(crate) fn quality() -> Option<u32> {
    *QUALITY.lock().unwrap()
}

/// What an element of a name does with frames.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    /// Gives white frames of the size, format, colours and memory that are wanted.
    Convert,
    /// Gives white frames of the size that is wanted, and leaves all else as it came.
    Scale,
    /// Gives frames as they are, in ordinary memory.
    Download,
    Encode,
}

#[derive(Default)]
pub(crate) struct State {
    caps: Mutex<Option<gst::Caps>>,
    quality: Mutex<u32>,
}

struct Kind {
    name: &'static str,
    does: Does,
    takes: &'static [&'static str],
    gives: &'static [&'static str],
    format: Option<&'static str>,
    /// The only colorimetry that it has a word for.
    colorimetry: Option<&'static str>,
}

impl Kind {
    fn raw(&self, memories: &[&str]) -> gst::Caps {
        let mut caps = gst::Caps::new_empty();
        for memory in memories {
            let raw = gst::Caps::builder("video/x-raw").features([*memory]);
            let raw = raw.field_if_some("format", self.format);
            caps.merge(raw.field_if_some("colorimetry", self.colorimetry).build());
        }
        caps
    }

    const fn knows_only(self, colorimetry: &'static str) -> Self {
        Self { colorimetry: Some(colorimetry), ..self }
    }

    fn templates(&self) -> Vec<gst::PadTemplate> {
        let gives = match self.does {
            Does::Encode => gst::Caps::new_empty_simple("image/jpeg"),
            _ => self.raw(self.gives),
        };
        let template = |name, direction, caps| {
            gst::PadTemplate::new(name, direction, gst::PadPresence::Always, caps).unwrap()
        };
        vec![
            template("sink", gst::PadDirection::Sink, &self.raw(self.takes)),
            template("src", gst::PadDirection::Src, &gives),
        ]
    }

    fn chain(
        &self,
        state: &State,
        (sink, src): (&gst::Pad, &gst::Pad),
        buffer: gst::Buffer,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let caps = state.caps.lock().unwrap().clone().ok_or(gst::FlowError::NotNegotiated)?;
        let (buffer, given) = match self.does {
            Does::Convert | Does::Scale => {
                let mut query = gst::query::Context::new(DISPLAY);
                if sink.peer_query(&mut query) {
                    *CONTEXT.lock().unwrap() = query.context_owned();
                }
                let given = self.wanted(&caps, src).ok_or(gst::FlowError::NotNegotiated)?;
                let mut white = white(&given);
                white.get_mut().unwrap().set_pts(buffer.pts());
                (white, given)
            }
            Does::Download => (buffer, in_memory(&caps, SYSTEM)),
            Does::Encode => {
                let quality = *state.quality.lock().unwrap();
                *QUALITY.lock().unwrap() = Some(quality);
                let mut jpegenc = Harness::new("jpegenc");
                jpegenc.set_src_caps(in_memory(&caps, SYSTEM));
                let jpeg = jpegenc.push_and_pull(buffer).unwrap();
                (jpeg, gst::Caps::new_empty_simple("image/jpeg"))
            }
        };
        if src.current_caps().as_ref() != Some(&given) {
            src.push_event(gst::event::Caps::new(&given));
            let segment = gst::FormattedSegment::<gst::ClockTime>::new();
            src.push_event(gst::event::Segment::new(&segment));
        }
        src.push(buffer)
    }

    /// What comes next takes, and as much of what came as that allows.
    fn wanted(&self, caps: &gst::Caps, src: &gst::Pad) -> Option<gst::Caps> {
        let mut possible = self.raw(self.gives);
        if self.does == Does::Scale {
            let mut same = caps.copy();
            same.make_mut().structure_mut(0)?.remove_fields(["width", "height"]);
            possible = possible.intersect(&same);
        }
        let wanted = src.peer_query_caps(Some(&possible));
        let mut wanted = (!wanted.is_empty()).then_some(wanted)?;
        wanted.truncate();
        let came = caps.structure(0)?;
        let structure = wanted.make_mut().structure_mut(0)?;
        let is_rgb = self.format == Some("RGBA");
        // RGB has colours of its own.
        for (field, value) in came.iter().filter(|(field, _)| !is_rgb || *field != "colorimetry") {
            if structure.value(field).is_ok_and(|wanted| wanted.intersect(value).is_none()) {
                continue;
            }
            structure.set_value(field, value.clone());
        }
        wanted.fixate();
        Some(wanted)
    }

    fn sink_event(&self, state: &State, src: &gst::Pad, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::Caps(caps) => {
                *state.caps.lock().unwrap() = Some(caps.caps_owned());
                true
            }
            // It comes after the caps, which are not known yet.
            gst::EventView::Segment(_) => true,
            _ => src.push_event(event),
        }
    }
}

/// A white frame, in the colours that caps say or, where they do not, that GStreamer takes them for.
fn white(caps: &gst::CapsRef) -> gst::Buffer {
    let info = gst_video::VideoInfo::from_caps(caps).unwrap();
    let mut buffer = gst::Buffer::from_mut_slice(vec![128; info.size()]);
    let new = buffer.get_mut().unwrap();
    let mut frame = gst_video::VideoFrameRef::from_buffer_ref_writable(new, &info).unwrap();
    let is_limited = info.colorimetry().range() == gst_video::VideoColorRange::Range16_235;
    frame.plane_data_mut(0).unwrap().fill(if is_limited { 235 } else { 255 });
    drop(frame);
    buffer
}

fn in_memory(caps: &gst::Caps, memory: &str) -> gst::Caps {
    let mut caps = caps.copy();
    caps.make_mut().set_features_simple(Some(gst::CapsFeatures::new([memory])));
    caps
}

macro_rules! stand_ins {
    ($($module:ident: $kind:expr;)*) => {
        $(mod $module {
            use super::*;

            pub(super) static KIND: Kind = $kind;

            pub(crate) struct Imp {
                sink: gst::Pad,
                src: gst::Pad,
                state: State,
            }

            glib::wrapper! {
                pub(crate) struct Element(ObjectSubclass<Imp>) @extends gst::Element, gst::Object;
            }

            #[glib::object_subclass]
            impl ObjectSubclass for Imp {
                const NAME: &'static str = concat!("StandIn-", stringify!($module));
                type Type = Element;
                type ParentType = gst::Element;

                fn with_class(class: &Self::Class) -> Self {
                    let sink = gst::Pad::builder_from_template(&class.pad_template("sink").unwrap())
                        .chain_function(|_, parent, buffer| {
                            let this = parent.unwrap().downcast_ref::<Element>().unwrap().imp();
                            KIND.chain(&this.state, (&this.sink, &this.src), buffer)
                        })
                        .event_function(|_, parent, event| {
                            let this = parent.unwrap().downcast_ref::<Element>().unwrap().imp();
                            KIND.sink_event(&this.state, &this.src, event)
                        })
                        .build();
                    let src = gst::Pad::from_template(&class.pad_template("src").unwrap());
                    Self { sink, src, state: State::default() }
                }
            }

            impl ObjectImpl for Imp {
                fn properties() -> &'static [glib::ParamSpec] {
                    static QUALITY: std::sync::LazyLock<Vec<glib::ParamSpec>> =
                        std::sync::LazyLock::new(|| {
                            vec![glib::ParamSpecUInt::builder("quality").maximum(90).build()]
                        });
                    if KIND.does == Does::Encode { &QUALITY } else { &[] }
                }

                fn set_property(&self, _: usize, value: &glib::Value, _: &glib::ParamSpec) {
                    *self.state.quality.lock().unwrap() = value.get().unwrap();
                }

                fn property(&self, _: usize, _: &glib::ParamSpec) -> glib::Value {
                    self.state.quality.lock().unwrap().to_value()
                }

                fn constructed(&self) {
                    self.parent_constructed();
                    MADE.lock().unwrap().push(KIND.name);
                    self.obj().add_pad(&self.sink).unwrap();
                    self.obj().add_pad(&self.src).unwrap();
                }
            }

            impl GstObjectImpl for Imp {}

            impl ElementImpl for Imp {
                fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
                    static METADATA: std::sync::LazyLock<gst::subclass::ElementMetadata> =
                        std::sync::LazyLock::new(|| {
                            gst::subclass::ElementMetadata::new("Stand-in", "Test", "Test", "Test")
                        });
                    Some(&METADATA)
                }

                fn pad_templates() -> &'static [gst::PadTemplate] {
                    static TEMPLATES: std::sync::LazyLock<Vec<gst::PadTemplate>> =
                        std::sync::LazyLock::new(|| KIND.templates());
                    &TEMPLATES
                }
            }
        })*

        /// Makes these stand-ins known to GStreamer.
        pub(crate) fn stand_in(names: &[&str]) {
            for name in names {
                let (kind, class) = match *name {
                    $(stringify!($module) => (&$module::KIND, $module::Element::static_type()),)*
                    _ => panic!("nothing stands in for {name}"),
                };
                gst::Element::register(None, kind.name, gst::Rank::NONE, class).unwrap();
            }
        }
    };
}

const fn kind(
    name: &'static str,
    does: Does,
    takes: &'static [&'static str],
    gives: &'static [&'static str],
    format: Option<&'static str>,
) -> Kind {
    Kind { name, does, takes, gives, format, colorimetry: None }
}

const fn converter(name: &'static str, memories: &'static [&'static str]) -> Kind {
    kind(name, Does::Convert, memories, memories, None)
}

const fn download(name: &'static str, takes: &'static [&'static str]) -> Kind {
    kind(name, Does::Download, takes, &[SYSTEM], None)
}

const fn encoder(name: &'static str, takes: &'static [&'static str], format: &'static str) -> Kind {
    kind(name, Does::Encode, takes, &[], Some(format))
}

stand_ins! {
    nvvidconv: converter("nvvidconv", &[NVMM, SYSTEM]);
    nvvideoconvert: converter("nvvideoconvert", &[NVMM, SYSTEM]);
    deepstream_nvjpegenc: encoder("nvjpegenc", &[NVMM, SYSTEM], "I420");
    nvcodec_nvjpegenc: encoder("nvjpegenc", &[CUDA, SYSTEM], "I420");
    cudaconvertscale: converter("cudaconvertscale", &[CUDA]);
    cudascale: kind("cudascale", Does::Scale, &[CUDA], &[CUDA], None);
    cudadownload: download("cudadownload", &[CUDA]);
    vapostproc: converter("vapostproc", &[VA, DMABUF, SYSTEM]);
    vapostproc_of_few_words: converter("vapostproc", &[VA, DMABUF, SYSTEM]).knows_only("bt709");
    vajpegenc: encoder("vajpegenc", &[VA, SYSTEM], "NV12");
    glcolorconvert: converter("glcolorconvert", &[GL]);
    glcolorscale: kind("glcolorscale", Does::Convert, &[GL], &[GL], Some("RGBA"));
    gldownload: download("gldownload", &[GL]);
}
