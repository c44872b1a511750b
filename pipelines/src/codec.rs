use gst::prelude::*;

use crate::{
    PipelineError,
    properties::{make, set_if_present, set_text_if_present},
};

/// A video codec that can be received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// RFC 7741.
    Vp8,
    /// RFC 6184.
    H264,
    /// RFC 9628, profile 0.
    Vp9,
}

impl Codec {
    /// Every codec, in no order of preference: the offer's order decides.
    pub const ALL: [Self; 3] = [Self::Vp8, Self::H264, Self::Vp9];

    /// The codec of an `a=rtpmap` encoding name; names are case-insensitive (RFC 4855).
    pub fn from_encoding_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.encoding_name().eq_ignore_ascii_case(name))
    }

    /// Its name in SDP.
    pub fn encoding_name(self) -> &'static str {
        match self {
            Self::Vp8 => "VP8",
            Self::H264 => "H264",
            Self::Vp9 => "VP9",
        }
    }

    /// What of it every decoder takes, where that is not all.
    pub(crate) fn forms(self) -> Option<&'static str> {
        match self {
            Self::Vp8 => None,
            Self::Vp9 => Some("VP9 in profile 0"),
            Self::H264 => Some(
                "H264 in a Baseline, Main, Extended or High profile, packetization-mode 0 or 1",
            ),
        }
    }

    /// The caps of the encoded video as it reaches the decoder. RTP carries no alpha, and the
    /// decoders for video with alpha rank above the others and take nothing else.
    fn encoded_caps(self) -> gst::Caps {
        match self {
            Self::Vp8 => gst::Caps::builder("video/x-vp8").field("codec-alpha", false).build(),
            Self::Vp9 => gst::Caps::builder("video/x-vp9").field("codec-alpha", false).build(),
            Self::H264 => gst::Caps::builder("video/x-h264")
                .field("stream-format", "byte-stream")
                .field("alignment", "au")
                .build(),
        }
    }

    /// The elements that make encoded frames of RTP packets, in order.
    pub(crate) fn depayloaders(self) -> Result<Vec<gst::Element>, PipelineError> {
        match self {
            Self::Vp8 => Ok(vec![make("rtpvp8depay")?]),
            Self::Vp9 => Ok(vec![make("rtpvp9depay")?]),
            Self::H264 => {
                // Whole access units at the depayloader: a parser that sees single NAL units has
                // to wait for the next frame to know that one is complete.
                let filter = make("capsfilter")?;
                filter.set_property("caps", self.encoded_caps());
                let parser = make("h264parse")?;
                // Every key frame carries its parameter sets, for a decoder that saw none before.
                set_if_present(&parser, "config-interval", -1i32);
                Ok(vec![make("rtph264depay")?, filter, parser])
            }
        }
    }

    /// The element that makes RTP packets of encoded frames again.
    pub fn payloader(self, payload: u8) -> Result<gst::Element, PipelineError> {
        let payloader = match self {
            Self::Vp8 => make("rtpvp8pay")?,
            Self::Vp9 => make("rtpvp9pay")?,
            Self::H264 => make("rtph264pay")?,
        };
        payloader.set_property("pt", u32::from(payload));
        configure_payloader(&payloader, self);
        Ok(payloader)
    }

    /// Installed decoders, the best first, so that a Jetson's own comes before the CPU's.
    fn decoder_factories(self) -> Vec<gst::ElementFactory> {
        let caps = self.encoded_caps();
        let mut factories: Vec<gst::ElementFactory> = gst::ElementFactory::factories_with_type(
            gst::ElementFactoryType::DECODER | gst::ElementFactoryType::MEDIA_VIDEO,
            gst::Rank::MARGINAL,
        )
        .into_iter()
        .filter(|factory| factory.can_sink_any_caps(&caps))
        .collect();
        factories.sort_by_key(|factory| std::cmp::Reverse(factory.rank()));
        factories
    }

    /// Whether a decoder for it is installed.
    fn is_decodable(self) -> bool {
        !self.decoder_factories().is_empty()
    }

    /// The codecs that can be decoded on this machine.
    pub(crate) fn decodable() -> Vec<Self> {
        Self::ALL.into_iter().filter(|codec| codec.is_decodable()).collect()
    }

    /// The best decoder that can be opened, in READY. A hardware decoder may be registered and
    /// yet refuse, when its device is busy or has no session left.
    pub(crate) fn decoder(self) -> Result<gst::Element, PipelineError> {
        for factory in self.decoder_factories() {
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
        Err(PipelineError::NoDecoder(self.encoding_name()))
    }
}

impl std::fmt::Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.encoding_name())
    }
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
    fn encoding_names_are_read_in_any_case() {
        assert_eq!(Codec::from_encoding_name("vp8"), Some(Codec::Vp8));
        assert_eq!(Codec::from_encoding_name("H264"), Some(Codec::H264));
        assert_eq!(Codec::from_encoding_name("AV1"), None);
    }

    #[test]
    fn an_installed_decoder_opens() {
        gst::init().unwrap();
        for codec in Codec::decodable() {
            let decoder = codec.decoder().unwrap();
            decoder.set_state(gst::State::Null).unwrap();
        }
    }
}
