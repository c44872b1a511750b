//! Elements that make JPEG, in a bin that is in no pipeline.

use std::{sync::Arc, time::Duration};

use gst::{glib, prelude::*};
use gst_video::VideoOrientationMethod;

use super::{
    EncodeError, JpegOptions, RawFrame,
    chain::{CONVERTS, Chain, Kind, TURNS, choose, installed},
    description::EncoderDescription,
    memory,
    origin::Origin,
    output::Output,
    range,
    shape::Shape,
    shown,
};

/// What a named encoder may take, beside the format that suits the frame.
const NAMED_FORMATS: [&str; 3] = ["I420", "NV12", "Y444"];

/// What an encoder is made of. One that is idle serves each frame for which the plan is the same.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    chain: Chain,
    /// How frames are turned, unless they stay as they are.
    turn: Option<VideoOrientationMethod>,
    named: Option<EncoderDescription>,
    origin: Option<Origin>,
    /// Whether the CPU sees the frames as they come.
    is_seen: bool,
}

impl Plan {
    pub(super) fn new(
        frame: &RawFrame,
        named: Option<EncoderDescription>,
        origin: Option<Origin>,
    ) -> Result<Self, EncodeError> {
        let memory = memory::of(&frame.caps);
        let identity = VideoOrientationMethod::Identity;
        let turn = Some(frame.orientation).filter(|orientation| *orientation != identity);
        let chain = match named {
            Some(_) => Chain::before_named(&memory),
            None => choose(&memory, turn.is_some(), installed)?,
        };
        let is_seen = chain.is_mapped || memory == memory::SYSTEM;
        if named.is_none() && !is_seen && shown::is_field(&frame.caps) {
            return Err(EncodeError::Field { memory });
        }
        // A named encoder gets frames that the CPU does not see as they are.
        let turn = turn.filter(|_| named.is_none() || is_seen);
        let origin = origin.filter(|_| memory::has_context(&memory));
        Ok(Self { chain, turn, named, origin, is_seen })
    }
}

pub(super) struct Encoder {
    plan: Plan,
    bin: gst::Bin,
    size: Option<gst::Element>,
    /// Where the CPU has converted to what is encoded, if that is not where frames get their size.
    converted: Option<gst::Element>,
    encoder: gst::Element,
    quality: u8,
    input: gst::Pad,
    output_pad: gst::Pad,
    output: Arc<Output>,
    caps: Option<gst::Caps>,
    is_spent: bool,
}

/// The elements in their bin, and those that are set for each frame.
struct Elements {
    bin: gst::Bin,
    into: gst::GhostPad,
    out: gst::GhostPad,
    size: Option<gst::Element>,
    converted: Option<gst::Element>,
    encoder: gst::Element,
}

impl Elements {
    fn new(plan: &Plan) -> Result<Self, EncodeError> {
        let make = |name: &str| {
            let element = gst::ElementFactory::make(name)
                .build()
                .map_err(|error| failed(&format!("cannot be made: {error}")))?;
            if name == CONVERTS {
                range::keep_to_caps(&element);
            }
            Ok(element)
        };
        let mut all = Vec::new();
        for name in plan.chain.before {
            all.push(make(name)?);
        }
        let size = plan.chain.size.map(|_| make("capsfilter")).transpose()?;
        all.extend(size.clone());
        let (last, after) = match &plan.named {
            Some(named) => (named.make()?, plan.chain.after),
            None => match plan.chain.after.split_last() {
                Some((last, after)) => (make(last)?, after),
                None => return Err(failed("has no elements")),
            },
        };
        for name in after {
            all.push(make(name)?);
        }
        let converted = plan.chain.converts_late().then(|| make("capsfilter")).transpose()?;
        all.extend(converted.clone());
        if let Some(turn) = plan.turn {
            let turns = make(TURNS)?;
            turns.set_property("video-direction", turn);
            all.push(turns);
        }
        let encoder = last.clone();
        all.push(last);
        let bin = gst::Bin::new();
        bin.add_many(&all).map_err(|error| failed(&error.to_string()))?;
        gst::Element::link_many(&all).map_err(|error| failed(&error.to_string()))?;
        let ghost = |element: Option<&gst::Element>, name| {
            let pad = element.and_then(|element| element.static_pad(name));
            pad.and_then(|pad| gst::GhostPad::with_target(&pad).ok())
                .filter(|ghost| bin.add_pad(ghost).is_ok())
                .ok_or_else(|| failed(&format!("has no pad `{name}`")))
        };
        let into = ghost(all.first(), "sink")?;
        let out = ghost(all.last(), "src")?;
        Ok(Self { bin, into, out, size, converted, encoder })
    }
}

