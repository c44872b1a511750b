//! What Linux says of a process.

use std::{fs, time::Duration};

use crate::Failure;

/// The kernel's USER_HZ, which is 100 on every architecture that Debian runs on.
const TICKS: u64 = 100;

/// A look at a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// User and system time since it began.
    pub(crate) cpu: Duration,
    /// Resident memory in bytes.
    pub(crate) memory: u64,
    pub(crate) threads: usize,
    pub(crate) files: usize,
}

pub(crate) fn look(pid: u32) -> Result<Look, Failure> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the name in brackets, which may have blanks in it.
    let fields: Vec<&str> =
        stat.rsplit_once(')').ok_or("/proc/PID/stat has no name")?.1.split_whitespace().collect();
    let field = |at: usize| -> Result<u64, Failure> {
        Ok(fields.get(at - 3).ok_or("/proc/PID/stat is too short")?.parse()?)
    };
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .ok_or("/proc/PID/status has no VmRSS")?;
    Ok(Look {
        cpu: Duration::from_millis((field(14)? + field(15)?) * 1000 / TICKS),
        memory: resident.trim().parse::<u64>()? * 1024,
        threads: fs::read_dir(format!("/proc/{pid}/task"))?.count(),
        files: fs::read_dir(format!("/proc/{pid}/fd"))?.count(),
    })
}

pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
