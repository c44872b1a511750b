//! Elements with the names, pads and properties of NVIDIA's that the pipelines use, as far as they
//! use them. `memory:NVMM` is in their caps only: what flows is ordinary memory.

use std::sync::{LazyLock, Once};

use gst::{glib, prelude::*, subclass::prelude::*};
use gst_base::subclass::{BaseTransformMode, prelude::*};

const NVMM: &str = "video/x-raw(memory:NVMM)";
const BOTH: &str = "video/x-raw(memory:NVMM); video/x-raw";
/// What a Jetson's camera gives.
const ARGUS: &str = "video/x-raw,format=NV12";
/// What the others are made of: it takes frames out of NVMM and puts them there.
const CONVERT: &str = "standinconvert";

/// Like nvvideoconvert and nvvidconv, which scale as well.
const CONVERTER: &str = "standinconvert ! videoscale ! videoconvert ! standinconvert";

/// Registers each of them that is not installed.
pub(crate) fn register() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        let all = [
            (CONVERT, Convert::static_type()),
            ("nvarguscamerasrc", argus::Element::static_type()),
            ("nvvidconv", vidconv::Element::static_type()),
            ("nvvideoconvert", videoconvert::Element::static_type()),
            ("nvstreammux", streammux::Element::static_type()),
            ("nvinfer", infer::Element::static_type()),
            ("nvmultistreamtiler", tiler::Element::static_type()),
            ("nvdsosd", osd::Element::static_type()),
            ("nv3dsink", sink3d::Element::static_type()),
            ("nveglglessink", sinkegl::Element::static_type()),
        ];
        for (name, type_) in all {
            if gst::ElementFactory::find(name).is_none() {
                gst::Element::register(None, name, gst::Rank::NONE, type_).unwrap();
            }
        }
    });
}

/// GStreamer registers no element without.
fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
    static ALL: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
        gst::subclass::ElementMetadata::new("Stand-in", "Video", "Stands in", "live-vlm")
    });
    Some(&ALL)
}

fn pad(name: &str, presence: gst::PadPresence, caps: &str) -> gst::PadTemplate {
    let direction = match name {
        "src" => gst::PadDirection::Src,
        _ => gst::PadDirection::Sink,
    };
    gst::PadTemplate::new(name, direction, presence, &caps.parse().unwrap()).unwrap()
}

fn always(name: &str, caps: &str) -> gst::PadTemplate {
    pad(name, gst::PadPresence::Always, caps)
}

fn on_request(name: &str, caps: &str) -> gst::PadTemplate {
    pad(name, gst::PadPresence::Request, caps)
}

fn text(name: &str) -> glib::ParamSpec {
    glib::ParamSpecString::builder(name).build()
}

fn number(name: &str) -> glib::ParamSpec {
    glib::ParamSpecInt::builder(name).build()
}

fn flag(name: &str) -> glib::ParamSpec {
    glib::ParamSpecBoolean::builder(name).build()
}

/// Fills a bin and gives it its pads, but for those that are made on request.
fn fill(bin: &gst::Bin, description: &str) {
    let inside = gst::parse::bin_from_description(description, true).unwrap();
    inside.set_property("name", "inside");
    bin.add(&inside).unwrap();
    for template in bin.pad_template_list() {
        if template.presence() == gst::PadPresence::Always {
            let name = template.name_template();
            expose(bin, &template, name, &inside.static_pad(name).unwrap());
        }
    }
}

fn expose(bin: &gst::Bin, template: &gst::PadTemplate, name: &str, target: &gst::Pad) -> gst::Pad {
    let ghost = gst::GhostPad::builder_from_template_with_target(template, target).unwrap();
    let ghost = ghost.name(name).build();
    bin.add_pad(&ghost).unwrap();
    ghost.upcast()
}

/// Another input of the funnel in a bin.
fn funnel_pad(bin: &gst::Bin, template: &gst::PadTemplate, name: Option<&str>) -> gst::Pad {
    let funnel = bin.by_name("funnel").unwrap();
    let input = funnel.request_pad_simple("sink_%u").unwrap();
    let inside = funnel.parent().and_downcast::<gst::Bin>().unwrap();
    let name = name.expect("nvstreammux has no pads without a number").to_owned();
    let ghost = gst::GhostPad::builder_with_target(&input).unwrap().name(&*name).build();
    inside.add_pad(&ghost).unwrap();
    expose(bin, template, &name, ghost.upcast_ref())
}

