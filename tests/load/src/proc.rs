//! What `/proc` says of one process.

use std::{
    collections::{HashMap, HashSet},
    fs,
};

use live_vlm_process_stat::Stat;

use crate::Failure;

/// Whether it has a UDP socket: a media process with somebody's video in it has some.
pub(crate) fn has_udp_socket(pid: u32) -> bool {
    let tables = ["udp", "udp6"]
        .map(|table| fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default());
    let inodes = tables.iter().flat_map(|table| table.lines());
    let sockets: HashSet<String> = inodes
        .filter_map(|line| Some(format!("socket:[{}]", line.split_whitespace().nth(9)?)))
        .collect();
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let mut targets = files.filter_map(|file| fs::read_link(file.path()).ok());
    targets.any(|target| target.to_str().is_some_and(|target| sockets.contains(target)))
}

/// A process and its descendants, each behind its parent.
pub(crate) fn family(pid: u32) -> Result<Vec<u32>, Failure> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(child) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // It may have ended by now.
        if let Ok(stat) = Stat::read(child) {
            children.entry(stat.parent).or_default().push(child);
        }
    }
    Ok(with_descendants(pid, children))
}

fn with_descendants(pid: u32, mut children: HashMap<u32, Vec<u32>>) -> Vec<u32> {
    let (mut family, mut next) = (vec![pid], 0);
    while let Some(parent) = family.get(next) {
        // A parent that is taken out comes once, whatever the kernel said while processes ended.
        let more = children.remove(parent).unwrap_or_default();
        family.extend(more);
        next += 1;
    }
    family
}

/// The memory of processes that one has forked, and of others.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Bytes that are in no file. A page that several have counts in parts.
    own: u64,
    /// Of each part of a file, the most that one process has in memory.
    mapped: HashMap<String, u64>,
}

impl Memory {
    /// Adds a process's. Where it may not be looked into, all its resident memory counts as its own.
    pub(crate) fn add(&mut self, pid: u32) -> Result<(), Failure> {
        let read = |of| fs::read_to_string(format!("/proc/{pid}/{of}"));
        let own = read("smaps_rollup").ok().and_then(|text| kilobytes(&text, "Pss_Anon:"));
        if let (Some(own), Ok(mappings)) = (own, read("smaps")) {
            self.own += own;
            self.add_mapped(&mappings);
            return Ok(());
        }
        // A process that has ended and was not waited for has none.
        self.own += kilobytes(&read("status")?, "VmRSS:").unwrap_or(0);
        Ok(())
    }

    /// Bytes of all of them together.
    pub(crate) fn bytes(&self) -> u64 {
        self.own + self.mapped()
    }

    /// Of those, what is in files.
    pub(crate) fn mapped(&self) -> u64 {
        self.mapped.values().sum()
    }

    /// Takes the text of `/proc/PID/smaps` (proc_pid_smaps(5)).
    fn add_mapped(&mut self, mappings: &str) {
        let (mut part, mut resident) = (None, 0);
        for line in mappings.lines() {
            if let Some(bytes) = kilobytes(line, "Rss:") {
                resident = bytes;
            } else if let Some(anonymous) = kilobytes(line, "Anonymous:") {
                if let Some(part) = part.take() {
                    let most = self.mapped.entry(part).or_default();
                    *most = resident.saturating_sub(anonymous).max(*most);
                }
            } else if let Some(begun) = mapped_part(line) {
                part = Some(begun);
            }
        }
    }
}

/// Which part of which file a mapping shows, if this line begins one of a file: offset, device and
/// inode.
fn mapped_part(line: &str) -> Option<String> {
    let mut fields = line.split_whitespace();
    let (addresses, _) = (fields.next()?, fields.next()?);
    let [offset, device, inode] = [fields.next()?, fields.next()?, fields.next()?];
    let is_file = addresses.contains('-') && inode != "0";
    is_file.then(|| format!("{offset} {device} {inode}"))
}

/// The bytes in the line that begins with this.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// How many files it has open; none where that may not be seen.
pub(crate) fn files(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_all_descendants_and_nobody_else() {
        let children = [(1, vec![10, 20]), (10, vec![11]), (11, vec![12, 13]), (20, vec![21])];
        assert_eq!(with_descendants(10, children.clone().into()), [10, 11, 12, 13]);
        assert_eq!(with_descendants(21, children.into()), [21]);
        assert_eq!(with_descendants(1, [(1, vec![2]), (2, vec![1])].into()), [1, 2, 1]);
    }

    /// A mapping as `/proc/PID/smaps` has it.
    fn mapping(offset: u32, inode: u32, resident: u32, anonymous: u32) -> String {
        format!(
            "7f00-7f09 r--p {offset:08x} fe:00 {inode}       /usr/lib/x.so (deleted)\n\
             Size:    36 kB\nRss:  {resident} kB\nPss:  1 kB\nReferenced: 9 kB\n\
             Anonymous:  {anonymous} kB\nVmFlags: rd mr mw me\n"
        )
    }

    #[test]
    fn what_several_have_of_a_file_counts_once_and_what_is_in_no_file_not_at_all() {
        let mut memory = Memory::default();
        let heap = "7f10-7f19 rw-p 00000000 00:00 0     [heap]\nRss: 50 kB\nAnonymous: 50 kB\n";
        memory.add_mapped(&(mapping(0, 7, 8, 0) + &mapping(4096, 7, 10, 4) + heap));
        assert_eq!(memory.bytes(), (8 + 6) << 10);
        memory.add_mapped(&(mapping(0, 7, 9, 0) + &mapping(4096, 7, 5, 0) + &mapping(0, 8, 3, 0)));
        assert_eq!(memory.bytes(), (9 + 6 + 3) << 10);
    }

    #[test]
    fn one_process_has_all_its_resident_memory() {
        let this = std::process::id();
        // What looking itself needs is there the second time.
        Memory::default().add(this).unwrap();
        let mut memory = Memory::default();
        memory.add(this).unwrap();
        // That of /proc/PID/status is not exact.
        let rollup = fs::read_to_string(format!("/proc/{this}/smaps_rollup")).unwrap();
        let resident = kilobytes(&rollup, "Rss:").unwrap() as f64;
        let difference = (memory.bytes() as f64 - resident).abs();
        assert!(difference < 0.1 * resident, "{} {resident}", memory.bytes());
    }

    #[test]
    fn memory_is_read_in_kilobytes() {
        let text = "55d-7ff ---p 00000000 00:00 0    [rollup]\nRss:    900 kB\nPss:     12 kB\n";
        assert_eq!(kilobytes(text, "Pss:"), Some(12 << 10));
        assert_eq!(kilobytes("Pss: many kB\n", "Pss:"), None);
        assert_eq!(kilobytes(text, "VmRSS:"), None);
    }
}
