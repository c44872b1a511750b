//! The file of keys. `live-vlm keys` writes it, and a server that runs notices.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, fchown},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::keys::KeyRecord;

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
    #[error("{}: {reason}; mend it, or move it away and make new keys", .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Others could give themselves a key.
    #[error("{0}: others may write to it; run chmod 600 {0}", .path.display())]
    Open {
        /// Which.
        path: PathBuf,
    },
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
/// When it cannot be read, or anybody may write to it.
pub(super) fn load(path: &Path) -> Result<(Vec<KeyRecord>, Stamp), KeyFileError> {
    let failed = |source| KeyFileError::File { path: path.to_owned(), source };
    let unreadable = |reason: String| KeyFileError::Unreadable { path: path.to_owned(), reason };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((Vec::new(), Stamp(None))),
        Err(error) => return Err(failed(error)),
    };
    let metadata = file.metadata().map_err(failed)?;
    if metadata.mode() & 0o022 != 0 {
        return Err(KeyFileError::Open { path: path.to_owned() });
    }
    if metadata.size() > MAX_BYTES {
        return Err(unreadable(format!("it has more than {MAX_BYTES} bytes")));
    }
    let text = io::read_to_string(file).map_err(failed)?;
    let contents: Contents = toml::from_str(&text).map_err(|error| {
        // Not the whole error, which shows the line.
        let line = error.span().map_or(1, |at| text[..at.start].matches('\n').count() + 1);
        unreadable(format!("line {line}: {}", error.message()))
    })?;
    if contents.keys.len() > MAX_KEYS {
        return Err(unreadable(format!("it has more than {MAX_KEYS} keys")));
    }
    Ok((contents.keys, Stamp::of(&metadata)))
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
    fs::create_dir_all(folder_of(path)).map_err(failed)?;
    let private = || OpenOptions::new().mode(0o600).clone();
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
    let owner = fs::metadata(path).or_else(|_| fs::metadata(folder_of(path))).map_err(failed)?;
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

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use time::OffsetDateTime;

    use super::*;
    use crate::sign_in::keys::SecretHash;

    fn record(id: &str) -> KeyRecord {
        KeyRecord {
            id: id.into(),
            user: "ada \"the\" first".into(),
            groups: vec!["staff".into()],
            sha256: SecretHash::of(id),
            created: OffsetDateTime::UNIX_EPOCH,
            expires: Some(OffsetDateTime::UNIX_EPOCH + time::Duration::DAY),
        }
    }

    #[test]
    fn keys_are_kept_for_us_alone_and_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/keys.toml");
        assert_eq!(load(&path).unwrap().0, []);
        change(&path, |keys| keys.push(record("1"))).unwrap();
        change(&path, |keys| keys.push(record("2"))).unwrap();
        let (keys, stamp) = load(&path).unwrap();
        assert_eq!(keys, [record("1"), record("2")]);
        assert_eq!(stamp, Stamp::now(&path));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        change(&path, |keys| keys.retain(|key| key.id != "1")).unwrap();
        assert_ne!(stamp, Stamp::now(&path));
        assert_eq!(load(&path).unwrap().0, [record("2")]);
    }

    #[test]
    fn changes_at_the_same_time_all_come_true() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        std::thread::scope(|scope| {
            for number in 0..16 {
                let path = &path;
                scope.spawn(move || {
                    change(path, |keys| keys.push(record(&number.to_string()))).unwrap();
                });
            }
        });
        assert_eq!(load(&path).unwrap().0.len(), 16);
    }

    #[test]
    fn a_file_that_others_may_write_to_or_that_is_damaged_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        fs::write(&path, "# by hand\n[[keys]]\nid = 7\n").unwrap();
        let error = load(&path).unwrap_err().to_string();
        assert!(error.contains("keys.toml: line 3"), "{error}");
        assert!(change(&path, |_| ()).is_err());
        change(&folder.path().join("other.toml"), |keys| keys.push(record("1"))).unwrap();
        let other = folder.path().join("other.toml");
        fs::set_permissions(&other, fs::Permissions::from_mode(0o620)).unwrap();
        let error = load(&other).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }
}
