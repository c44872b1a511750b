//! Captions in files, by whole pipelines as a user launches them.

use std::path::PathBuf;

use gst::prelude::*;

use crate::support::{LONG, Vlm, init};

/// A folder of the test's own, emptied.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("vlm-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Answers as many questions as come, with their numbers.
fn answer_all(vlm: Vlm) {
    std::thread::spawn(move || {
        for n in 1.. {
            match vlm.try_asked() {
                Some(asked) => asked.answer(&format!("answer {n}")),
                None => return,
            }
        }
    });
}

fn launch(line: &str) -> gst::Pipeline {
    gst::parse::launch(line).unwrap().downcast().unwrap()
}

/// Runs a pipeline to its end.
fn run(line: &str) {
    let pipeline = launch(line);
    pipeline.set_state(gst::State::Playing).unwrap();
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let message =
        pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::try_from(LONG).unwrap(), &kinds);
    pipeline.set_state(gst::State::Null).unwrap();
    let message = message.expect("the pipeline stalls");
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
}

/// Three seconds of video, each asked about.
fn source(base: &str) -> String {
    format!(
        "videotestsrc num-buffers=90 ! video/x-raw,width=64,height=48,framerate=30/1 ! \
         vlmanalyze name=v model=m busy=wait api-base={base}"
    )
}

/// The blocks of a Matroska file's subtitles: texts with their times and durations.
fn blocks(file: &str) -> Vec<(String, gst::ClockTime, gst::ClockTime)> {
    let pipeline = launch(&format!(
        "filesrc location={file} ! matroskademux name=d d.video_0 ! queue ! fakesink async=false \
         d.subtitle_0 ! queue ! appsink name=text sync=false"
    ));
    let sink = pipeline.by_name("text").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut blocks = Vec::new();
    while let Ok(sample) = sink.pull_sample() {
        let buffer = sample.buffer().unwrap();
        let text = String::from_utf8(buffer.map_readable().unwrap().to_vec()).unwrap();
        blocks.push((text, buffer.pts().unwrap(), buffer.duration().unwrap()));
    }
    pipeline.set_state(gst::State::Null).unwrap();
    blocks
}

/// Plays a file from beginning to end.
fn play(file: &str) {
    run(&format!("playbin uri=file://{file} video-sink=\"fakevideosink sync=true\""));
}

#[test]
fn captions_go_into_matroska_and_come_out_at_their_times() {
    init();
    let vlm = Vlm::start();
    let source = source(vlm.base());
    answer_all(vlm);
    let folder = folder("matroska");
    let file = folder.join("captions.mkv").display().to_string();
    run(&format!(
        "{source} ! jpegenc ! matroskamux name=mux ! filesink location={file} v.text ! mux."
    ));
    // Where matroskamux is an aggregator it has an empty block for each gap.
    let (empty, shown): (Vec<_>, Vec<_>) =
        blocks(&file).into_iter().partition(|(text, ..)| text.is_empty());
    let second = gst::ClockTime::SECOND;
    let caption = |n: u64| (format!("answer {}", n + 1), n * second, second);
    assert_eq!(shown, [0, 1, 2].map(caption));
    assert!(empty.len() <= 3, "{empty:?}");
    play(&file);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_stream_that_is_not_held_has_few_blocks_beside_its_captions() {
    init();
    let vlm = Vlm::start();
    let base = vlm.base().to_owned();
    answer_all(vlm);
    let folder = folder("running");
    let file = folder.join("captions.mkv").display().to_string();
    run(&format!(
        "videotestsrc num-buffers=90 ! video/x-raw,width=64,height=48,framerate=30/1 ! \
         vlmanalyze name=v model=m api-base={base} ! jpegenc ! matroskamux name=mux ! \
         filesink location={file} v.text ! mux."
    ));
    let empty = blocks(&file).into_iter().filter(|(text, ..)| text.is_empty()).count();
    assert!(empty <= 3 * 4, "{empty} empty blocks in three seconds");
    play(&file);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn captions_become_the_cues_of_a_webvtt_file() {
    init();
    let vlm = Vlm::start();
    let source = source(vlm.base());
    std::thread::spawn(move || {
        for text in ["one", "two\n\n<b> --> & so on", "three"] {
            vlm.asked().answer(text);
        }
    });
    let folder = folder("webvtt");
    let file = folder.join("captions.vtt");
    run(&format!("{source} ! fakesink v.text ! webvttenc ! filesink location={}", file.display()));
    assert_eq!(
        std::fs::read_to_string(file).unwrap(),
        "WEBVTT\n\n\
         00:00:00.000 --> 00:00:01.000\none\n\n\
         00:00:01.000 --> 00:00:02.000\ntwo\n&lt;b&gt; --&gt; &amp; so on\n\n\
         00:00:02.000 --> 00:00:03.000\nthree\n\n"
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn json_lines_become_a_file_of_answers() {
    init();
    let vlm = Vlm::start();
    let source = source(vlm.base());
    answer_all(vlm);
    let folder = folder("json");
    let file = folder.join("answers.jsonl");
    run(&format!(
        "{source} text-format=json ! fakesink v.text ! filesink location={}",
        file.display()
    ));
    let lines = std::fs::read_to_string(file).unwrap();
    let answers: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let pts: Vec<_> = answers.iter().map(|answer| answer["pts"].as_u64().unwrap()).collect();
    assert_eq!(pts, [0, 1_000_000_000, 2_000_000_000]);
    std::fs::remove_dir_all(folder).unwrap();
}

/// A muxer waits for text until it is told that none will come.
#[test]
fn a_vlm_that_never_answers_does_not_stall_a_muxer() {
    init();
    let vlm = Vlm::start();
    let pipeline = launch(&format!(
        "videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=100/1 ! \
         vlmanalyze name=v model=m api-base={} ! jpegenc ! matroskamux name=mux streamable=true ! \
         appsink name=muxed sync=false v.text ! mux.",
        vlm.base()
    ));
    let sink = pipeline.by_name("muxed").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let asked = vlm.asked();
    for n in 0..150 {
        let sample = sink.try_pull_sample(gst::ClockTime::try_from(LONG).unwrap());
        assert!(sample.is_some(), "the muxer stalls after {n} buffers");
    }
    assert!(asked.is_open());
    pipeline.set_state(gst::State::Null).unwrap();
}
