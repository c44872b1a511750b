use std::{fs, path::PathBuf};

use crate::{Limits, Mode, Report, SandboxError, Wall, calls, files, privileges};

/// A sandbox that is to be applied to this process.
#[derive(Debug, Clone)]
#[must_use = "a sandbox protects nothing before it is applied"]
pub struct Sandbox {
    mode: Mode,
    limits: Limits,
    read: Vec<PathBuf>,
    devices: Vec<PathBuf>,
}

impl Sandbox {
    /// With the default limits, and no files or devices beside the kernel's random numbers.
    pub fn new(mode: Mode) -> Self {
        Self { mode, limits: Limits::default(), read: Vec::new(), devices: Vec::new() }
    }

    /// With other limits.
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// With these files and folders, to read. Those that do not exist are passed over. Default:
    /// none.
    pub fn read(self, read: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { read: read.into_iter().collect(), ..self }
    }

    /// With these devices of a hardware decoder, or folders of such, to read, write and control. Their
    /// drivers map memory that they share with the device, load libraries and make code, so the
    /// process may do that and read the folders of libraries, and it stays root where it is root.
    /// Default: none.
    pub fn devices(self, devices: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { devices: devices.into_iter().collect(), ..self }
    }

    /// Applies it to this process, for good.
    ///
    /// # Errors
    /// When the process has more than one thread, or, if [`Mode::Strict`], when a wall is lacking.
    /// The process may be in part of the sandbox then and should end.
    pub fn apply(self) -> Result<Report, SandboxError> {
        let mut report = Report::default();
        if self.mode == Mode::Off {
            return Ok(report);
        }
        match threads() {
            Some(1) | None => {}
            Some(more) => return Err(SandboxError::Threads(more)),
        }
        let devices = !self.devices.is_empty();
        report.add(Wall::Limits, self.limits.apply(devices));
        // Devices belong to root or to a group that nobody is in.
        if privileges::is_root() && !devices {
            report.add(Wall::User, privileges::leave_root());
        }
        report.add(Wall::Privileges, privileges::drop_all());
        report.add(Wall::Files, files::restrict(&self.devices, &self.read));
        report.add(Wall::SystemCalls, calls::restrict(devices));
        if self.mode == Mode::Strict && !report.lacking.is_empty() {
            return Err(SandboxError::Lacking(report));
        }
        Ok(report)
    }
}

/// How many threads this process has, where /proc is there to tell.
fn threads() -> Option<usize> {
    fs::read_dir("/proc/self/task").ok().map(Iterator::count)
}
