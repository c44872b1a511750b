//! What carries an answer's metadata on.

use gst::prelude::*;
use gstvlm::meta;

use crate::support::{LONG, Vlm, init};

/// Whether the last of thirty frames, the first of which was asked about, has the answer behind
/// these elements.
fn carry(chain: &str) -> bool {
    let vlm = Vlm::start();
    let pipeline = gst::parse::launch(&format!(
        "videotestsrc num-buffers=30 ! video/x-raw,format=I420,width=64,height=48,framerate=30/1 ! \
         vlmanalyze busy=wait interval=3600000000000 api-base={} model=m ! {chain} ! \
         appsink name=out sync=false",
        vlm.base()
    ))
    .unwrap()
    .downcast::<gst::Pipeline>()
    .unwrap();
    let out = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    vlm.asked().answer("one");
    let long = gst::ClockTime::try_from(LONG).unwrap();
    let mut last = None;
    while let Some(sample) = out.try_pull_sample(long) {
        last = sample.buffer_owned();
    }
    assert!(out.is_eos(), "{chain} does not come to its end");
    pipeline.set_state(gst::State::Null).unwrap();
    let last = last.unwrap_or_else(|| panic!("{chain} gives nothing"));
    meta::answer(&last).is_some_and(|answer| answer.text == "one")
}

fn all_carry(chains: &[&str]) {
    init();
    let lost: Vec<_> = chains.iter().filter(|chain| !carry(chain)).collect();
    assert!(lost.is_empty(), "the answer is lost by {lost:?}");
}

#[test]
fn converters_keep_the_answer() {
    all_carry(&[
        "videoconvert ! video/x-raw,format=RGBA",
        "videoscale ! video/x-raw,width=32,height=24",
        "videorate ! video/x-raw,framerate=15/1",
        "videocrop top=8",
        "videoflip method=clockwise",
        "queue",
    ]);
}

#[test]
fn encoders_and_decoders_keep_the_answer() {
    all_carry(&[
        "vp8enc deadline=1 ! vp8dec",
        "x264enc tune=zerolatency ! h264parse ! avdec_h264",
        "openh264enc ! h264parse ! avdec_h264",
        "jpegenc ! jpegdec",
    ]);
}

#[test]
fn payloaders_keep_the_answer() {
    all_carry(&[
        "vp8enc deadline=1 ! rtpvp8pay",
        "x264enc tune=zerolatency ! rtph264pay",
        "jpegenc ! rtpjpegpay",
    ]);
}
