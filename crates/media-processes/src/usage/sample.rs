use std::{fs, time::Duration};

use live_vlm_process_stat::{Stat, page_size};

/// What the kernel says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) parent: u32,
    /// CPU time of itself.
    pub(crate) cpu: Duration,
    /// CPU time of the children that it has waited for, and of theirs.
    pub(crate) waited_for: Duration,
    /// Bytes of physical memory.
    pub(crate) resident: u64,
    /// Of that, what is in files too, such as libraries.
    pub(crate) shared: u64,
    pub(crate) threads: u64,
}

impl Sample {
    /// Reads `/proc`; `None` when there is no such process, or no `/proc`.
    pub(crate) fn read(id: u32) -> Option<Self> {
        let Stat { parent, cpu, waited_for, threads, .. } = Stat::read(id).ok()?;
        let (resident, shared) = memory(&fs::read_to_string(format!("/proc/{id}/statm")).ok()?)?;
        Some(Self { parent, cpu, waited_for, resident, shared, threads })
    }

    /// Bytes of memory that are in no file. It may have them in common with whoever forked it.
    pub(crate) fn own_memory(&self) -> u64 {
        self.resident.saturating_sub(self.shared)
    }
}

/// Bytes that are resident, and how many of them are shared, in the text of `/proc/PID/statm`
/// (proc_pid_statm(5)).
fn memory(statm: &str) -> Option<(u64, u64)> {
    let mut pages = statm.split_whitespace().skip(1).map(str::parse::<u64>);
    let mut bytes = || Some(pages.next()?.ok()?.saturating_mul(page_size()));
    Some((bytes()?, bytes()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_in_pages() {
        let page = page_size();
        assert_eq!(memory("1000 25 15 1 0 100 0\n"), Some((25 * page, 15 * page)));
        for statm in ["", "1000 25", "1000 25 many"] {
            assert_eq!(memory(statm), None, "{statm:?}");
        }
    }

    #[test]
    fn a_process_reads_itself() {
        let read = Sample::read(std::process::id()).unwrap();
        assert!(read.resident > read.shared && read.shared > 0 && read.threads > 0, "{read:?}");
        assert_eq!(read.parent, std::os::unix::process::parent_id());
        assert_eq!(Sample::read(u32::MAX), None);
    }
}
