//! One control group for each media process.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
};

use super::NoGroups;
use crate::placement::ProcessNumber;

/// The group of live-vlm itself: a group with groups in it must have no processes.
const OWN: &str = "live-vlm";
/// No group can be written to after a name that this is not the beginning of.
const OF_MEDIA: &str = "media-";

/// Where groups are made, and how much memory each may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    folder: PathBuf,
    bytes: u64,
}

/// A group with one media process in it. It is taken away when this is dropped, which needs the
/// process to have ended.
#[derive(Debug)]
pub struct Group {
    folder: PathBuf,
}

impl Groups {
    pub(super) fn in_folder(folder: &Path, bytes: u64) -> Result<Self, NoGroups> {
        let controllers = folder.join("cgroup.controllers");
        let named = fs::read_to_string(&controllers).unwrap_or_default();
        if !named.split_whitespace().any(|name| name == "memory") {
            return Err(NoGroups::NoMemory(controllers.display().to_string()));
        }
        let groups = Self { folder: folder.to_owned(), bytes };
        groups
            .make_ready()
            .map_err(|error| NoGroups::Failed { folder: folder.display().to_string(), error })?;
        Ok(groups)
    }

    fn make_ready(&self) -> io::Result<()> {
        let own = self.folder.join(OWN);
        fs::create_dir(&own).or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Ok(()),
            _ => Err(error),
        })?;
        self.forget_earlier();
        let this = process::id().to_string();
        let ready = fs::write(own.join("cgroup.procs"), &this)
            .and_then(|()| fs::write(self.folder.join("cgroup.subtree_control"), "+memory"));
        if ready.is_err() {
            // Back to where it was.
            let _ = fs::write(self.folder.join("cgroup.procs"), &this);
            let _ = fs::remove_dir(&own);
        }
        ready
    }

    /// Takes away what one that was killed has left. A group with processes in it stays.
    fn forget_earlier(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(OF_MEDIA) {
                let _ = fs::remove_dir(entry.path());
            }
        }
    }

    /// Puts a process into a group of its own.
    ///
    /// # Errors
    /// When the group cannot be made; then it is not there.
    pub fn add(&self, number: ProcessNumber, id: u32) -> io::Result<Group> {
        let group = Group { folder: self.folder.join(format!("{OF_MEDIA}{number}")) };
        fs::create_dir(&group.folder)?;
        group.write("memory.max", &self.bytes.to_string())?;
        // Without swap there is nothing to keep it out of.
        let _ = group.write("memory.swap.max", "0");
        group.write("cgroup.procs", &id.to_string())?;
        Ok(group)
    }
}

impl Group {
    fn write(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.folder.join(file), value)
    }

    /// Whether the kernel ended its process because it used too much memory.
    pub fn was_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.folder.join("memory.events")).unwrap_or_default();
        events
            .lines()
            .any(|line| line.strip_prefix("oom_kill ").is_some_and(|count| count.trim() != "0"))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.folder) {
            tracing::debug!(folder = %self.folder.display(), %error, "a control group stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks as a group's does. The kernel's files are written to, not made, and take
    /// themselves away with their folder.
    fn folder(controllers: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cgroup.controllers"), controllers).unwrap();
        folder
    }

    fn read(folder: &Path, file: &str) -> String {
        fs::read_to_string(folder.join(file)).unwrap()
    }

    #[test]
    fn a_process_gets_a_group_with_a_limit_and_this_one_moves_aside() {
        let folder = folder("cpu io memory pids\n");
        let groups = Groups::in_folder(folder.path(), 512 << 20).unwrap();
        assert_eq!(read(folder.path(), "cgroup.subtree_control"), "+memory");
        let this = process::id().to_string();
        assert_eq!(read(folder.path(), "live-vlm/cgroup.procs"), this);
        let group = groups.add(ProcessNumber(7), 4711).unwrap();
        assert_eq!(read(folder.path(), "media-7/memory.max"), "536870912");
        assert_eq!(read(folder.path(), "media-7/memory.swap.max"), "0");
        assert_eq!(read(folder.path(), "media-7/cgroup.procs"), "4711");
        drop(group);
    }

    #[test]
    fn without_the_memory_controller_there_are_no_groups() {
        let folder = folder("cpu io memory2\n");
        let error = Groups::in_folder(folder.path(), 1).unwrap_err();
        assert!(
            error.to_string().starts_with("control groups cannot limit memory here"),
            "{error}"
        );
        assert!(!folder.path().join("live-vlm").exists());
    }

    #[test]
    fn what_cannot_be_made_ready_is_left_as_it_was() {
        let folder = folder("memory\n");
        // Nothing can be written to a folder.
        fs::create_dir(folder.path().join("cgroup.subtree_control")).unwrap();
        let error = Groups::in_folder(folder.path(), 1).unwrap_err();
        assert!(matches!(error, NoGroups::Failed { .. }), "{error}");
        assert_eq!(read(folder.path(), "cgroup.procs"), process::id().to_string());
    }

    #[test]
    fn groups_of_one_that_was_killed_are_taken_away() {
        let folder = folder("memory\n");
        for name in ["media-1", "media-2", "other"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Groups::in_folder(folder.path(), 1).unwrap();
        let left = ["media-1", "media-2", "other"].map(|name| folder.path().join(name).exists());
        assert_eq!(left, [false, false, true]);
    }

    #[test]
    fn it_is_known_whether_a_process_ran_out_of_memory() {
        let folder = folder("memory\n");
        let groups = Groups::in_folder(folder.path(), 1).unwrap();
        let group = groups.add(ProcessNumber(1), 1).unwrap();
        let events = |text| fs::write(folder.path().join("media-1/memory.events"), text).unwrap();
        assert!(!group.was_out_of_memory());
        events("low 0\noom 3\noom_kill 0\noom_group_kill 0\n");
        assert!(!group.was_out_of_memory());
        events("low 0\noom 3\noom_kill 1\noom_group_kill 0\n");
        assert!(group.was_out_of_memory());
    }
}
