//! The elements for a codec.

use std::sync::LazyLock;

use gst::prelude::*;
use live_vlm_media_link::Codec;

use crate::{
    PipelineError,
    properties::{make, set_if_present, set_text_if_present},
};

/// The caps of the encoded video as it reaches the decoder. RTP carries no alpha, and the
/// decoders for video with alpha rank above the others and take nothing else.
fn encoded_caps(codec: Codec) -> gst::Caps {
    match codec {
        Codec::Vp8 => gst::Caps::builder("video/x-vp8").field("codec-alpha", false).build(),
        Codec::Vp9 => gst::Caps::builder("video/x-vp9").field("codec-alpha", false).build(),
        Codec::H264 => gst::Caps::builder("video/x-h264")
            .field("stream-format", "byte-stream")
            .field("alignment", "au")
            .build(),
    }
}

/// The elements that make encoded frames of RTP packets, in order.
pub(crate) fn depayloaders(codec: Codec) -> Result<Vec<gst::Element>, PipelineError> {
    match codec {
        Codec::Vp8 => Ok(vec![depayloader("rtpvp8depay")?]),
        Codec::Vp9 => Ok(vec![depayloader("rtpvp9depay")?]),
        Codec::H264 => {
            // Whole access units at the depayloader: a parser that sees single NAL units has
            // to wait for the next frame to know that one is complete.
            let filter = make("capsfilter")?;
            filter.set_property("caps", encoded_caps(codec));
            let parser = make("h264parse")?;
            // Every key frame carries its parameter sets, for a decoder that saw none before.
            set_if_present(&parser, "config-interval", -1i32);
            Ok(vec![depayloader("rtph264depay")?, filter, parser])
        }
    }
}

fn depayloader(name: &'static str) -> Result<gst::Element, PipelineError> {
    let depayloader = make(name)?;
    // The only extension is for rtpbin. Looking for an element that reads it writes to memory that
    // processes share, as looking for decoders does.
    set_if_present(&depayloader, "auto-header-extension", false);
    Ok(depayloader)
}

/// The element that makes RTP packets of encoded frames again.
pub fn payloader(codec: Codec, payload: u8) -> Result<gst::Element, PipelineError> {
    let payloader = match codec {
        Codec::Vp8 => make("rtpvp8pay")?,
        Codec::Vp9 => make("rtpvp9pay")?,
        Codec::H264 => make("rtph264pay")?,
    };
    payloader.set_property("pt", u32::from(payload));
    configure_payloader(&payloader, codec);
    Ok(payloader)
}

/// Installed decoders of each codec. Looking for them writes to every page of GStreamer's registry,
/// as it counts references to all that is in there. Done before a fork, those pages stay shared.
static DECODERS: LazyLock<[Vec<gst::ElementFactory>; Codec::ALL.len()]> = LazyLock::new(|| {
    let decoders = gst::ElementFactory::factories_with_type(
        gst::ElementFactoryType::DECODER | gst::ElementFactoryType::MEDIA_VIDEO,
        gst::Rank::MARGINAL,
    );
    Codec::ALL.map(|codec| {
        let caps = encoded_caps(codec);
        let of_codec = decoders.iter().filter(|factory| factory.can_sink_any_caps(&caps));
        let mut factories: Vec<_> = of_codec.cloned().collect();
        factories.sort_by_key(|factory| std::cmp::Reverse(factory.rank()));
        factories
    })
});

/// Installed decoders, the best first, so that a Jetson's own comes before the CPU's. Found when
/// this is called for the first time. GStreamer must have been started.
pub(crate) fn decoder_factories(codec: Codec) -> &'static [gst::ElementFactory] {
    let place = Codec::ALL.iter().position(|one| *one == codec);
    place.and_then(|place| DECODERS.get(place)).map_or(&[], Vec::as_slice)
}

/// Whether a decoder for it is installed.
fn is_decodable(codec: Codec) -> bool {
    !decoder_factories(codec).is_empty()
}

/// The codecs that can be decoded on this machine.
pub fn decodable() -> Vec<Codec> {
    Codec::ALL.into_iter().filter(|codec| is_decodable(*codec)).collect()
}

/// The best decoder that can be opened, in READY. A hardware decoder may be registered and
/// yet refuse, when its device is busy or has no session left.
pub(crate) fn decoder(codec: Codec) -> Result<gst::Element, PipelineError> {
    for factory in decoder_factories(codec) {
        let Ok(decoder) = factory.create().build() else { continue };
        configure_decoder(&decoder);
        match decoder.set_state(gst::State::Ready) {
            Ok(_) => return Ok(decoder),
            Err(_) => {
                tracing::warn!(decoder = %factory.name(), "decoder cannot be opened, trying the next");
                let _ = decoder.set_state(gst::State::Null);
            }
        }
    }
    Err(PipelineError::NoDecoder(codec.encoding_name()))
}

/// A connection decodes single frames: more threads per frame only cost memory, and a decoder that
/// works on several frames at once would hold the one asked for until more come.
fn configure_decoder(decoder: &gst::Element) {
    let name = decoder.factory().map(|factory| factory.name().to_string()).unwrap_or_default();
    match name.as_str() {
        "vp8dec" | "vp9dec" => {
            set_if_present(decoder, "threads", 1u32);
        }
        _ if name.starts_with("avdec_") => {
            set_if_present(decoder, "max-threads", 1i32);
            // Left to itself it asks whether the source is live, and what it does when it believes
            // not is to keep pictures back until more come.
            set_text_if_present(decoder, "std-compliance", "normal");
        }
        // On a Jetson: give each frame out at once instead of keeping a picture buffer.
        "nvv4l2decoder" => {
            set_if_present(decoder, "disable-dpb", true);
        }
        _ => {}
    }
}

fn configure_payloader(payloader: &gst::Element, codec: Codec) {
    match codec {
        // Browsers want picture ids.
        Codec::Vp8 | Codec::Vp9 => set_text_if_present(payloader, "picture-id-mode", "15-bit"),
        Codec::H264 => {
            set_text_if_present(payloader, "aggregate-mode", "zero-latency");
            set_text_if_present(payloader, "config-interval", "-1");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installed_decoder_opens() {
        gst::init().unwrap();
        for codec in decodable() {
            let decoder = decoder(codec).unwrap();
            decoder.set_state(gst::State::Null).unwrap();
        }
    }
}
