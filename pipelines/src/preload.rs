use gst::prelude::*;

use crate::{PipelineError, codec, properties::make};

/// One element of each plugin that peer connections use: those of webrtcbin, and those that make
/// JPEGs. What is not installed, [`init`](crate::init) has told.
const ELEMENTS: [&str; 14] = [
    "appsrc",
    "capsfilter",
    "dtlsdec",
    "h264parse",
    "jpegenc",
    "nicesink",
    "rtpbin",
    "rtpvp8depay",
    "sctpdec",
    "srtpdec",
    "videoconvert",
    "videoflip",
    "videoscale",
    "webrtcbin",
];

/// Loads what peer connections need into a process that is going to be forked, so that the forked
/// ones need no file for it. Starts no thread, opens no device, and makes nothing random that anybody
/// uses, as they would share it. Decoders by hardware are left out: their drivers do not outlive a
/// fork.
///
/// # Errors
/// When GStreamer does not start, `vlmanalyze` cannot be registered, or `dtlsdec` is missing.
pub fn preload() -> Result<(), PipelineError> {
    gst::init()?;
    gstvlm::register_static()?;
    let elements = ELEMENTS.into_iter().filter_map(gst::ElementFactory::find);
    let decoders = codec::decodable().into_iter().flat_map(codec::decoder_factories).cloned();
    for factory in elements.chain(decoders.filter(|decoder| !is_hardware(decoder))) {
        let name = factory.name();
        if factory.load().is_err() {
            tracing::warn!(element = %name, "its plugin cannot be loaded");
        }
    }
    // With the first one that a process makes comes an RSA key, which takes up to a second. It is not
    // used: peers are shown the certificate that the process makes itself, and want no other.
    drop(make("dtlsdec")?);
    Ok(())
}

fn is_hardware(factory: &gst::ElementFactory) -> bool {
    let class = factory.metadata(gst::ELEMENT_METADATA_KLASS).unwrap_or_default();
    class.split('/').any(|word| word == "Hardware")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_plugin_is_loaded_for_hardware() {
        gst::init().unwrap();
        for codec in codec::decodable() {
            for factory in codec::decoder_factories(codec) {
                let name = factory.name();
                let by_name = ["va", "nv", "v4l2", "qsv", "msdk"];
                let seems = by_name.iter().any(|prefix| name.starts_with(prefix));
                assert!(!seems || is_hardware(factory), "{name}");
            }
        }
    }
}
