//! Whether only those who may could have written a file that decides who comes in.
//!
//! It, its folder, and every link on the way belong to us or to root (or, where we are root, to
//! whom the folder belongs), and nobody else may write to them. Links are followed: a secret of
//! Kubernetes is one. In a folder that everybody may write to but that has the sticky bit, as such
//! a secret's has, nobody can take away what is another's. Folders above the folder are the
//! business of whoever made them.

use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

const ROOT: u32 = 0;
const WRITABLE_BY_OTHERS: u32 = 0o022;
const STICKY: u32 = 0o1000;
/// As many as Linux follows.
const MOST_LINKS: usize = 40;

/// Why a file is not believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Untrusted {
    /// Others can change it.
    #[error("{0}: others may write to it; run chmod go-w {0}", .path.display())]
    Open {
        /// Which file or folder.
        path: PathBuf,
    },
    /// It is another's.
    #[error(
        "{0}: it belongs to another user ({uid}), who could give themselves a key; if it is meant, \
         run chown {us} {0}", .path.display()
    )]
    Foreign {
        /// Which file, folder or link.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
        /// Whose it should be.
        us: u32,
    },
    /// It is a folder, a pipe or a device.
    #[error("{}: it is not a file; give --keys-file one", .path.display())]
    NoFile {
        /// Which.
        path: PathBuf,
    },
    /// It cannot be looked at.
    #[error("{}: {source}", .path.display())]
    Unknown {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Whose something is, and who may write to it.
#[derive(Debug, Clone, Copy)]
struct Access {
    uid: u32,
    mode: u32,
}

impl From<&Metadata> for Access {
    fn from(metadata: &Metadata) -> Self {
        Self { uid: metadata.uid(), mode: metadata.mode() }
    }
}

/// What is wrong with something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    Open,
    Foreign,
}

/// Whether a folder is one whose files only we, root or its owner can have put there.
fn check_folder(folder: Access, us: u32) -> Result<(), Flaw> {
    // Root is told whose folder to use, and works in it as its owner does.
    if us != ROOT && ![us, ROOT].contains(&folder.uid) {
        return Err(Flaw::Foreign);
    }
    let is_open = folder.mode & WRITABLE_BY_OTHERS != 0 && folder.mode & STICKY == 0;
    if is_open { Err(Flaw::Open) } else { Ok(()) }
}

/// Whether a file or link in such a folder is ours, root's or the folder's owner's.
fn check_owner(entry: Access, folder: Access, us: u32) -> Result<(), Flaw> {
    let is_trusted = [us, ROOT, folder.uid].contains(&entry.uid);
    if is_trusted { Ok(()) } else { Err(Flaw::Foreign) }
}

/// Checks a file that was opened by this path, and everything on the way to it.
///
/// # Errors
/// Says what is wrong, and how to mend it.
pub(super) fn check(path: &Path, file: &Metadata) -> Result<(), Untrusted> {
    let end = followed(path)?;
    if !file.is_file() {
        return Err(Untrusted::NoFile { path: end });
    }
    let folder = look(folder_of(&end), |path| fs::metadata(path))?;
    let access = Access::from(file);
    check_owner(access, folder, us()).map_err(|flaw| untrusted(&end, access, flaw))?;
    if access.mode & WRITABLE_BY_OTHERS == 0 {
        Ok(())
    } else {
        Err(untrusted(&end, access, Flaw::Open))
    }
}

/// Where the links at the end of a path lead, whether there is something or not. Checks them, and
/// the folders of each and of what is there.
///
/// # Errors
/// Says what is wrong, and how to mend it.
pub(super) fn followed(path: &Path) -> Result<PathBuf, Untrusted> {
    let us = us();
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let folder = look(folder_of(&path), |path| fs::metadata(path))?;
        check_folder(folder, us).map_err(|flaw| untrusted(folder_of(&path), folder, flaw))?;
        let Ok(target) = fs::read_link(&path) else { return Ok(path) };
        let link = look(&path, |path| fs::symlink_metadata(path))?;
        check_owner(link, folder, us).map_err(|flaw| untrusted(&path, link, flaw))?;
        path = folder_of(&path).join(target);
    }
    let source = io::Error::from_raw_os_error(libc::ELOOP);
    Err(Untrusted::Unknown { path, source })
}

/// The folder of a file.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn look(path: &Path, by: fn(&Path) -> io::Result<Metadata>) -> Result<Access, Untrusted> {
    match by(path) {
        Ok(metadata) => Ok((&metadata).into()),
        Err(source) => Err(Untrusted::Unknown { path: path.to_owned(), source }),
    }
}

fn untrusted(path: &Path, access: Access, flaw: Flaw) -> Untrusted {
    let path = path.to_owned();
    match flaw {
        Flaw::Open => Untrusted::Open { path },
        Flaw::Foreign => Untrusted::Foreign { path, uid: access.uid, us: us() },
    }
}

fn us() -> u32 {
    // SAFETY: geteuid has no preconditions and always succeeds.
    unsafe { libc::geteuid() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: u32 = 1000;
    const EVE: u32 = 1001;

    fn at(uid: u32, mode: u32) -> Access {
        Access { uid, mode }
    }

    #[test]
    fn a_folder_is_ours_or_roots_and_nobody_else_may_write_to_it() {
        for (folder, us, expected) in [
            (at(ADA, 0o700), ADA, Ok(())),
            (at(ADA, 0o755), ADA, Ok(())),
            (at(ROOT, 0o755), ADA, Ok(())),
            // As /tmp is, and a secret of Kubernetes.
            (at(ROOT, 0o1777), ADA, Ok(())),
            (at(ADA, 0o775), ADA, Err(Flaw::Open)),
            (at(ADA, 0o777), ADA, Err(Flaw::Open)),
            (at(ROOT, 0o2775), ADA, Err(Flaw::Open)),
            (at(EVE, 0o700), ADA, Err(Flaw::Foreign)),
            (at(EVE, 0o1777), ADA, Err(Flaw::Foreign)),
            // `sudo live-vlm keys add` for a service with a user of its own.
            (at(EVE, 0o750), ROOT, Ok(())),
            (at(EVE, 0o770), ROOT, Err(Flaw::Open)),
        ] {
            assert_eq!(check_folder(folder, us), expected, "{folder:?} for {us}");
        }
    }

    #[test]
    fn what_is_in_it_is_ours_roots_or_the_folders_owners() {
        let folder = |uid| at(uid, 0o755);
        for (entry, folder, us, expected) in [
            (ADA, folder(ADA), ADA, Ok(())),
            (ROOT, folder(ADA), ADA, Ok(())),
            (ADA, folder(ROOT), ADA, Ok(())),
            (EVE, folder(ADA), ADA, Err(Flaw::Foreign)),
            (EVE, folder(ROOT), ROOT, Err(Flaw::Foreign)),
            (EVE, folder(EVE), ROOT, Ok(())),
        ] {
            assert_eq!(check_owner(at(entry, 0o600), folder, us), expected, "{entry} {folder:?}");
        }
    }
}
