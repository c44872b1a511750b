//! What a server takes: all its processes together.

use std::time::{Duration, Instant};

use live_vlm_process_stat::Stat;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    Failure,
    proc::{self, Memory},
};

/// The longest that an empty media process may be there: it is kept for 10 s, and has 2 s to end.
const KEPT: Duration = Duration::from_secs(15);

/// A look at a process and all its descendants: a server and its media processes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// How many they are.
    pub(crate) processes: usize,
    /// User and system time since they began, with that of those that have ended.
    pub(crate) cpu: Duration,
    /// Physical memory in bytes. What several of them have counts once.
    pub(crate) memory: u64,
    /// Of that, what is in files too: mostly libraries. Where it may not be seen, none.
    pub(crate) mapped: u64,
    pub(crate) threads: usize,
    pub(crate) files: usize,
}

pub(crate) fn look(pid: u32) -> Result<Look, Failure> {
    let mut all =
        Look { processes: 0, cpu: Duration::ZERO, memory: 0, mapped: 0, threads: 0, files: 0 };
    let mut memory = Memory::default();
    for one in proc::family(pid)? {
        let stat = match (Stat::read(one), memory.add(one)) {
            (Ok(stat), Ok(())) => stat,
            // It has ended meanwhile.
            _ if one != pid => continue,
            (stat, added) => {
                added?;
                stat?
            }
        };
        all.processes += 1;
        all.cpu += stat.cpu + stat.waited_for;
        all.threads += usize::try_from(stat.threads)?;
        all.files += proc::files(one);
    }
    Ok(Look { memory: memory.bytes(), mapped: memory.mapped(), ..all })
}

/// Looks until there are no more than so many processes, or for as long as that may take: an empty
/// media process is kept for a while.
pub(crate) async fn without_more(
    processes: usize,
    look: impl Fn() -> Result<Look, Failure>,
) -> Result<Look, Failure> {
    let until = Instant::now() + KEPT;
    loop {
        let now = look()?;
        if now.processes <= processes || Instant::now() >= until {
            return Ok(now);
        }
        sleep(Duration::from_millis(250)).await;
    }
}

/// User and system time of this process alone.
pub(crate) fn own_cpu() -> Result<Duration, Failure> {
    Ok(Stat::read(std::process::id())?.cpu)
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
    /// Of that, pages of libraries that are only used with sessions. More sessions use the same.
    pub(crate) mapped_mb: f64,
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
            mapped_mb: megabytes(after.mapped.saturating_sub(empty.mapped)) / sessions,
            threads: more(after.threads, empty.threads),
            files: more(after.files, empty.files),
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "cpu": self.cpu,
            "memory_mb": self.memory_mb,
            "mapped_mb": self.mapped_mb,
            "threads": self.threads,
            "files": self.files,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::process::Command;

    #[test]
    fn a_process_sees_itself_with_its_children() {
        let before = look(std::process::id()).unwrap();
        assert!(before.memory > 100_000 && before.threads > 0 && before.files > 0, "{before:?}");
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let during = look(std::process::id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(during.processes > before.processes, "{before:?} {during:?}");
        assert!(during.threads > before.threads && during.memory > before.memory, "{during:?}");
    }

    #[test]
    fn the_time_of_a_child_that_has_ended_stays_counted_and_is_not_the_processs_own() {
        let (before, own) = (look(std::process::id()).unwrap(), own_cpu().unwrap());
        let spin = "i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done";
        assert!(Command::new("sh").args(["-c", spin]).status().unwrap().success());
        let more = look(std::process::id()).unwrap().cpu.saturating_sub(before.cpu);
        let own = own_cpu().unwrap().saturating_sub(own);
        assert!(more >= own + Duration::from_millis(30), "{more:?}, itself {own:?}");
    }

    #[test]
    fn what_sessions_take_is_shared_among_them() {
        let look = |cpu_ms, memory, threads, files| Look {
            processes: 1,
            cpu: Duration::from_millis(cpu_ms),
            memory,
            mapped: memory / 10,
            threads,
            files,
        };
        let (empty, before) = (look(0, 50_000_000, 4, 10), look(500, 0, 0, 0));
        let after = look(1500, 58_000_000, 36, 50);
        let each = PerSession::of(&empty, &before, &after, Duration::from_secs(10), 4);
        assert_eq!((each.cpu, each.memory_mb, each.mapped_mb), (0.025, 2.0, 0.2));
        assert_eq!((each.threads, each.files), (8.0, 10.0));
    }
}
