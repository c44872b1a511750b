//! Applies the sandbox to itself, and then does what an attacker in a media process would do.
//!
//! `intruder list` says what it can try, `intruder try N M` does the `M`th thing of row `N`, and
//! `intruder try-in-a-thread N M` in a thread that was started inside. With `--sandbox off` before
//! it, there is none. It prints what it got.

mod attempts;
mod call;

use std::{
    env,
    fs::{self, File},
    io::{Write, stdout},
    path::PathBuf,
    process::ExitCode,
    sync::mpsc,
    thread,
};

use attempts::{ROWS, Row};
use live_vlm_sandbox::{Limits, Mode, Sandbox};

fn main() -> ExitCode {
    let mut words: Vec<String> = env::args().skip(1).collect();
    let mut mode = Mode::On;
    if words.first().is_some_and(|word| word == "--sandbox") {
        mode = words[1].parse().unwrap();
        words.drain(..2);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let said = match words[..] {
        ["list"] => ROWS.iter().map(listed).collect(),
        ["use-a-device"] => {
            let devices = ["/dev/null", "/dev/zero"].map(PathBuf::from);
            sandbox(mode).devices(devices[..1].to_owned()).apply().unwrap();
            let open = |path| File::options().read(true).write(true).open(path);
            let both = devices.map(|path| shown(call::number(open(path))));
            let code = shown(call::map(4096, libc::PROT_EXEC, libc::MAP_PRIVATE));
            let others = shown(call::number(fs::read("/etc/passwd")));
            let [listed, other] = both;
            format!("listed: {listed}, other: {other}, code: {code}, files: {others}\n")
        }
        ["report"] => format!("{}\n", sandbox(mode).apply().unwrap()),
        ["try", row, which] => {
            let attempt = attempt(row, which);
            sandbox(mode).apply().unwrap();
            format!("{}\n", shown(attempt()))
        }
        ["try-in-a-thread", row, which] => {
            let attempt = attempt(row, which);
            // With room for threads, whatever others of this user run meanwhile.
            Sandbox::new(mode).apply().unwrap();
            format!("{}\n", shown(thread::spawn(attempt).join().unwrap()))
        }
        ["apply-with-two-threads"] => {
            let (_keep, wait) = mpsc::channel::<()>();
            thread::spawn(move || wait.recv());
            format!("{}\n", sandbox(mode).apply().unwrap_err())
        }
        _ => return ExitCode::FAILURE,
    };
    stdout().write_all(said.as_bytes()).unwrap();
    ExitCode::SUCCESS
}

fn attempt(row: &str, which: &str) -> fn() -> call::Gave {
    ROWS[row.parse::<usize>().unwrap()].tries[which.parse::<usize>().unwrap()]
}

/// With limits that are soon reached.
fn sandbox(mode: Mode) -> Sandbox {
    Sandbox::new(mode).limits(Limits {
        memory: 256 << 20,
        files: 64,
        tasks: 64,
        ..Limits::default()
    })
}

fn listed(row: &Row) -> String {
    let Row { what, gets, needs, tries, anybody } = row;
    let needs = needs.map_or("nothing".to_owned(), |wall| wall.to_string());
    format!("{what}\t{gets}\t{needs}\t{}\t{anybody}\n", tries.len())
}

fn shown(gave: call::Gave) -> String {
    match gave {
        Ok(_) => "works".to_owned(),
        Err(libc::EPERM) => "`EPERM`".to_owned(),
        Err(libc::EACCES) => "`EACCES`".to_owned(),
        Err(libc::ENOSYS) => "`ENOSYS`".to_owned(),
        Err(libc::ENOMEM) => "`ENOMEM`".to_owned(),
        Err(libc::EAGAIN) => "`EAGAIN`".to_owned(),
        Err(libc::EMFILE) => "`EMFILE`".to_owned(),
        Err(other) => format!("error {other}"),
    }
}
