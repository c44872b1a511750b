//! What docs/security.md says of the sandbox, tried from inside.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    process::{Command, Output},
};

const INTRUDER: &str = env!("CARGO_BIN_EXE_intruder");
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/security.md");
/// The heading above the table.
const HEADING: &str = "### What a media process can reach";

fn intruder(words: &[&str]) -> Output {
    Command::new(INTRUDER).args(words).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap().trim_end().to_owned()
}

/// What an attempt got, in the words of the table.
fn got(output: &Output) -> String {
    match output.status.signal() {
        Some(libc::SIGSYS) => "the process is ended".to_owned(),
        Some(other) => format!("signal {other}"),
        None if output.status.success() => said(output),
        None => format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)),
    }
}

struct Row {
    what: String,
    gets: String,
    needs: String,
    tries: usize,
    anybody: bool,
}

fn rows() -> Vec<Row> {
    let listed = said(&intruder(&["list"]));
    let row = |line: &str| {
        let [what, gets, needs, tries, anybody] =
            line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        Row {
            what: what.to_owned(),
            gets: gets.to_owned(),
            needs: needs.to_owned(),
            tries: tries.parse().unwrap(),
            anybody: anybody.parse().unwrap(),
        }
    };
    listed.lines().map(row).collect()
}

#[test]
fn every_way_out_that_is_tried_is_closed() {
    let report = said(&intruder(&["report"]));
    let mut wrong = Vec::new();
    for (number, row) in rows().iter().enumerate() {
        if report.contains(&format!("without {}", row.needs)) {
            continue;
        }
        for which in 0..row.tries {
            let output = intruder(&["try", &number.to_string(), &which.to_string()]);
            let got = got(&output);
            if got != row.gets {
                wrong.push(format!("{} ({which}): {got} instead of {}", row.what, row.gets));
            }
        }
    }
    assert!(wrong.is_empty(), "{report}\n{wrong:#?}");
}

#[test]
fn threads_that_start_inside_stay_inside() {
    // The one that leaves no thread is ended with the whole process.
    let which = ["read a file or folder of the host", "connect or listen by TCP", "use `bpf`"];
    for (number, row) in rows().iter().enumerate() {
        if which.iter().any(|begins| row.what.starts_with(begins)) {
            let output = intruder(&["try-in-a-thread", &number.to_string(), "0"]);
            assert_eq!(got(&output), row.gets, "{}", row.what);
        }
    }
}

#[test]
fn a_process_with_two_threads_is_refused() {
    let said = said(&intruder(&["apply-with-two-threads"]));
    assert!(said.contains("it has 2"), "{said}");
}

#[test]
fn a_driver_can_use_its_device_and_no_other() {
    if said(&intruder(&["report"])).contains("without files") {
        return;
    }
    let expected = "listed: works, other: `EACCES`, code: works, files: `EACCES`";
    assert_eq!(said(&intruder(&["use-a-device"])), expected);
}

#[test]
fn a_strict_sandbox_is_whole_or_refused() {
    let report = said(&intruder(&["report"]));
    let strict = intruder(&["--sandbox", "strict", "report"]);
    assert_eq!(strict.status.success(), !report.contains("without"), "{report}");
}

#[test]
fn the_same_ways_are_open_without_a_sandbox() {
    // A host may have no IPv6.
    let open = ["works", &format!("error {}", libc::EAFNOSUPPORT)];
    let mut closed = Vec::new();
    for (number, row) in rows().iter().enumerate().filter(|(_, row)| row.anybody) {
        for which in 0..row.tries {
            let words = ["--sandbox", "off", "try", &number.to_string(), &which.to_string()];
            let got = got(&intruder(&words));
            if !open.contains(&got.as_str()) {
                closed.push(format!("{} ({which}): {got}", row.what));
            }
        }
    }
    assert!(closed.is_empty(), "{closed:#?}");
}

#[test]
fn the_document_says_what_is_tried_and_nothing_else() {
    let document = fs::read_to_string(DOCUMENT).unwrap();
    let (_, section) = document.split_once(HEADING).expect("the section");
    let documented: Vec<_> = section
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            (cells.next().unwrap().to_owned(), cells.next().unwrap().to_owned())
        })
        .collect();
    let tried: Vec<_> = rows().into_iter().map(|row| (row.what, row.gets)).collect();
    assert_eq!(documented, tried);
}