macro_rules! stand_in {
    ($module:ident, $inside:expr, pads: [$($pad:expr),+], properties: [$($property:expr),*]) => {
        mod $module {
            use super::*;

            #[derive(Default)]
            pub(super) struct Imp;

            glib::wrapper! {
                pub(super) struct Element(ObjectSubclass<Imp>)
                    @extends gst::Bin, gst::Element, gst::Object, @implements gst::ChildProxy;
            }

            #[glib::object_subclass]
            impl ObjectSubclass for Imp {
                const NAME: &'static str = concat!("StandIn-", stringify!($module));
                type Type = Element;
                type ParentType = gst::Bin;
            }

            impl ObjectImpl for Imp {
                fn properties() -> &'static [glib::ParamSpec] {
                    static ALL: LazyLock<Vec<glib::ParamSpec>> =
                        LazyLock::new(|| vec![$($property),*]);
                    ALL.as_ref()
                }

                fn set_property(&self, _: usize, _: &glib::Value, _: &glib::ParamSpec) {}

                fn property(&self, _: usize, property: &glib::ParamSpec) -> glib::Value {
                    property.default_value().clone()
                }

                fn constructed(&self) {
                    self.parent_constructed();
                    fill(self.obj().upcast_ref(), &$inside);
                }
            }

            impl GstObjectImpl for Imp {}

            impl ElementImpl for Imp {
                fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
                    metadata()
                }

                fn pad_templates() -> &'static [gst::PadTemplate] {
                    static ALL: LazyLock<Vec<gst::PadTemplate>> =
                        LazyLock::new(|| vec![$($pad),+]);
                    ALL.as_ref()
                }

                fn request_new_pad(
                    &self,
                    template: &gst::PadTemplate,
                    name: Option<&str>,
                    _: Option<&gst::Caps>,
                ) -> Option<gst::Pad> {
                    Some(funnel_pad(self.obj().upcast_ref(), template, name))
                }
            }

            impl BinImpl for Imp {}
        }
    };
}

stand_in!(argus, format!("videotestsrc is-live=true pattern=red num-buffers=30 ! {ARGUS} ! {CONVERT}"),
    pads: [always("src", NVMM)], properties: [number("sensor-id")]);
stand_in!(vidconv, CONVERTER, pads: [always("sink", BOTH), always("src", BOTH)], properties: []);
stand_in!(videoconvert, CONVERTER, pads: [always("sink", BOTH), always("src", BOTH)], properties: []);
stand_in!(streammux, format!("funnel name=funnel ! {CONVERT}"),
    pads: [on_request("sink_%u", NVMM), always("src", NVMM)],
    properties: [number("batch-size"), number("width"), number("height"), flag("live-source")]);
stand_in!(infer, "identity", pads: [always("sink", NVMM), always("src", NVMM)],
    properties: [text("config-file-path")]);
stand_in!(tiler, "identity", pads: [always("sink", NVMM), always("src", NVMM)],
    properties: [number("rows"), number("columns"), number("width"), number("height")]);
stand_in!(osd, "identity", pads: [always("sink", NVMM), always("src", NVMM)], properties: []);
stand_in!(sink3d, "fakesink sync=true", pads: [always("sink", NVMM)], properties: [flag("sync")]);
stand_in!(sinkegl, "fakesink sync=true", pads: [always("sink", NVMM)], properties: [flag("sync")]);

glib::wrapper! {
    struct Convert(ObjectSubclass<ConvertImp>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

#[derive(Default)]
struct ConvertImp;

#[glib::object_subclass]
impl ObjectSubclass for ConvertImp {
    const NAME: &'static str = "StandIn-convert";
    type Type = Convert;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for ConvertImp {}
impl GstObjectImpl for ConvertImp {}

impl ElementImpl for ConvertImp {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        metadata()
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static ALL: LazyLock<Vec<gst::PadTemplate>> =
            LazyLock::new(|| vec![always("sink", BOTH), always("src", BOTH)]);
        ALL.as_ref()
    }
}

impl BaseTransformImpl for ConvertImp {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = true;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    /// The same picture in either memory.
    fn transform_caps(
        &self,
        _: gst::PadDirection,
        caps: &gst::Caps,
        filter: Option<&gst::Caps>,
    ) -> Option<gst::Caps> {
        let mut possible = caps.clone();
        for features in ["memory:NVMM", "memory:SystemMemory"] {
            let mut other = caps.clone();
            other.make_mut().set_features_simple(Some(gst::CapsFeatures::new([features])));
            possible.merge(other);
        }
        Some(match filter {
            Some(filter) => filter.intersect_with_mode(&possible, gst::CapsIntersectMode::First),
            None => possible,
        })
    }

    fn transform_ip(&self, _: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        Ok(gst::FlowSuccess::Ok)
    }
}
