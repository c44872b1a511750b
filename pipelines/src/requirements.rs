use gst::glib;

/// What every peer connection needs, and the Debian package that has it.
const ELEMENTS: &[(&str, &str)] = &[
    ("webrtcbin", "gstreamer1.0-plugins-bad"),
    ("dtlsdec", "gstreamer1.0-plugins-bad"),
    ("nicesink", "gstreamer1.0-nice"),
    ("rtpbin", "gstreamer1.0-plugins-good"),
    ("jpegenc", "gstreamer1.0-plugins-good"),
    ("videoconvert", "gstreamer1.0-plugins-base"),
];

/// What is missing on this host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Missing {
    /// GStreamer itself.
    #[error("it does not start: {0}")]
    GStreamer(glib::Error),
    /// Elements.
    #[error("{} missing; install {}", .elements.join(", "), .packages.join(", "))]
    Elements {
        /// Their names.
        elements: Vec<&'static str>,
        /// The Debian packages that have them.
        packages: Vec<&'static str>,
    },
}

/// Starts GStreamer and looks whether everything is there that every peer connection needs. Codecs
/// are looked for when a peer offers them.
///
/// # Errors
/// Names what is missing and where it is to be had.
pub fn init() -> Result<(), Missing> {
    gst::init().map_err(Missing::GStreamer)?;
    let missing =
        || ELEMENTS.iter().filter(|(element, _)| gst::ElementFactory::find(element).is_none());
    if missing().next().is_none() {
        return Ok(());
    }
    let mut packages: Vec<_> = missing().map(|(_, package)| *package).collect();
    packages.dedup();
    Err(Missing::Elements { elements: missing().map(|(element, _)| *element).collect(), packages })
}
