//! The network test in small: real namespaces, a real browser, the page. Where this host cannot make
//! networks, nothing is tried, and that is said.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use clap::Parser;
use live_vlm_load::{Cli, Report, run, stopped};
use live_vlm_tests::{network::on_own_host, until};

const PROGRAM: &str = env!("CARGO_BIN_EXE_live-vlm-under-test");
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn network(options: &str) -> Cli {
    let script = format!("{ROOT}/tests/browser/load/network.mjs");
    let line = ["live-vlm-load", "network", "--server", PROGRAM, "--script", &script];
    Cli::try_parse_from(line.into_iter().chain(options.split_whitespace())).unwrap()
}

#[expect(clippy::print_stdout, reason = "what was measured, or why nothing was")]
fn say(text: &str) {
    println!("{text}");
}

#[test]
#[ignore = "needs network namespaces; ./test.sh knows whether it may make them"]
fn the_page_gets_answers_on_bad_networks() {
    on_own_host("the_page_gets_answers_on_bad_networks", async || {
        tokio::select! {
            measured = run(network("--short")) => match measured {
                Ok(Report { text, .. }) => say(&text),
                Err(missed) => panic!("{missed}"),
            },
            // Whoever stops the tests stops what they have started too.
            () = stopped() => panic!("it was stopped"),
        }
    });
}

#[test]
#[ignore = "needs network namespaces; ./test.sh knows whether it may make them"]
fn a_measurement_that_is_broken_off_leaves_nothing_behind() {
    on_own_host("a_measurement_that_is_broken_off_leaves_nothing_behind", async || {
        if let Some(lacks) = live_vlm_network::lacking() {
            say(&format!("skipped: {lacks}"));
            return;
        }
        let mut programs = BTreeSet::new();
        let mut folder = None;
        tokio::select! {
            ended = run(network("clean")) => panic!("it ended by itself: {ended:?}"),
            () = until("a browser", || {
                programs = descendants();
                folder = programs.iter().find_map(|program| home(program));
                // The browser and some processes of its own, the server, and what drives it.
                programs.len() > 5 && folder.is_some()
            }) => {}
        }
        programs.extend(descendants());
        let left: Vec<_> = programs.iter().filter_map(|program| running(program)).collect();
        assert_eq!(left, Vec::<String>::new());
        assert!(!folder.unwrap().exists());
    });
}

/// The processes that this one has started, and those that they have, as their folders in `/proc`.
fn descendants() -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut todo = vec![PathBuf::from("/proc/self")];
    while let Some(process) = todo.pop() {
        let threads = fs::read_dir(process.join("task")).into_iter().flatten().flatten();
        for thread in threads {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            let children = children.split_whitespace().map(|id| Path::new("/proc").join(id));
            todo.extend(children.filter(|child| found.insert(child.clone())));
        }
    }
    found
}

/// The line of `/proc/PID/stat`, unless the process has ended and only waits to be noticed.
fn running(process: &Path) -> Option<String> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    (!rest.starts_with(['Z', 'X'])).then_some(stat)
}

/// The folder in which a process keeps its files, if that is of the measurement.
fn home(process: &Path) -> Option<PathBuf> {
    let environment = fs::read(process.join("environ")).ok()?;
    let variables = environment.split(|byte| *byte == 0);
    let texts = variables.filter_map(|variable| std::str::from_utf8(variable).ok());
    let folder = texts.filter_map(|text| text.strip_prefix("TMPDIR=")).next().map(PathBuf::from)?;
    folder.file_name()?.to_str()?.starts_with("live-vlm-network-").then_some(folder)
}
