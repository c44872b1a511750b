//! The file of keys. `live-vlm keys` writes it, and a server that runs notices.

use std::{
    fs::{self, DirBuilder, Metadata, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    keys::KeyRecord,
    trust::{self, Untrusted},
};

const NAME: &str = "keys.toml";
/// Some 16,000 keys.
const MAX_BYTES: u64 = 4 << 20;
const MAX_KEYS: usize = 10_000;
const HEADER: &str =
    "# Made by `live-vlm keys`. It holds hashes, from which no key can be had.\n\n";

/// Why keys cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not what `live-vlm keys` writes.
    #[error("{}{}: {reason}; mend it, or move it away and make new keys", .path.display(), colon(.line))]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Where in it.
        line: Option<usize>,
        /// Why.
        reason: String,
    },
    /// Others could give themselves a key.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// There is nowhere to keep keys.
    #[error("there is no folder to keep keys in: set HOME or XDG_CONFIG_HOME, or give --keys-file")]
    NoFolder,
    /// As many as may be.
    #[error("there are {MAX_KEYS} keys already; revoke some, or use tokens (--jwt-key)")]
    Full,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    #[serde(default)]
    keys: Vec<KeyRecord>,
}

/// Tells one state of the file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp(Option<(u64, u64, i64, i64)>);

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        // Each change replaces the file, so the inode tells even those within a tick of its clock.
        let m = metadata;
        Self(Some((m.ino(), m.size(), m.mtime(), m.mtime_nsec())))
    }

    pub(super) fn now(path: &Path) -> Self {
        fs::metadata(path).map_or(Self(None), |metadata| Self::of(&metadata))
    }
}

/// Where keys are kept unless told.
///
/// # Errors
/// When there is no home.
pub(super) fn default_path() -> Result<PathBuf, KeyFileError> {
    directories::ProjectDirs::from("", "", "live-vlm")
        .map(|folders| folders.config_dir().join(NAME))
        .ok_or(KeyFileError::NoFolder)
}

/// The keys in a file, none if there is no file.
///
/// # Errors
/// When it cannot be read, or others could have written it: see [`trust`].
pub(super) fn load(path: &Path) -> Result<(Vec<KeyRecord>, Stamp), KeyFileError> {
    let failed = |source| KeyFileError::File { path: path.to_owned(), source };
    let unreadable =
        |line, reason: String| KeyFileError::Unreadable { path: path.to_owned(), line, reason };
    // Opening a pipe would wait for somebody who writes to it.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((Vec::new(), Stamp(None))),
        Err(error) => return Err(failed(error)),
    };
    let metadata = file.metadata().map_err(failed)?;
    trust::check(path, &metadata)?;
    if metadata.size() > MAX_BYTES {
        return Err(unreadable(None, format!("it has more than {MAX_BYTES} bytes")));
    }
    let text = io::read_to_string(file).map_err(failed)?;
    let contents: Contents = toml::from_str(&text).map_err(|error| {
        // Not the whole error, which shows the line.
        let line = error.span().map_or(1, |at| text[..at.start].matches('\n').count() + 1);
        unreadable(Some(line), error.message().to_owned())
    })?;
    if contents.keys.len() > MAX_KEYS {
        return Err(unreadable(None, format!("it has more than {MAX_KEYS} keys")));
    }
    Ok((contents.keys, Stamp::of(&metadata)))
}

fn colon(line: &Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(":{line}"))
}

/// Changes the keys in a file, whole or not at all, one change after the other.
///
/// # Errors
/// When it cannot be read or written, or would have too many keys.
pub(super) fn change<T>(
    path: &Path,
    change: impl FnOnce(&mut Vec<KeyRecord>) -> T,
) -> Result<T, KeyFileError> {
    let failed = |source| KeyFileError::File { path: path.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(trust::folder_of(path)).map_err(failed)?;
    // What a link leads to is replaced, and not the link.
    let path = &trust::followed(path)?;
    let private =
        || OpenOptions::new().mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).clone();
    // Not the file itself, which is about to be replaced.
    let lock = private()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path.with_extension("lock"))
        .map_err(failed)?;
    lock.lock().map_err(failed)?;
    let (mut keys, _) = load(path)?;
    let result = change(&mut keys);
    if keys.len() > MAX_KEYS {
        return Err(KeyFileError::Full);
    }
    let text = toml::to_string(&Contents { keys })
        .map_err(|error| failed(io::Error::other(error.to_string())))?;
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    let mut file = private().write(true).create_new(true).open(&new).map_err(failed)?;
    // Whoever changes it, it stays readable for the server, whose it or its folder is.
    let owner =
        fs::metadata(path).or_else(|_| fs::metadata(trust::folder_of(path))).map_err(failed)?;
    let own = file.metadata().map_err(failed)?;
    if (own.uid(), own.gid()) != (owner.uid(), owner.gid()) {
        fchown(&file, Some(owner.uid()), Some(owner.gid())).map_err(failed)?;
    }
    file.write_all(format!("{HEADER}{text}").as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&new, path))
        .map_err(failed)?;
    Ok(result)
}

#[cfg(test)]
#[path = "key_file_tests.rs"]
mod tests;
