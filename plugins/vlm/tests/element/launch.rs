//! A whole pipeline as a user launches it, against the stand-in that truthfully describes pixels.

use gst::prelude::*;
use gstvlm::messages::Answer;

use crate::support::{LONG, init};

#[test]
fn a_red_picture_is_called_red_before_the_stream_ends() {
    init();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let options = demo_vlm::Options { port: 0, ..demo_vlm::Options::default() };
    let listener = runtime.block_on(options.bind()).unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    runtime.spawn(demo_vlm::serve(listener, options, std::future::pending()));

    let pipeline = gst::parse::launch(&format!(
        "videotestsrc pattern=red num-buffers=5 ! video/x-raw,width=320,height=240 ! \
         vlmanalyze api-base={base} prompt=\"What colour is it?\" ! fakesink"
    ))
    .unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let bus = pipeline.bus().unwrap();
    let mut answers = Vec::new();
    loop {
        let message = bus.timed_pop(gst::ClockTime::try_from(LONG).unwrap()).unwrap();
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(error) => panic!("{error:?}"),
            _ => answers.extend(Answer::from_message(&message).filter(|answer| answer.done)),
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(answers.len(), 1, "the question was finished before the end");
    assert!(answers[0].text.to_lowercase().contains("red"), "{}", answers[0].text);
}
