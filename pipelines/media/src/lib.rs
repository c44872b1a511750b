//! The program `live-vlm-media`, as a library: it is started once by `live-vlm`, loads GStreamer,
//! and then forks a media process whenever one is wanted.
//!
//! A media process enters its sandbox before it has read anything from anybody. Then it serves
//! `live-vlm` by its link, and knows nobody else but the peers who send it video.
//!
//! Contract
//! - [`run`] is all of `main`. The arguments are `on`, `strict` or `off` for the sandbox, and the
//!   devices of a hardware decoder. Standard input is the zygote's socket (`live-vlm-zygote`).
//! - What is initialised before the forks is the same in all media processes: nothing secret, and
//!   nothing random.
//! - A media process ends when live-vlm closes its link, when it is told nonsense, or when it fails.
//!
//! ```no_run
//! # #[allow(clippy::needless_doctest_main)]
//! fn main() -> std::process::ExitCode {
//!     live_vlm_media::run(|| {})
//! }
//! ```

mod heap;
mod libraries;
mod log;
mod random;

use std::{
    env,
    error::Error,
    io::{Write, stderr},
    os::unix::net::UnixStream as StdUnixStream,
    path::PathBuf,
    process::ExitCode,
};

use live_vlm_media_link::SandboxParts;
use live_vlm_sandbox::{Mode, Report, Sandbox};
use tokio::{net::UnixStream, runtime};

/// Forks media processes for as long as live-vlm wants some. `first` is called in each of them
/// before its sandbox is applied: for tests, which have them misbehave. It may start no thread.
pub fn run(first: impl Fn()) -> ExitCode {
    heap::keep_flat();
    let Some(sandbox) = sandbox() else { return ExitCode::FAILURE };
    let child = |link| {
        first();
        live(sandbox.clone(), link)
    };
    match live_vlm_zygote::serve(init, child) {
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

/// What all media processes have in common. It must be nothing secret or random.
fn init() -> Result<(), String> {
    if !random::is_taken_from_the_kernel() {
        return Err("media processes would share random numbers: it is not linked rightly".into());
    }
    log::take_native();
    log::while_nobody_listens(|| {
        live_vlm_pipelines::init().map_err(|error| format!("GStreamer: {error}"))?;
        live_vlm_pipelines::preload().map_err(|error| format!("GStreamer: {error}"))?;
        libraries::load();
        Ok(())
    })
}

/// What a media process does; the code that it ends with.
fn live(sandbox: Sandbox, link: StdUnixStream) -> u8 {
    match begin(sandbox, link) {
        Ok(()) => 0,
        Err(error) => {
            complain(&error);
            1
        }
    }
}

fn begin(sandbox: Sandbox, link: StdUnixStream) -> Result<(), Box<dyn Error>> {
    // Before the first thread, and before anything is read.
    let report = sandbox.apply()?;
    // A few tasks; the work is done by GStreamer's threads.
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let served = runtime.block_on(serve(link, &report));
    // Whatever still runs ends with the process.
    runtime.shutdown_background();
    served
}

async fn serve(link: StdUnixStream, report: &Report) -> Result<(), Box<dyn Error>> {
    link.set_nonblocking(true)?;
    let start = |greeting| {
        log::begin(greeting);
        parts(report)
    };
    // One that is kept ready has the time. The first connection is then as quick as the others.
    if let Err(error) = live_vlm_pipelines::warm_up().await {
        complain(&error);
    }
    Ok(live_vlm_pipelines::serve(UnixStream::from_std(link)?, start).await?)
}

/// What live-vlm is told of the sandbox.
fn parts(report: &Report) -> SandboxParts {
    SandboxParts {
        applied: report.applied.iter().map(ToString::to_string).collect(),
        lacking: report.lacking.iter().map(ToString::to_string).collect(),
    }
}

fn complain(what: &dyn std::fmt::Display) {
    let _ = writeln!(stderr(), "live-vlm-media: {what}");
}
