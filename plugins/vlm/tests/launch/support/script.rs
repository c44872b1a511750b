//! The scripts of `plugins/vlm/launch`.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

pub(crate) fn folder() -> PathBuf {
    root().join("plugins/vlm/launch")
}

/// The names of all pipelines: scripts that can be called, which `common.sh` is not.
pub(crate) fn scripts() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder()).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let can_be_called = entry.metadata().unwrap().permissions().mode() & 0o111 != 0;
        if name.ends_with(".sh") {
            assert_eq!(can_be_called, name != "common.sh", "whether {name} may be executed");
            names.extend(can_be_called.then_some(name));
        }
    }
    names
}

/// What a script gives to gst-launch-1.0.
pub(crate) fn words(script: &str, arguments: &[&str]) -> Vec<String> {
    let scratch = tempfile::tempdir().unwrap();
    let printer = scratch.path().join("print");
    fs::write(&printer, "#!/bin/sh\nprintf '%s\\0' \"$@\"\n").unwrap();
    fs::set_permissions(&printer, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(folder().join(script));
    command.args(arguments).env("GST_LAUNCH", &printer).env_remove("RTSP_USER");
    zero_ended(&mut command)
}

/// Of what is given to gst-launch-1.0, the pipeline.
pub(crate) fn description(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).skip_while(|word| word.starts_with('-')).collect()
}

/// The words that a command prints, each with a NUL after it.
pub(crate) fn zero_ended(command: &mut Command) -> Vec<String> {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{command:?}: {errors}");
    let printed = String::from_utf8(output.stdout).unwrap();
    printed.split_terminator('\0').map(str::to_owned).collect()
}