fn failed(what: &str) -> EncodeError {
    EncodeError::Failed(format!("the encoder {what}"))
}

impl Encoder {
    pub(super) fn new(plan: Plan, quality: u8) -> Result<Self, EncodeError> {
        let Elements { bin, into, out, size, converted, encoder } = Elements::new(&plan)?;
        if plan.named.is_none() {
            set_quality(&encoder, quality);
        }
        let output = Arc::<Output>::default();
        bin.set_bus(Some(&bus(&output)));
        if let Some(origin) = &plan.origin {
            origin.share_with(&bin);
        }
        let (input, output_pad) =
            pads(&output, plan.origin.clone()).ok_or_else(|| failed("has no pads"))?;
        let encoder = Self {
            plan,
            bin,
            size,
            converted,
            encoder,
            quality,
            input,
            output_pad,
            output,
            caps: None,
            is_spent: false,
        };
        let linked = encoder.input.set_active(true).is_ok()
            && encoder.output_pad.set_active(true).is_ok()
            && encoder.input.link(&into).is_ok()
            && out.link(&encoder.output_pad).is_ok();
        if !linked || encoder.bin.set_state(gst::State::Playing).is_err() {
            let why =
                encoder.output.take().error.map_or_else(String::new, |why| format!(": {why}"));
            return Err(failed(&format!("does not start{why}")));
        }
        encoder.input.push_event(gst::event::StreamStart::new("vlm-jpeg"));
        Ok(encoder)
    }

    /// Whether it may be given such a frame.
    pub(super) fn serves(&self, plan: &Plan, quality: u8) -> bool {
        self.plan == *plan && (self.quality == quality || self.may_change_quality())
    }

    /// Whether it may be given another frame.
    pub(super) fn is_usable(&self) -> bool {
        !self.is_spent && self.plan.origin.as_ref().is_none_or(Origin::is_there)
    }

    /// Encodes a frame; an encoder with threads of its own has `longest` for it.
    pub(super) fn encode(
        &mut self,
        frame: RawFrame,
        options: &JpegOptions,
        longest: Duration,
    ) -> Result<Vec<u8>, EncodeError> {
        let RawFrame { mut buffer, mut caps, .. } = frame;
        if self.plan.chain.is_mapped {
            caps = memory::mapped(&caps)?;
        }
        if self.plan.is_seen {
            (buffer, caps) = shown::shown(&buffer, &caps)
                .ok_or_else(|| EncodeError::Failed(format!("it does not fit its caps, {caps}")))?;
        }
        self.prepare(&caps, options)?;
        // What was said of earlier frames.
        self.output.clear();
        let pushed = self.input.push(buffer);
        let mut got = self.output.take();
        if pushed.is_err() {
            self.is_spent = true;
        } else if got.jpeg.is_none() && got.error.is_none() {
            // It has threads of its own, or waits for more frames, or drops this one. The end of
            // the stream comes behind the frame, and drives out what is held.
            self.input.push_event(gst::event::Eos::new());
            got = self.output.wait(longest);
            self.begin_anew();
        }
        let Some(jpeg) = got.jpeg else {
            self.is_spent = true;
            return Err(match (got.error, pushed) {
                (Some(error), _) => EncodeError::Failed(error),
                (None, Err(flow)) => {
                    EncodeError::Failed(format!("{flow}; the frame's format is {caps}"))
                }
                (None, Ok(_)) if got.ended => EncodeError::Nothing { encoder: self.name() },
                (None, Ok(_)) => EncodeError::Late { encoder: self.name(), longest },
            });
        };
        let map = jpeg.map_readable().map_err(|error| EncodeError::Failed(error.to_string()))?;
        // Start of image, and the first byte of the marker that follows (ITU T.81, B.2.1).
        if !map.starts_with(&[0xff, 0xd8, 0xff]) {
            self.is_spent = true;
            return Err(EncodeError::NotJpeg { encoder: self.name() });
        }
        Ok(map.to_vec())
    }

    /// Makes the elements ready for a frame like this.
    fn prepare(&mut self, caps: &gst::Caps, options: &JpegOptions) -> Result<(), EncodeError> {
        let kind = Kind::of(caps, self.plan.turn.is_some());
        if let Some(size) = &self.size {
            let shape = Shape::of(caps).ok_or_else(|| {
                EncodeError::Failed(format!("the caps {caps} have no width and height"))
            })?;
            set_caps(size, self.sized(shape.scaled(options.max_size), kind.clone()));
        }
        if let Some(converted) = &self.converted {
            set_caps(converted, Some(kind.encoded()));
        }
        if self.quality != options.quality && self.plan.named.is_none() {
            set_quality(&self.encoder, options.quality);
        }
        self.quality = options.quality;
        if self.caps.as_ref() != Some(caps) {
            self.input.push_event(gst::event::Caps::new(caps));
            let segment = gst::FormattedSegment::<gst::ClockTime>::new();
            self.input.push_event(gst::event::Segment::new(&segment));
            self.caps = Some(caps.clone());
        }
        Ok(())
    }

