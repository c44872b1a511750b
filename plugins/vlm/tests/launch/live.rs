//! Pipelines of cameras.

use crate::support::{Bench, Camera, words};

#[test]
fn an_ip_camera_is_signed_in_to_and_its_picture_described() {
    let bench = Bench::new();
    let camera = Camera::start();
    let arguments = [&*camera.uri, "What colour is it?", "vp8"];
    let ran = bench.script_with_env("rtsp.sh", &arguments, &Camera::SIGN_IN);
    camera.finish();
    let texts = ran.texts("vlmanalyze0");
    assert!(texts.iter().all(|text| text.contains("red")), "{texts:?}");
    ran.leaves_nothing();
}

#[test]
fn a_webcams_picture_is_described_and_shown() {
    let bench = Bench::new();
    let mut words = words("webcam.sh", &["/dev/video9", "What colour is it?"]);
    // There is neither a camera nor a screen.
    let mut replace = |from: &[&str], to: &[&str]| {
        let at = words.windows(from.len()).position(|found| found == from);
        let at = at.unwrap_or_else(|| panic!("{words:?} should have {from:?}"));
        words.splice(at..at + from.len(), to.iter().map(|&word| word.to_owned()));
    };
    replace(
        &["v4l2src", "device=\"/dev/video9\""],
        &["videotestsrc", "is-live=true", "pattern=red", "num-buffers=45"],
    );
    replace(&["autovideosink"], &["fakevideosink", "silent=true"]);
    let ran = bench.gst_launch(&words);
    let texts = ran.texts("vlmanalyze0");
    assert!(texts.iter().all(|text| text.contains("red")), "{texts:?}");
    ran.leaves_nothing();
}
