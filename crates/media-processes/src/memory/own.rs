//! Where this process's control group is.

use std::path::{Path, PathBuf};

/// The file system of control groups, and this process's group in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mounted {
    at: PathBuf,
    own: String,
}

impl Mounted {
    /// As `/proc/self/mountinfo` and `/proc/self/cgroup` have it.
    pub(super) fn find(mounts: &str, groups: &str) -> Option<Self> {
        let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
        // What was outside of a container's view is not to be reached.
        if !own.starts_with('/') || own.split('/').any(|part| part == "..") {
            return None;
        }
        let at = mounts.lines().find_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            let is_second = after.split(' ').next() == Some("cgroup2");
            let mut fields = before.split(' ').skip(3);
            let (root, at) = (fields.next()?, fields.next()?);
            (is_second && root == "/").then(|| PathBuf::from(at))
        })?;
        Some(Self { at, own: own.to_owned() })
    }

    /// Whether it is the group that holds all others, as far as can be seen from here.
    pub(super) fn is_root(&self) -> bool {
        self.own == "/"
    }

    /// Its folder.
    pub(super) fn folder(&self) -> PathBuf {
        let own = Path::new(&self.own);
        self.at.join(own.strip_prefix("/").unwrap_or(own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: &str = "25 1 0:22 / /sys rw - sysfs sysfs rw\n\
        32 25 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
    const BOTH: &str = "30 25 0:25 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        31 25 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    fn folder(mounts: &str, groups: &str) -> Option<String> {
        Mounted::find(mounts, groups).map(|mounted| mounted.folder().display().to_string())
    }

    #[test]
    fn the_folder_of_the_own_group_is_found() {
        let service = "0::/system.slice/live-vlm.service\n";
        let expected = "/sys/fs/cgroup/system.slice/live-vlm.service";
        assert_eq!(folder(SECOND, service).as_deref(), Some(expected));
        let mixed = "4:memory:/other\n0::/a\n";
        assert_eq!(folder(BOTH, mixed).as_deref(), Some("/sys/fs/cgroup/unified/a"));
        assert!(Mounted::find(SECOND, "0::/\n").unwrap().is_root());
        assert!(!Mounted::find(SECOND, service).unwrap().is_root());
    }

    #[test]
    fn there_is_none_without_the_second_version_or_outside_of_what_can_be_seen() {
        assert_eq!(folder("", "0::/a\n"), None);
        assert_eq!(folder(SECOND, "4:memory:/a\n"), None);
        assert_eq!(folder(SECOND, "0::/../a\n"), None);
        let part = "32 25 0:27 /a /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        assert_eq!(folder(part, "0::/a\n"), None, "only a part of it is mounted");
    }
}
