use std::{
    fs, io,
    os::{
        fd::{AsRawFd, RawFd},
        unix::{net::UnixStream as StdUnixStream, process::ExitStatusExt},
    },
    process::{ExitStatus, Stdio},
};

use async_trait::async_trait;
use tokio::{
    net::UnixStream,
    process::{Child, Command},
};

use super::{Launched, Launcher, Process, program::Program};
use crate::{cause::Exit, placement::ProcessNumber};

/// Where the link is in a process that was started.
const LINK: RawFd = 3;

/// Starts a program for each media process. It finds the link at file descriptor 3 and its log at 2,
/// and inherits nothing else: no environment but the program's, and no open file.
#[derive(Debug, Clone)]
pub struct Executable(pub Program);

#[async_trait]
impl Launcher for Executable {
    async fn launch(&self, _: ProcessNumber) -> io::Result<Launched> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let link = UnixStream::from_std(ours)?;
        let mut command = Command::from(self.0.command());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let descriptor = theirs.as_raw_fd();
        let open = inherited();
        // SAFETY: what runs between fork and exec calls only functions that may be called there, and
        // allocates nothing.
        unsafe {
            command.pre_exec(move || {
                hand_over(descriptor)?;
                keep_back(&open);
                Ok(())
            });
        }
        let mut child = command.spawn()?;
        let printed = child.stderr.take().map(|printed| Box::new(printed) as _);
        Ok(Launched { link, printed, process: Box::new(ChildProcess(child)) })
    }
}

/// Puts the link where the child looks for it, and has it survive the exec.
fn hand_over(descriptor: RawFd) -> io::Result<()> {
    // SAFETY: both are numbers of open files, or the calls fail.
    let result = unsafe {
        match descriptor == LINK {
            // Copying it onto itself would leave it to be closed.
            true => libc::fcntl(descriptor, libc::F_SETFD, 0),
            false => libc::dup2(descriptor, LINK),
        }
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// What this process has open beyond the link.
fn inherited() -> Vec<RawFd> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(|number| *number > LINK).collect()
}

/// Has everything beyond the link closed by the exec, whoever opened it, and however.
fn keep_back(open: &[RawFd]) {
    let (first, last) = (LINK.unsigned_abs() + 1, libc::c_uint::MAX);
    // SAFETY: it takes numbers only.
    let result =
        unsafe { libc::syscall(libc::SYS_close_range, first, last, libc::CLOSE_RANGE_CLOEXEC) };
    if result == 0 {
        return;
    }
    // Linux before 5.11.
    for descriptor in open {
        // SAFETY: it takes numbers only, and fails where nothing is open any more.
        unsafe {
            libc::fcntl(*descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
}

struct ChildProcess(Child);

#[async_trait]
impl Process for ChildProcess {
    fn id(&self) -> Option<u32> {
        self.0.id()
    }

    fn kill(&mut self) {
        // It fails only if the process has ended already.
        let _ = self.0.start_kill();
    }

    async fn wait(&mut self) -> Exit {
        self.0.wait().await.map_or(Exit::Unknown, exit)
    }
}

fn exit(status: ExitStatus) -> Exit {
    match (status.signal(), status.code()) {
        (Some(signal), _) => Exit::Signal(signal),
        (None, Some(code)) => Exit::Code(code),
        (None, None) => Exit::Unknown,
    }
}
