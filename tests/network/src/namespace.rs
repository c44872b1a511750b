//! A network namespace (network_namespaces(7)) that has no name, so that it ends by itself.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    os::fd::{AsFd, AsRawFd},
    panic,
    path::Path,
    process::{self, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    process::{Signal, set_parent_process_death_signal},
    thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe},
};
use tokio::process::Command;

use crate::tun;

/// How long processes may take to be gone once they are killed.
const GONE: Duration = Duration::from_secs(3);
const INTERFACE: &str = "eth0";

/// A network namespace. It is there for as long as this or a process in it is.
#[derive(Debug)]
pub struct Namespace {
    held: File,
}

impl Namespace {
    /// A namespace with a loopback interface, which is up.
    ///
    /// # Errors
    /// When this process may not make one, or there is no `ip`.
    pub fn new() -> io::Result<Self> {
        let held = on_thread(|| {
            // SAFETY: a new network leaves this process' files and memory as they are.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?;
            File::open("/proc/thread-self/ns/net")
        })?;
        let namespace = Self { held };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Runs this in the namespace, on a thread of its own. A socket that is opened there stays
    /// there.
    ///
    /// # Errors
    /// When this process may not enter it.
    ///
    /// # Panics
    /// When `job` does.
    pub fn run<T: Send>(&self, job: impl FnOnce() -> T + Send) -> io::Result<T> {
        on_thread(|| {
            move_into_link_name_space(self.held.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(job())
        })
    }

    /// A command that starts a program in the namespace. When the thread that has started it ends,
    /// even without a word, the program is sent `signal`.
    ///
    /// # Errors
    /// When this process may have no more files open.
    pub fn command(&self, program: impl AsRef<OsStr>, signal: Signal) -> io::Result<Command> {
        let held = self.held.try_clone()?;
        let prepare = move || {
            move_into_link_name_space(held.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(set_parent_process_death_signal(Some(signal))?)
        };
        let mut command = Command::new(program);
        // SAFETY: between fork and exec it makes two system calls and nothing else.
        unsafe { command.pre_exec(prepare) };
        Ok(command)
    }

    /// Where other programs find it, for as long as this process has it.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.held.as_raw_fd())
    }

    /// Runs `ip` (iproute2) in it with these arguments, which have blanks between them.
    ///
    /// # Errors
    /// When it is not there, or what it says.
    pub fn ip(&self, arguments: &str) -> io::Result<()> {
        let mut command = process::Command::new("ip");
        command.args(arguments.split_whitespace()).stdin(Stdio::null());
        let done = self.run(move || command.output())?;
        let done = done.map_err(|error| io::Error::new(error.kind(), format!("ip: {error}")))?;
        if done.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stderr);
        Err(io::Error::other(format!("ip {arguments}: {}", said.trim())))
    }

    /// Kills every process in it, and waits until they are gone.
    pub(crate) fn clear(&self) {
        let until = Instant::now() + GONE;
        loop {
            let processes = self.processes();
            if processes.is_empty() || Instant::now() > until {
                return;
            }
            // One that has ended meanwhile is an error to kill.
            let _ = process::Command::new("kill").arg("-KILL").args(&processes).output();
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Makes the interface `eth0`; gives its other end.
    pub(crate) fn interface(&self) -> io::Result<File> {
        self.run(|| tun::open(INTERFACE))?
    }

    /// The processes in it.
    fn processes(&self) -> Vec<String> {
        let Ok(id) = fs::read_link(self.path()) else { return Vec::new() };
        let is_in = |folder: &Path| fs::read_link(folder.join("ns/net")).is_ok_and(|ns| ns == id);
        let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
        folders
            .filter(|folder| is_in(&folder.path()))
            .filter_map(|folder| folder.file_name().into_string().ok())
            // Not this process under its other names.
            .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
            .collect()
    }
}

/// Runs what changes its thread on one of its own.
fn on_thread<T: Send>(job: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    match thread::scope(|scope| scope.spawn(job).join()) {
        Ok(done) => done,
        Err(panicked) => panic::resume_unwind(panicked),
    }
}
