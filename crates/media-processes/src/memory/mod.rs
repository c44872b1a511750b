//! How much memory a media process may use, by control groups (cgroup v2) where this process may
//! make some. Elsewhere only the process itself limits what it uses.
//!
//! A service has control groups of its own with systemd's `Delegate=yes`, and a container where
//! `/sys/fs/cgroup` can be written to.

mod group;
mod own;

use std::{fs, io, path::Path};

pub use self::group::{Group, Groups};

use self::own::Mounted;

/// Why no control groups are made, in words for the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoGroups {
    /// The host has none, or not of version 2.
    #[error("this host has no control groups of version 2 (cgroup v2)")]
    None,
    /// They cannot limit memory.
    #[error("control groups cannot limit memory here: {0} does not name the controller")]
    NoMemory(String),
    /// They are not this process's to change.
    #[error("the control group {0} is not delegated to this process (systemd: Delegate=yes)")]
    NotDelegated(String),
    /// They could not be made.
    #[error("control groups cannot be made in {folder}: {error}")]
    Failed {
        /// Where.
        folder: String,
        /// Why.
        error: io::Error,
    },
}

impl Groups {
    /// As [`prepare`](Self::prepare), to be called once at the start: why there are none is logged.
    pub fn find(bytes: u64) -> Option<Self> {
        match Self::prepare(bytes) {
            Ok(groups) => Some(groups),
            Err(why) => {
                tracing::info!("media processes limit their memory only themselves: {why}");
                None
            }
        }
    }

    /// Makes ready for groups that may each use so many bytes of memory. This process moves into one
    /// of its own beside them.
    ///
    /// # Errors
    /// When that is not possible; then nothing has changed.
    pub fn prepare(bytes: u64) -> Result<Self, NoGroups> {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let mounted = Mounted::find(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"));
        let mounted = mounted.ok_or(NoGroups::None)?;
        let folder = mounted.folder();
        if !mounted.is_root() && !is_delegated(&folder) {
            return Err(NoGroups::NotDelegated(folder.display().to_string()));
        }
        Self::in_folder(&folder, bytes)
    }
}

/// Whether whoever manages the host has given this group away: systemd marks it, and gives it to the
/// user of a service that is not root's.
fn is_delegated(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    // SAFETY: it only reads this process's user.
    let user = unsafe { libc::geteuid() };
    let is_ours = fs::metadata(folder).is_ok_and(|metadata| metadata.uid() == user);
    is_ours && (user != 0 || is_marked(folder))
}

fn is_marked(folder: &Path) -> bool {
    use std::{ffi::CString, os::unix::ffi::OsStrExt};
    let Ok(path) = CString::new(folder.as_os_str().as_bytes()) else { return false };
    [c"trusted.delegate", c"user.delegate"].iter().any(|name| {
        let mut value = [0_u8; 8];
        // SAFETY: path and name are texts, and the value is as long as is said.
        let length = unsafe {
            libc::getxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len())
        };
        length == 1 && value[0] == b'1'
    })
}
