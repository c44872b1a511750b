//! Pipelines that read files, run as they are.

use std::collections::BTreeSet;

use gst::prelude::*;
use serde_json::Value;

use crate::support::{Bench, Ran, video};

const WHAT_COLOUR: &str = "What colour is it?";

#[test]
fn captions_of_a_file_say_what_is_seen_when() {
    let bench = Bench::new();
    video(&bench.path("a clip.webm"));
    let ran = bench.script("file-captions.sh", &["a clip.webm", "out.vtt", WHAT_COLOUR]);
    assert_eq!(ran.answers.len(), 2);
    let captions = bench.read("out.vtt");
    assert!(captions.starts_with("WEBVTT"), "{captions}");
    let cues: Vec<_> = captions.split("\n\n").filter(|cue| cue.contains(" --> ")).collect();
    let [red, blue] = cues[..] else { panic!("two cues: {captions}") };
    assert!(red.contains("00:00:00.000 --> 00:00:02.000"), "{captions}");
    assert!(blue.contains("00:00:02.000 --> "), "{captions}");
    assert!(red.to_lowercase().contains("red"), "{captions}");
    assert!(blue.to_lowercase().contains("blue"), "{captions}");
    ran.leaves_nothing();
}

#[test]
fn without_a_name_the_captions_lie_beside_the_video() {
    let bench = Bench::new();
    video(&bench.path("a clip.webm"));
    bench.script("file-captions.sh", &["a clip.webm"]);
    assert!(bench.read("a clip-captions.vtt").starts_with("WEBVTT"));
}

#[test]
fn subtitles_are_a_track_of_the_matroska_file() {
    let bench = Bench::new();
    video(&bench.path("a clip.webm"));
    let ran = bench.script("file-subtitles.sh", &["a clip.webm", "out.mkv", WHAT_COLOUR]);

    let pipeline = gst::parse::launch(
        "filesrc name=file ! matroskademux name=in \
         in.subtitle_0 ! queue ! appsink name=text sync=false \
         in.video_0 ! queue ! vp8dec ! fakesink",
    )
    .unwrap()
    .downcast::<gst::Pipeline>()
    .unwrap();
    let file = pipeline.by_name("file").unwrap();
    file.set_property("location", bench.path("out.mkv").to_str().unwrap());
    let texts = pipeline.by_name("text").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut found = Vec::new();
    while let Some(sample) = texts.try_pull_sample(gst::ClockTime::from_seconds(10)) {
        let buffer = sample.buffer().unwrap();
        let text = String::from_utf8_lossy(&buffer.map_readable().unwrap()).to_lowercase();
        // Some versions write an empty block where there is no caption.
        if !text.is_empty() {
            found.push((buffer.pts().unwrap().seconds(), text));
        }
    }
    assert!(texts.is_eos());
    pipeline.set_state(gst::State::Null).unwrap();
    let [(0, red), (2, blue)] = &found[..] else { panic!("{found:?}") };
    assert!(red.contains("red") && blue.contains("blue"), "{found:?}");
    ran.leaves_nothing();
}

#[test]
fn two_models_each_say_what_they_see_of_one_video() {
    let bench = Bench::new();
    video(&bench.path("a clip.webm"));
    let models = [demo_vlm::MODEL, demo_vlm::BRIEF_MODEL];
    let ran = bench.script(
        "two-models.sh",
        &["a clip.webm", models[0], models[1], WHAT_COLOUR, "Which colour?"],
    );
    for element in ["first", "second"] {
        let texts = ran.texts(element);
        assert!(texts[0].contains("red"), "{texts:?}");
        assert!(texts.last().unwrap().contains("blue"), "{texts:?}");
    }
    let asked: BTreeSet<_> =
        ran.answers.iter().map(|(name, a)| (&**name, &*a.model, &*a.prompt)).collect();
    let expected = [("first", models[0], WHAT_COLOUR), ("second", models[1], "Which colour?")];
    assert_eq!(asked, BTreeSet::from(expected));
    ran.leaves_nothing();
}

#[test]
fn two_cameras_have_a_prompt_each_and_share_a_dispatcher() {
    let bench = Bench::new();
    video(&bench.path("one.webm"));
    video(&bench.path("two.webm"));
    let uri = |name: &str| format!("file://{}", bench.path(name).display());
    let (one, two) = (uri("one.webm"), uri("two.webm"));
    let ran = bench.script("two-cameras.sh", &[&one, &two, WHAT_COLOUR, "Is it dark?"]);
    for (element, prompt) in [("first", WHAT_COLOUR), ("second", "Is it dark?")] {
        ran.texts(element);
        let mut own = ran.answers.iter().filter(|(name, _)| name == element);
        assert!(own.all(|(_, answer)| answer.prompt == prompt));
    }
    assert_eq!(ran.dispatchers(), 1);
    ran.leaves_nothing();
}

#[test]
fn without_a_screen_each_answer_becomes_a_line_of_json() {
    let bench = Bench::new();
    video(&bench.path("clip.webm"));
    let uri = format!("file://{}", bench.path("clip.webm").display());
    let mut ran = Vec::new();
    for lines in [1, 2] {
        ran.push(bench.script("headless-jsonl.sh", &[&uri, "out.jsonl", WHAT_COLOUR]));
        let written = bench.read("out.jsonl");
        let answers: Vec<Value> =
            written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(answers.len(), lines, "lines are added: {written}");
        for answer in answers {
            assert_eq!(answer["prompt"], WHAT_COLOUR);
            // Without a clock the file is over at once, and the newest frame may be any.
            let text = answer["text"].as_str().unwrap().to_lowercase();
            assert!(text.contains("red") || text.contains("blue"), "{answer}");
        }
    }
    ran.iter().for_each(Ran::leaves_nothing);
}