    /// What a frame is once it has its size.
    fn sized(&self, size: (i32, i32), mut kind: Kind) -> Option<gst::Caps> {
        let wanted = self.plan.chain.size?;
        if self.plan.named.is_none() {
            return Some(wanted.caps(size, &kind));
        }
        // It may take other formats, or other colours, than GStreamer's own.
        let sink = self.encoder.static_pad("sink")?;
        for format in std::iter::once(kind.format).chain(NAMED_FORMATS) {
            kind.format = format;
            if sink.query_caps(None).can_intersect(&kind.encoded()) {
                return Some(wanted.caps(size, &kind));
            }
        }
        Some(wanted.in_any_colours().caps(size, &kind))
    }

    /// Makes the elements forget that their stream has ended.
    fn begin_anew(&mut self) {
        let flushed = self.input.push_event(gst::event::FlushStart::new())
            && self.input.push_event(gst::event::FlushStop::new(true));
        self.is_spent |= !flushed;
        self.caps = None;
    }

    fn may_change_quality(&self) -> bool {
        let named = self.plan.named.is_some();
        let quality = self.encoder.find_property("quality").filter(|_| !named);
        quality.is_none_or(|quality| quality.flags().contains(gst::PARAM_FLAG_MUTABLE_PLAYING))
    }

    fn name(&self) -> String {
        match &self.plan.named {
            Some(named) => named.text().to_owned(),
            None => self
                .encoder
                .factory()
                .map_or_else(String::new, |factory| factory.name().to_string()),
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let _ = self.bin.set_state(gst::State::Null);
    }
}

fn set_caps(filter: &gst::Element, wanted: Option<gst::Caps>) {
    if filter.property::<Option<gst::Caps>>("caps") != wanted {
        filter.set_property("caps", wanted);
    }
}

/// Sets the property `quality`, where there is one, as near to 1 to 100 as its range allows.
fn set_quality(element: &gst::Element, quality: u8) {
    let Some(spec) = element.find_property("quality") else { return };
    if !spec.flags().contains(glib::ParamFlags::WRITABLE) {
        return;
    }
    if let Some(spec) = spec.downcast_ref::<glib::ParamSpecInt>() {
        let quality = i32::from(quality).clamp(spec.minimum(), spec.maximum());
        element.set_property("quality", quality);
    } else if let Some(spec) = spec.downcast_ref::<glib::ParamSpecUInt>() {
        let quality = u32::from(quality).clamp(spec.minimum(), spec.maximum());
        element.set_property("quality", quality);
    }
}

/// A bus for what the elements say. The bin is in no pipeline; nobody else hears it.
fn bus(output: &Arc<Output>) -> gst::Bus {
    let bus = gst::Bus::new();
    let output = Arc::clone(output);
    bus.set_sync_handler(move |_, message| {
        if let gst::MessageView::Error(error) = message.view() {
            output.got_error(error.error().message().to_owned());
        }
        gst::BusSyncReply::Drop
    });
    bus
}

/// The pad that frames are pushed from, and the one that JPEGs come to.
fn pads(output: &Arc<Output>, origin: Option<Origin>) -> Option<(gst::Pad, gst::Pad)> {
    // Without a template, a pad that has seen caps would take no others.
    let any = |name, direction| {
        gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &gst::Caps::new_any()).ok()
    };
    let input = gst::Pad::builder_from_template(&any("input", gst::PadDirection::Src)?)
        .query_function(move |pad, parent, query| {
            if matches!(query.view(), gst::QueryView::Context(_)) {
                return origin.as_ref().is_some_and(|origin| origin.ask(query));
            }
            gst::Pad::query_default(pad, parent, query)
        })
        .build();
    let output_pad = gst::Pad::builder_from_template(&any("output", gst::PadDirection::Sink)?)
        .chain_function({
            let output = Arc::clone(output);
            move |_, _, buffer| {
                output.got_jpeg(buffer);
                Ok(gst::FlowSuccess::Ok)
            }
        })
        .event_function({
            let output = Arc::clone(output);
            move |_, _, event| {
                if event.type_() == gst::EventType::Eos {
                    output.got_end();
                }
                true
            }
        })
        .build();
    Some((input, output_pad))
}
