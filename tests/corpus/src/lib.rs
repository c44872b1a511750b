//! The corpus of the fuzz targets, for the tests: each crate replays what its targets read.

use std::{fs, path::PathBuf};

/// The folder with the corpus of this target.
pub fn folder(target: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus")).join(target)
}

/// Runs this with each file of a target's corpus.
///
/// # Panics
/// When there is no file, or one cannot be read.
pub fn replay(target: &str, run: impl Fn(&[u8])) {
    let folder = folder(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut count = 0;
    for file in files {
        let path = file.expect("a file of the corpus").path();
        run(&fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}")));
        count += 1;
    }
    assert!(count > 0, "{folder:?} is empty");
}
