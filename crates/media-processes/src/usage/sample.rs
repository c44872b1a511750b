use std::{fs, time::Duration};

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
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let memory = fs::read_to_string(format!("/proc/{id}/statm")).ok()?;
        // SAFETY: sysconf has no preconditions; it refuses by returning -1.
        let (ticks, page) =
            unsafe { (libc::sysconf(libc::_SC_CLK_TCK), libc::sysconf(libc::_SC_PAGESIZE)) };
        Self::parse(&stat, &memory, u64::try_from(ticks).ok()?, u64::try_from(page).ok()?)
    }

    /// Reads the texts of `/proc/PID/stat` and `/proc/PID/statm` (proc_pid_stat(5)).
    fn parse(stat: &str, memory: &str, ticks_per_second: u64, page: u64) -> Option<Self> {
        // The name before it may contain anything, brackets too.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let time = |ticks: u64| {
            let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(ticks_per_second.max(1));
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        };
        let mut pages = memory.split_whitespace().skip(1).map(str::parse::<u64>);
        let mut bytes = || Some(pages.next()?.ok()?.saturating_mul(page));
        Some(Self {
            parent: number(4)?.try_into().ok()?,
            cpu: time(number(14)?.checked_add(number(15)?)?),
            waited_for: time(number(16)?.checked_add(number(17)?)?),
            threads: number(20)?,
            resident: bytes()?,
            shared: bytes()?,
        })
    }

    /// Bytes of memory that are in no file. It may have them in common with whoever forked it.
    pub(crate) fn own_memory(&self) -> u64 {
        self.resident.saturating_sub(self.shared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_stat_are_found_behind_any_name() {
        let stat = "42 (a) b (c)) S 7 2 3 4 5 6 7 8 9 10 150 50 30 20 20 0 9 0 100 4096 25 1 2";
        let expected = Sample {
            parent: 7,
            cpu: Duration::from_secs(2),
            waited_for: Duration::from_millis(500),
            resident: 25 << 12,
            shared: 15 << 12,
            threads: 9,
        };
        let memory = "1000 25 15 1 0 100 0\n";
        assert_eq!(Sample::parse(stat, memory, 100, 4096), Some(expected));
        assert_eq!(expected.own_memory(), 10 << 12);
        for (stat, memory) in [("42 (a) S 1", memory), ("", memory), (stat, "1000 25"), (stat, "")]
        {
            assert_eq!(Sample::parse(stat, memory, 100, 4096), None, "{stat:?} {memory:?}");
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
