//! What holds for every script.

use std::{fs, process::Command};

use gst::prelude::*;

use crate::support::{description, folder, init, root, scripts, words, zero_ended};

/// Each script with arguments that it can be called with, and its prompts.
const CALLS: [(&str, &[&str], &[&str]); 9] = [
    ("deepstream.sh", &["file:///a", "file:///b", "d.txt", P1, P2], &[P1, P2]),
    ("file-captions.sh", &["a clip.mp4", "a clip.vtt", P1], &[P1]),
    ("file-subtitles.sh", &["a clip.mp4", "a clip.mkv", P1], &[P1]),
    ("headless-jsonl.sh", &["file:///a", "a.jsonl", P1], &[P1]),
    ("jetson-csi.sh", &["1", P1], &[P1]),
    ("rtsp.sh", &["rtsp://192.0.2.20/stream", P1], &[P1]),
    ("two-cameras.sh", &["file:///a", "file:///b", P1, P2], &[P1, P2]),
    ("two-models.sh", &["a clip.mp4", "a", "b", P1, P2], &[P1, P2]),
    ("webcam.sh", &["/dev/video9", P1], &[P1]),
];
const P1: &str = r#"Is this "it"! Or that\there? What's it called;  and how?"#;
const P2: &str = "$HOME ! fakesink name=x (really) é, x=y";

#[test]
fn each_script_is_known_to_these_tests_and_described_in_the_readme() {
    let known: Vec<_> = CALLS.iter().map(|(script, ..)| (*script).to_owned()).collect();
    assert_eq!(scripts().into_iter().collect::<Vec<_>>(), known);
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    for script in known {
        let row = format!("| [`{script}`]({script}) | ");
        assert!(readme.contains(&row), "README.md lacks a row that begins with {row}");
    }
}

#[test]
fn each_script_says_how_it_is_called() {
    for script in scripts() {
        let output = Command::new(folder().join(&script)).arg("--help").output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{script}");
        assert!(help.contains(&format!("\n  {script}")), "{script}: {help}");
        assert!(help.contains("VLM_API_BASE"), "{script}: {help}");
        assert!(!help.contains("pipefail"), "{script} prints more than its comment: {help}");
    }
}

#[test]
fn each_script_makes_a_pipeline_and_takes_any_words_for_a_prompt() {
    init();
    for (script, arguments, prompts) in CALLS {
        let words = words(script, arguments);
        let pipeline = gst::parse::launchv(&description(&words))
            .unwrap_or_else(|error| panic!("{script}: {error}"))
            .downcast::<gst::Pipeline>()
            .unwrap();
        let mut asked: Vec<String> = pipeline
            .iterate_all_by_element_factory_name("vlmanalyze")
            .into_iter()
            .map(|element| element.unwrap().property("prompt"))
            .collect();
        asked.sort_by_key(|prompt| prompts.iter().position(|p| p == prompt));
        assert_eq!(asked, prompts, "{script}");
    }
}

#[test]
fn without_its_arguments_a_script_says_what_is_missing() {
    for script in scripts() {
        let output = Command::new(folder().join(&script)).env("GST_LAUNCH", "true").output();
        let output = output.unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        let starts_without = matches!(&*script, "webcam.sh" | "jetson-csi.sh");
        assert_eq!(output.status.success(), starts_without, "{script}: {errors}");
        assert_eq!(errors.contains("see --help"), !starts_without, "{script}: {errors}");
    }
}

#[test]
fn the_plugin_that_was_built_is_found_unless_another_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let here = scratch.path().join("plugins/vlm/launch");
    let built = scratch.path().join("target/release");
    fs::create_dir_all(&here).unwrap();
    fs::create_dir_all(&built).unwrap();
    for name in ["common.sh", "webcam.sh"] {
        fs::copy(folder().join(name), here.join(name)).unwrap();
    }
    let path = |named: Option<&str>| {
        let mut command = Command::new(here.join("webcam.sh"));
        command.env_remove("GST_PLUGIN_PATH").envs(named.map(|it| ("GST_PLUGIN_PATH", it)));
        let printer = here.join("print");
        fs::write(&printer, "#!/bin/sh\nprintf '%s\\0' \"${GST_PLUGIN_PATH-none}\"\n").unwrap();
        let mode = fs::metadata(root().join("test.sh")).unwrap().permissions();
        fs::set_permissions(&printer, mode).unwrap();
        zero_ended(command.env("GST_LAUNCH", printer)).concat()
    };
    assert_eq!(path(None), "none", "what is installed is taken");
    fs::write(built.join("libgstvlm.so"), "").unwrap();
    assert_eq!(path(None), built.canonicalize().unwrap().to_str().unwrap());
    assert_eq!(path(Some("/elsewhere")), "/elsewhere");
}
