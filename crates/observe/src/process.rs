//! What the kernel says of this process and of the memory that it may use.

use std::{fs, path::Path};

use live_vlm_process_stat::Stat;

/// What the process uses.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Process {
    /// Seconds of CPU time, in user and system mode together.
    pub cpu_seconds: f64,
    /// Bytes of physical memory.
    pub resident: u64,
    /// Threads.
    pub threads: u64,
    /// Open file descriptors.
    pub open_fds: u64,
}

/// The memory that the process may use, in bytes: the host's or its control group's (v2),
/// whichever is less.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// All there is.
    pub total: u64,
    /// What is left.
    pub available: u64,
}

impl Process {
    /// Reads `/proc/self`; `None` where there is none.
    pub fn read() -> Option<Self> {
        let stat = Stat::read(std::process::id()).ok()?;
        let open_fds = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count) as u64;
        Some(Self {
            cpu_seconds: stat.cpu.as_secs_f64(),
            resident: stat.resident,
            threads: stat.threads,
            // Reading the folder is a descriptor of its own.
            open_fds: open_fds.saturating_sub(1),
        })
    }
}

impl Memory {
    /// Reads `/proc/meminfo` and the control group; `None` where there is neither.
    pub fn read() -> Option<Self> {
        let host = Self::of_host(&fs::read_to_string("/proc/meminfo").ok()?)?;
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let group = own_group(&groups).unwrap_or_default();
        let group = Self::of_group(&Path::new("/sys/fs/cgroup").join(group));
        Some(group.map_or(host, |group| Self {
            total: host.total.min(group.total),
            available: host.available.min(group.available),
        }))
    }

    fn of_host(meminfo: &str) -> Option<Self> {
        let kilobytes = |name: &str| {
            let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        Some(Self {
            total: kilobytes("MemTotal:")? << 10,
            available: kilobytes("MemAvailable:")? << 10,
        })
    }

    /// The limit of the control group in this folder, if it has one. Its file cache is as good as
    /// free.
    fn of_group(folder: &Path) -> Option<Self> {
        let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
        let total: u64 = read("memory.max")?.trim().parse().ok()?;
        let used: u64 = read("memory.current")?.trim().parse().ok()?;
        let stat = read("memory.stat").unwrap_or_default();
        let cache = stat.lines().find_map(|line| line.strip_prefix("inactive_file "));
        let cache: u64 = cache.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or_default();
        Some(Self { total, available: total.saturating_sub(used.saturating_sub(cache)) })
    }
}

/// The path of the own control group (v2) in `/proc/self/cgroup`, relative to its mount.
fn own_group(groups: &str) -> Option<&str> {
    groups.lines().find_map(|line| line.strip_prefix("0::/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_threads_memory_and_files() {
        let read = Process::read().unwrap();
        assert!(read.resident > 1 << 20 && read.threads > 0 && read.open_fds > 2, "{read:?}");
        let memory = Memory::read().unwrap();
        assert!(memory.available > 0 && memory.available <= memory.total, "{memory:?}");
    }

    #[test]
    fn memory_of_the_host_is_read_in_kilobytes() {
        let text = "MemTotal:       16000 kB\nMemFree: 1 kB\nMemAvailable:    4000 kB\n";
        let expected = Memory { total: 16_384_000, available: 4_096_000 };
        assert_eq!(Memory::of_host(text), Some(expected));
        assert_eq!(Memory::of_host("MemTotal: many"), None);
    }

    #[test]
    fn a_groups_cache_counts_as_free() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("memory.max", "1000\n");
        write("memory.current", "900\n");
        assert_eq!(Memory::of_group(folder.path()).unwrap().available, 100);
        write("memory.stat", "anon 300\ninactive_file 600\n");
        assert_eq!(Memory::of_group(folder.path()).unwrap().available, 700);
        write("memory.max", "max\n");
        assert_eq!(Memory::of_group(folder.path()), None);
    }

    #[test]
    fn the_own_group_is_that_of_version_2() {
        assert_eq!(own_group("4:memory:/a\n0::/b/c\n"), Some("b/c"));
        assert_eq!(own_group("4:memory:/a\n"), None);
    }
}
