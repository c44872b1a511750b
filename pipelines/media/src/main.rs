//! The program `live-vlm-media`: started once by `live-vlm`, it loads GStreamer and then forks a
//! media process whenever one is wanted.
//!
//! A media process enters its sandbox before it has read anything from anybody. Then it speaks with
//! `live-vlm` by its link, and knows nobody else but the peers who send it video.

mod heap;
mod libraries;
mod side;

use std::{
    env,
    io::{Write, stderr},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::ExitCode,
};

use live_vlm_sandbox::{Mode, Sandbox};

fn main() -> ExitCode {
    heap::keep_flat();
    let Some(sandbox) = sandbox() else { return ExitCode::FAILURE };
    match live_vlm_zygote::serve(init, |link| live(sandbox.clone(), link)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// By the arguments: `on`, `strict` or `off`, and devices of a hardware decoder.
fn sandbox() -> Option<Sandbox> {
    let mut arguments = env::args_os().skip(1);
    let mode = arguments.next().unwrap_or_default().to_string_lossy().parse::<Mode>();
    let mode = mode.inspect_err(|error| complain(&format!("the sandbox: {error}"))).ok()?;
    Some(Sandbox::new(mode).devices(arguments.map(PathBuf::from)))
}

fn init() -> Result<(), String> {
    live_vlm_pipelines::init().map_err(|error| format!("GStreamer: {error}"))?;
    live_vlm_pipelines::preload().map_err(|error| format!("GStreamer: {error}"))?;
    libraries::load();
    Ok(())
}

/// What a media process does; the code that it ends with.
fn live(sandbox: Sandbox, link: UnixStream) -> u8 {
    match begin(sandbox, link) {
        Ok(()) => 0,
        Err(error) => {
            complain(&error);
            1
        }
    }
}

fn begin(sandbox: Sandbox, link: UnixStream) -> Result<(), String> {
    // Before the first thread, and before anything is read.
    let report = sandbox.apply().map_err(|error| error.to_string())?;
    // A few tasks; the work is done by GStreamer's threads.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start threads: {error}"))?;
    runtime.block_on(side::serve(link, &report)).map_err(|error| error.to_string())
}

fn complain(what: &dyn std::fmt::Display) {
    let _ = writeln!(stderr(), "live-vlm-media: {what}");
}
