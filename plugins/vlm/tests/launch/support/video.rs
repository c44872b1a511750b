//! A video file.

use std::path::Path;

use gst::prelude::*;

/// Writes two seconds of red and two of blue, with sound.
pub(crate) fn video(path: &Path) {
    let pipeline = gst::parse::launch(
        "videotestsrc pattern=red num-buffers=30 ! video/x-raw,width=160,height=120,framerate=15/1 \
         ! both. \
         videotestsrc pattern=blue num-buffers=30 ! video/x-raw,width=160,height=120,framerate=15/1 \
         ! both. \
         audiotestsrc samplesperbuffer=4410 num-buffers=40 ! audioconvert ! vorbisenc ! mux. \
         concat name=both ! vp8enc deadline=1 keyframe-max-dist=15 ! queue ! mux. \
         webmmux name=mux ! filesink name=file",
    )
    .unwrap();
    let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
    pipeline.by_name("file").unwrap().set_property("location", path.to_str().unwrap());
    pipeline.set_state(gst::State::Playing).unwrap();
    let message = pipeline.bus().unwrap().timed_pop_filtered(
        gst::ClockTime::from_seconds(30),
        &[gst::MessageType::Eos, gst::MessageType::Error],
    );
    pipeline.set_state(gst::State::Null).unwrap();
    let message = message.expect("the video should be written");
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
}
