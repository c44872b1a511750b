//! Whether this process can fork.

use std::{fs, io};

use crate::ServeError;

/// Refuses what a fork would be without, or would share.
pub(crate) fn check() -> Result<(), ServeError> {
    let threads = threads()?;
    if threads.len() > 1 {
        return Err(ServeError::Threads(threads[1..].join(", ")));
    }
    match shared_memory(&fs::read_to_string("/proc/self/maps")?) {
        Some(what) => Err(ServeError::SharedMemory(what.to_owned())),
        None => Ok(()),
    }
}

/// The names of this process's threads.
fn threads() -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for thread in fs::read_dir("/proc/self/task")? {
        let name = fs::read_to_string(thread?.path().join("comm")).unwrap_or_default();
        names.push(name.trim_end().to_owned());
    }
    Ok(names)
}

/// The first writable memory in the text of `/proc/PID/maps` that a fork shares.
fn shared_memory(maps: &str) -> Option<&str> {
    maps.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let rights = words.nth(1)?;
        let is_shared = rights.ends_with('s') && rights.contains('w');
        is_shared.then(|| words.nth(3).unwrap_or("without a name"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_forks_share_is_found() {
        let private = "7f00-7f01 rw-p 00000000 00:00 0 \n7f01-7f02 r-xp 0 08:01 9  /usr/lib/a.so\n";
        let read_only = "7f02-7f03 r--s 00000000 08:01 10    /usr/share/locale\n";
        let shared = "7f03-7f04 rw-s 00000000 08:01 11    /tmp/orcexec.AbCdEf (deleted)\n";
        assert_eq!(shared_memory(&[private, read_only].concat()), None);
        let found = [private, read_only, shared].concat();
        assert_eq!(shared_memory(&found), Some("/tmp/orcexec.AbCdEf"));
        assert_eq!(shared_memory("7f-80 rw-s 0 00:01 4"), Some("without a name"));
    }
}
