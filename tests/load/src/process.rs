//! What Linux says of a process.

use std::{fs, time::Duration};

use serde_json::{Value, json};

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

/// What each of some sessions takes of the process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PerSession {
    /// Of a core.
    pub(crate) cpu: f64,
    pub(crate) memory_mb: f64,
    pub(crate) threads: f64,
    pub(crate) files: f64,
}

impl PerSession {
    /// From looks without sessions, and with them before and after some time.
    pub(crate) fn of(
        empty: &Look,
        before: &Look,
        after: &Look,
        took: Duration,
        sessions: usize,
    ) -> Self {
        let sessions = sessions.max(1) as f64;
        let more = |now: usize, then: usize| now.saturating_sub(then) as f64 / sessions;
        Self {
            cpu: after.cpu.saturating_sub(before.cpu).as_secs_f64() / took.as_secs_f64() / sessions,
            memory_mb: megabytes(after.memory.saturating_sub(empty.memory)) / sessions,
            threads: more(after.threads, empty.threads),
            files: more(after.files, empty.files),
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "cpu": self.cpu,
            "memory_mb": self.memory_mb,
            "threads": self.threads,
            "files": self.files,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_sees_itself() {
        let look = look(std::process::id()).unwrap();
        assert!(look.memory > 100_000 && look.threads > 0 && look.files > 0, "{look:?}");
    }

    #[test]
    fn what_sessions_take_is_shared_among_them() {
        let look = |cpu_ms, memory, threads, files| Look {
            cpu: Duration::from_millis(cpu_ms),
            memory,
            threads,
            files,
        };
        let (empty, before) = (look(0, 50_000_000, 4, 10), look(500, 0, 0, 0));
        let after = look(1500, 58_000_000, 36, 50);
        let each = PerSession::of(&empty, &before, &after, Duration::from_secs(10), 4);
        assert_eq!((each.cpu, each.memory_mb, each.threads, each.files), (0.025, 2.0, 8.0, 10.0));
    }
}
