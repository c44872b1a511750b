//! The `gst-launch-1.0` lines of the documentation.

use std::{fs, process::Command};

use gst::prelude::*;

use crate::support::{Bench, Ran, description, folder, init, root, video, zero_ended};

/// A line of a document.
struct Line {
    /// Where it is, for whoever has to mend it.
    at: String,
    /// As a shell takes it.
    shell: String,
}

/// All that may have lines.
fn documents() -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for place in [root(), root().join("docs"), root().join("plugins/vlm"), folder()] {
        for entry in fs::read_dir(place).unwrap().map(Result::unwrap) {
            found.extend(
                Some(entry.path()).filter(|path| path.extension().is_some_and(|e| e == "md")),
            );
        }
    }
    found.push(root().join("plugins/vlm/src/analyze/mod.rs"));
    found.sort();
    found
}

/// The commands in fenced blocks that are calls of gst-launch-1.0.
fn lines(path: &std::path::Path) -> Vec<Line> {
    let name = path.strip_prefix(root()).unwrap().display().to_string();
    let text = fs::read_to_string(path).unwrap();
    let mut found = Vec::new();
    let mut fenced = false;
    let mut command = String::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.strip_prefix("//!").unwrap_or(line).trim();
        if line.starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if !fenced {
            continue;
        }
        if let Some(begun) = line.strip_suffix('\\') {
            command += begun;
            continue;
        }
        command += line;
        let shell = std::mem::take(&mut command);
        let is_assignment = |word: &&str| {
            word.split_once('=')
                .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        };
        if shell.split_whitespace().find(|word| !is_assignment(word)) == Some("gst-launch-1.0") {
            found.push(Line { at: format!("{name}:{}", number + 1), shell });
        }
    }
    found
}

impl Line {
    /// What gst-launch-1.0 is given, by what a shell makes of the line.
    fn words(&self) -> Vec<String> {
        let script = format!("gst-launch-1.0() {{ printf '%s\\0' \"$@\"; }}\n{}", self.shell);
        zero_ended(Command::new("bash").args(["-c", &script]).current_dir(root()))
    }
}

#[test]
fn each_line_makes_a_pipeline() {
    init();
    let all: Vec<_> = documents().iter().flat_map(|path| lines(path)).collect();
    assert!(all.len() >= 4, "lines should be found: {}", all.len());
    for line in all {
        let words = line.words();
        let flags = gst::ParseFlags::FATAL_ERRORS;
        let pipeline = gst::parse::launchv_full(&description(&words), None, flags);
        let pipeline = pipeline.unwrap_or_else(|error| {
            panic!("{}: {error} (support/stand_ins.rs has what machines lack)", line.at)
        });
        // READY would open cameras; the element alone checks its settings there.
        let bin = pipeline.downcast::<gst::Bin>().unwrap();
        let asking = bin.iterate_all_by_element_factory_name("vlmanalyze").into_iter();
        for element in asking.map(Result::unwrap) {
            element.set_state(gst::State::Ready).unwrap();
            element.set_state(gst::State::Null).unwrap();
        }
    }
}

/// Those that need neither a camera nor a screen, and no VLM that knows schemas.
#[test]
fn lines_with_a_test_picture_or_a_file_run_as_printed() {
    let bench = Bench::new();
    video(&bench.path("clip.mp4"));
    let mut ran = Vec::new();
    for line in documents().iter().flat_map(|path| lines(path)) {
        let mut words = line.words();
        let has = |start: &str| words.iter().any(|word| word.starts_with(start));
        let has_source = has("videotestsrc") || has("location=clip.mp4");
        if !has_source || has("autovideosink") || has("response-schema=") {
            continue;
        }
        // Another VLM, and an end.
        words.retain(|word| !word.starts_with("api-base="));
        if let Some(at) = words.iter().position(|word| word == "videotestsrc")
            && !words.iter().any(|word| word.starts_with("num-buffers="))
        {
            words.insert(at + 1, "num-buffers=60".to_owned());
        }
        ran.push(bench.gst_launch(&words));
        if words.contains(&"-m".to_owned()) {
            ran.last().unwrap().texts("vlmanalyze0");
        }
        for file in words.iter().filter_map(|word| word.strip_prefix("location=")) {
            let length = fs::metadata(bench.path(file)).unwrap().len();
            assert!(length > 0, "{}: {file} is empty", line.at);
        }
    }
    assert!(ran.len() >= 3, "{} lines were run", ran.len());
    ran.iter().for_each(Ran::leaves_nothing);
}
