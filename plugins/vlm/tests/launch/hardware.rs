//! Pipelines for NVIDIA's hardware, with stand-ins for its elements.

use std::collections::BTreeSet;

use gst::prelude::*;
use gstvlm::messages::{Answer, AnswerError};

use crate::support::{Demo, description, init, video, words};

/// Runs a script's pipeline in this process, and gives its answers by element.
fn run(script: &str, arguments: &[&str]) -> BTreeSet<(String, String)> {
    let demo = Demo::start();
    // SAFETY: elements read it when they are made, on this thread.
    unsafe { std::env::set_var("VLM_API_BASE", &demo.base) };
    let words = words(script, arguments);
    let pipeline = gst::parse::launchv(&description(&words)).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let bus = pipeline.bus().unwrap();
    let mut answers = BTreeSet::new();
    loop {
        let message = bus.timed_pop(gst::ClockTime::from_seconds(30)).expect("an end");
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(error) => panic!("{script}: {error:?}"),
            _ => {}
        }
        assert_eq!(AnswerError::from_message(&message), None, "{script}");
        if let Some(answer) = Answer::from_message(&message).filter(|answer| answer.done) {
            let name = message.src().unwrap().name().to_string();
            answers.insert((name, answer.text.to_lowercase()));
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    answers
}

#[test]
fn frames_of_a_jetsons_camera_stay_in_nvmm() {
    init();
    let answers = run("jetson-csi.sh", &["0", "What colour is it?"]);
    assert!(answers.iter().any(|(_, text)| text.contains("red")), "{answers:?}");
}

#[test]
fn each_camera_of_a_batch_is_asked_about_by_itself() {
    init();
    let scratch = tempfile::tempdir().unwrap();
    video(&scratch.path().join("one.webm"));
    video(&scratch.path().join("two.webm"));
    let uri = |name: &str| format!("file://{}", scratch.path().join(name).display());
    let (one, two) = (uri("one.webm"), uri("two.webm"));
    let answers = run("deepstream.sh", &[&one, &two, "d.txt", "What colour is it?", "Which?"]);
    let asked: BTreeSet<_> = answers.iter().map(|(name, _)| &**name).collect();
    assert_eq!(asked, BTreeSet::from(["first", "second"]), "{answers:?}");
}
