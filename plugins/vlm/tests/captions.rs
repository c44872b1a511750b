//! The example `captions`, run as a user runs it, against the stand-in that describes pixels.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use gst::prelude::*;

/// Cargo puts examples beside the tests' folder.
fn example() -> Command {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().and_then(Path::parent).unwrap().join("examples/captions");
    assert!(path.exists(), "{} is missing: cargo build --examples", path.display());
    let mut command = Command::new(path);
    for name in ["VLM_API_BASE", "VLM_API_KEY", "VLM_MODEL"] {
        command.env_remove(name);
    }
    command.env("NO_PROXY", "127.0.0.1");
    command
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("vlm-captions-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Three red seconds.
fn video(folder: &Path) -> PathBuf {
    gst::init().unwrap();
    let path = folder.join("a red video.mkv");
    let pipeline = gst::parse::launch(
        "videotestsrc pattern=red num-buffers=30 ! video/x-raw,width=320,height=240,framerate=10/1 \
         ! jpegenc ! matroskamux ! filesink name=file",
    )
    .unwrap();
    let file = pipeline.downcast_ref::<gst::Bin>().unwrap().by_name("file").unwrap();
    file.set_property("location", &path);
    pipeline.set_state(gst::State::Playing).unwrap();
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let bus = pipeline.bus().unwrap();
    let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(10), &kinds).unwrap();
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
    pipeline.set_state(gst::State::Null).unwrap();
    path
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_video_becomes_a_webvtt_track_and_a_file_of_answers() {
    let folder = folder("ok");
    let video = video(&folder);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let options = demo_vlm::Options { port: 0, ..demo_vlm::Options::default() };
    let listener = runtime.block_on(options.bind()).unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    runtime.spawn(demo_vlm::serve(listener, options, std::future::pending()));

    let (vtt, jsonl) = (folder.join("out.vtt"), folder.join("out.jsonl"));
    let output = example()
        .args([&video, &vtt, &jsonl])
        .args(["--api-base", &base, "--prompt", "What colour is it?"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));

    let answers: Vec<serde_json::Value> = std::fs::read_to_string(jsonl)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let pts: Vec<_> = answers.iter().map(|answer| answer["pts"].as_u64().unwrap()).collect();
    assert_eq!(pts, [0, 1_000_000_000, 2_000_000_000]);
    let cues = std::fs::read_to_string(vtt).unwrap();
    let times: Vec<_> = cues.lines().filter(|line| line.contains("-->")).collect();
    assert_eq!(
        times,
        [
            "00:00:00.000 --> 00:00:01.000",
            "00:00:01.000 --> 00:00:02.000",
            "00:00:02.000 --> 00:00:03.000"
        ]
    );
    for answer in answers {
        let text = answer["text"].as_str().unwrap();
        assert!(text.to_lowercase().contains("red") && cues.contains(text), "{text}\n{cues}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_goes_wrong_is_said() {
    let folder = folder("wrong");
    let video = video(&folder);
    let (vtt, jsonl) = (folder.join("out.vtt"), folder.join("out.jsonl"));
    let fails = |arguments: &[&Path], reason: &str| {
        let output = example()
            .args(arguments)
            .args(["--api-base", "http://127.0.0.1:9/v1"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains(reason), "{}", said(&output));
    };
    fails(&[&folder.join("none.mp4"), &vtt, &jsonl], "there is no such file");
    fails(&[&video, &folder.join("none/out.vtt"), &jsonl], "none/out.vtt: cannot be written");
    fails(&[&video, &vtt, &jsonl], "127.0.0.1:9");
    let text = folder.join("text.mp4");
    std::fs::write(&text, "no video").unwrap();
    fails(&[&text, &vtt, &jsonl], "");
    std::fs::remove_dir_all(folder).unwrap();
}
