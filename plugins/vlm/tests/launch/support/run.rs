//! Pipelines in processes of their own, as users run them.

use std::{ffi::OsStr, fs, os::unix::fs::symlink, path::PathBuf, process::Command};

use gstvlm::{
    context::CONTEXT_TYPE,
    messages::{Answer, AnswerError},
};

use super::{Demo, folder};

/// Seconds; far more than anything takes.
const LONG: &str = "60";

/// Where pipelines run: an empty folder, and a VLM.
pub(crate) struct Bench {
    pub(crate) scratch: tempfile::TempDir,
    demo: Demo,
}

/// What a pipeline has left when it was over.
pub(crate) struct Ran {
    /// How it was run.
    command: String,
    stdout: String,
    leaks: Vec<String>,
    /// From first to last, with the name of the element.
    pub(crate) answers: Vec<(String, Answer)>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        super::init();
        let scratch = tempfile::tempdir().unwrap();
        // Built with the test, beside it.
        let plugin = std::env::current_exe().unwrap().with_file_name("libgstvlm.so");
        assert!(plugin.exists(), "{} should have been built", plugin.display());
        fs::create_dir(scratch.path().join("plugins")).unwrap();
        symlink(plugin, scratch.path().join("plugins/libgstvlm.so")).unwrap();
        Self { scratch, demo: Demo::start() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Runs a script with gst-launch-1.0.
    pub(crate) fn script(&self, name: &str, arguments: &[&str]) -> Ran {
        self.script_with_env(name, arguments, &[])
    }

    pub(crate) fn script_with_env(
        &self,
        name: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Ran {
        self.run(folder().join(name), arguments, environment)
    }

    /// Runs gst-launch-1.0 with these words.
    pub(crate) fn gst_launch(&self, words: &[impl AsRef<OsStr>]) -> Ran {
        self.run("gst-launch-1.0", words, &[])
    }

    fn run(
        &self,
        program: impl AsRef<OsStr>,
        arguments: &[impl AsRef<OsStr>],
        environment: &[(&str, &str)],
    ) -> Ran {
        let trace = self.path("trace");
        let mut command = Command::new("timeout");
        command
            .args(["--kill-after=5", LONG])
            .arg(program)
            .args(arguments)
            .current_dir(self.scratch.path())
            .env("VLM_API_BASE", &self.demo.base)
            .env("GST_PLUGIN_PATH", self.path("plugins"))
            .env("GST_REGISTRY", self.path("registry"))
            .env("G_DEBUG", "fatal-criticals")
            .env("GST_TRACERS", "leaks")
            .env("GST_DEBUG", "GST_TRACER:7")
            .env("GST_DEBUG_NO_COLOR", "1")
            .env("GST_DEBUG_FILE", &trace)
            .env_remove("GST_LAUNCH")
            .envs(environment.iter().copied());
        let output = command.output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", output.status);
        assert!(!stderr.contains("CRITICAL"), "{stderr}");

        let trace = fs::read_to_string(trace).unwrap();
        // The tracer says at its start what it will say of an object that is left.
        assert!(trace.contains("object-alive.class"), "the leaks tracer should run: {trace}");
        let leaks: Vec<_> = trace
            .lines()
            .filter_map(|line| line.split_once("object-alive, type-name=(string)Gst"))
            .map(|(_, object)| object.to_owned())
            .collect();
        Ran { command: format!("{command:?}"), answers: answers(&stdout), stdout, leaks }
    }
}

/// Reads what `gst-launch-1.0 -m` has printed.
fn answers(stdout: &str) -> Vec<(String, Answer)> {
    let mut answers = Vec::new();
    for line in stdout.lines() {
        let Some((element, structure)) = line
            .strip_prefix("Got message #")
            .and_then(|rest| rest.split_once(" from element \""))
            .and_then(|(_, rest)| rest.split_once("\" (element): "))
        else {
            continue;
        };
        let Ok(structure) = structure.parse::<gst::Structure>() else { continue };
        let message = gst::message::Element::new(structure);
        if let Some(error) = AnswerError::from_message(&message) {
            panic!("{element}: {error:?}");
        }
        answers.extend(
            Answer::from_message(&message)
                .filter(|answer| answer.done)
                .map(|answer| (element.to_owned(), answer)),
        );
    }
    answers
}

impl Ran {
    /// Whether all objects are gone; what else a test wants to know, it asks before.
    pub(crate) fn leaves_nothing(&self) {
        assert!(self.leaks.is_empty(), "{} leaves these: {:#?}", self.command, self.leaks);
    }

    /// How many dispatchers were made by elements of the pipeline.
    pub(crate) fn dispatchers(&self) -> usize {
        let made =
            |line: &&str| line.starts_with("Got context from") && line.contains(CONTEXT_TYPE);
        self.stdout.lines().filter(made).count()
    }

    /// The texts of one element's answers.
    pub(crate) fn texts(&self, element: &str) -> Vec<String> {
        let texts: Vec<_> = self
            .answers
            .iter()
            .filter(|(name, _)| name == element)
            .map(|(_, answer)| answer.text.to_lowercase())
            .collect();
        assert!(!texts.is_empty(), "{element} should have an answer: {}", self.stdout);
        texts
    }
}
