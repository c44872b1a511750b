//! How video is received: by media processes, which are another program.

use std::{
    env, io,
    path::{Path, PathBuf},
    thread,
};

use live_vlm_config::{LogFilter, Whole};
use live_vlm_media_processes::{
    self as processes, Cause, Figures, MediaProcesses, Usage,
    launcher::{Forking, Program},
    memory::Groups,
    placement::Bounds,
};
use live_vlm_observe::{metrics::MediaFigures, process::Memory};
use live_vlm_sandbox::environment;
use serde::{Deserialize, Serialize};

/// Memory that one media process may use, in bytes.
const MOST_MEMORY: u64 = 1 << 30;
/// Media processes suffice for so many sessions, even where fewer are allowed at the start.
const SESSIONS: usize = 1000;

/// `[media]`: how video is received.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[group(skip)]
#[command(next_help_heading = "Video")]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// How many users have a process of their own for their video. If there are more users, some
    /// share one [default: 4 for each core, fewer with little memory]
    #[arg(long = "media-processes", env = "LIVE_VLM_MEDIA_PROCESSES", value_name = "COUNT")]
    pub(crate) processes: Option<Whole<1, 1000>>,
    /// Keep the processes that receive video from the rest of this host: on, strict (do not start
    /// where the kernel lacks a part of it) or off [default: on]
    #[arg(long, env = "LIVE_VLM_SANDBOX", value_name = "MODE", value_enum)]
    pub(crate) sandbox: Option<Sandbox>,
    /// Device of a hardware decoder, such as /dev/dri, which the processes that receive video may
    /// then use; may be given several times
    #[arg(
        long = "media-device",
        env = "LIVE_VLM_MEDIA_DEVICES",
        value_name = "PATH",
        value_delimiter = ','
    )]
    pub(crate) devices: Option<Vec<PathBuf>>,
    /// The program that receives video [default: live-vlm-media, beside this one]
    #[arg(long = "media-program", env = "LIVE_VLM_MEDIA_PROGRAM", value_name = "FILE")]
    pub(crate) program: Option<PathBuf>,
}

/// Whether media processes are in a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sandbox {
    /// As far as the kernel can.
    On,
    /// All of it, or the server does not start.
    Strict,
    /// Not at all.
    Off,
}

/// How video is received.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Options {
    /// As many users have a media process of their own; `None` = what suits this host.
    pub(crate) processes: Option<usize>,
    pub(crate) sandbox: Sandbox,
    /// Of hardware decoders, which media processes may use.
    pub(crate) devices: Vec<PathBuf>,
    /// `None` = beside the server's.
    pub(crate) program: Option<PathBuf>,
}

impl Config {
    /// What these flags say, or else the file, or else the default.
    pub(crate) fn over(&self, file: &Self) -> Options {
        let processes = self.processes.or(file.processes);
        Options {
            processes: processes.map(|count| count.get() as usize),
            sandbox: self.sandbox.or(file.sandbox).unwrap_or(Sandbox::On),
            devices: self.devices.as_ref().or(file.devices.as_ref()).cloned().unwrap_or_default(),
            program: self.program.as_ref().or(file.program.as_ref()).cloned(),
        }
    }
}

/// There is no program that receives video.
#[derive(Debug, thiserror::Error)]
#[error(
    "the program {path} receives video, and cannot be started: {source}; install it there, or say \
     where it is by --media-program"
)]
pub struct NoProgram {
    path: String,
    source: io::Error,
}

impl Options {
    /// Media processes for so many sessions (0 = any number), which log this.
    ///
    /// # Errors
    /// When their program is not there.
    pub(crate) fn start(
        &self,
        sessions: usize,
        log: &LogFilter,
    ) -> Result<MediaProcesses, NoProgram> {
        let cores = thread::available_parallelism().map_or(1, Into::into);
        let memory = Memory::read().map_or(u64::MAX, |memory| memory.total);
        let sessions = if sessions == 0 { 0 } else { sessions.max(SESSIONS) };
        let bounds = Bounds::for_host(self.processes, cores, memory, sessions);
        let config = processes::Config {
            memory: Groups::find(MOST_MEMORY),
            log: log.text().to_owned(),
            ..processes::Config::new(bounds)
        };
        Ok(MediaProcesses::new(config, Forking::new(self.program()?)))
    }

    fn program(&self) -> Result<Program, NoProgram> {
        let path = match &self.program {
            Some(path) => path.clone(),
            None => beside(&env::current_exe().unwrap_or_default()),
        };
        if let Err(source) = path.metadata() {
            return Err(NoProgram { path: path.display().to_string(), source });
        }
        let mode = match self.sandbox {
            Sandbox::On => "on",
            Sandbox::Strict => "strict",
            Sandbox::Off => "off",
        };
        let environment = environment(env::vars_os());
        let devices = self.devices.iter().map(|device| device.clone().into_os_string());
        let arguments = [mode.into()].into_iter().chain(devices).collect();
        Ok(Program { path, arguments, environment })
    }
}

/// What metrics and the overload guard see of media processes.
pub(crate) fn figures(media: &MediaProcesses) -> MediaFigures {
    let Figures { processes, connections, started, ended, refused } = media.figures();
    let Usage { cpu, resident, threads } = media.usage();
    // Each cause is there from the start, so that the first time counts as an increase.
    let ended = Cause::NAMES.map(|name| (name, ended.get(name).copied().unwrap_or(0)));
    MediaFigures {
        processes,
        connections,
        started,
        ended: ended.into(),
        users_refused: refused,
        cpu_seconds: cpu.as_secs_f64(),
        resident,
        threads,
        sandbox_lacking: media.ready().map_or(0, |ready| ready.sandbox.lacking.len()),
    }
}

/// The media processes' program of a server's.
fn beside(server: &Path) -> PathBuf {
    let mut name = server.file_name().unwrap_or_default().to_owned();
    name.push("-media");
    server.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_beside_the_servers_unless_somebody_says_where() {
        assert_eq!(beside(Path::new("/usr/bin/live-vlm")), Path::new("/usr/bin/live-vlm-media"));
        let named = Options {
            processes: None,
            sandbox: Sandbox::Strict,
            devices: vec!["/dev/dri".into()],
            program: Some("/nowhere/media".into()),
        };
        let error = named.program().unwrap_err().to_string();
        assert!(error.starts_with("the program /nowhere/media receives video"), "{error}");
        let there = Options { program: Some("/bin/sh".into()), ..named };
        assert_eq!(there.program().unwrap().arguments, ["strict", "/dev/dri"]);
    }
}
