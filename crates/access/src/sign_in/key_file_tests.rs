use std::{
    os::unix::fs::{PermissionsExt, chown, symlink},
    process::Command,
};

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
    assert!(error.contains("keys.toml:3: "), "{error}");
    assert!(change(&path, |_| ()).is_err());
    change(&folder.path().join("other.toml"), |keys| keys.push(record("1"))).unwrap();
    let other = folder.path().join("other.toml");
    fs::set_permissions(&other, fs::Permissions::from_mode(0o620)).unwrap();
    let error = load(&other).unwrap_err().to_string();
    assert!(error.contains("chmod go-w"), "{error}");
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_new_folder_is_for_us_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one/two/keys.toml");
    change(&path, |keys| keys.push(record("1"))).unwrap();
    for made in ["one", "one/two"] {
        let mode = fs::metadata(folder.path().join(made)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700, "{made}");
    }
}

#[test]
fn a_folder_that_others_may_write_to_is_an_error_unless_nobody_takes_things_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let (shared, new) = (folder.path().join("keys.toml"), folder.path().join("new.toml"));
    change(&shared, |keys| keys.push(record("1"))).unwrap();
    for mode in [0o777, 0o770, 0o720] {
        set_mode(folder.path(), mode);
        let wanted =
            format!("{0}: others may write to it; run chmod go-w", folder.path().display());
        for error in [load(&shared).unwrap_err(), change(&new, |_| ()).unwrap_err()] {
            assert!(error.to_string().starts_with(&wanted), "{mode:o}: {error}");
        }
    }
    assert!(!new.exists());
    set_mode(folder.path(), 0o1777);
    assert_eq!(load(&shared).unwrap().0.len(), 1);
}

#[test]
fn a_file_of_somebody_else_is_an_error() {
    const NOBODY: u32 = 65534;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.toml");
    change(&path, |keys| keys.push(record("1"))).unwrap();
    // Only root can give a file away. Whose it may be for others is tested where it is decided.
    if chown(&path, Some(NOBODY), None).is_ok() {
        let error = load(&path).unwrap_err().to_string();
        assert!(error.contains("belongs to another user (65534)"), "{error}");
        assert!(error.contains(&format!("chown 0 {}", path.display())), "{error}");
        assert!(change(&path, |_| ()).is_err());
        // A service's own folder, in which root makes a key for it.
        chown(folder.path(), Some(NOBODY), None).unwrap();
        change(&path, |keys| keys.push(record("2"))).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().uid(), NOBODY);
    }
}

/// As Kubernetes shows a secret, and changes it.
#[test]
fn links_are_followed_and_a_new_target_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o1777);
    let at = |name: &str| folder.path().join(name);
    for (version, id) in [("..1", "1"), ("..2", "2")] {
        fs::create_dir(at(version)).unwrap();
        change(&at(version).join("keys.toml"), |keys| keys.push(record(id))).unwrap();
    }
    symlink("..1", at("..data")).unwrap();
    symlink("..data/keys.toml", at("keys.toml")).unwrap();
    let (keys, stamp) = load(&at("keys.toml")).unwrap();
    assert_eq!((keys, stamp), (vec![record("1")], Stamp::now(&at("keys.toml"))));
    symlink("..2", at("..new")).unwrap();
    fs::rename(at("..new"), at("..data")).unwrap();
    assert_ne!(stamp, Stamp::now(&at("keys.toml")));
    assert_eq!(load(&at("keys.toml")).unwrap().0, [record("2")]);

    // What the link leads to is changed, and the link stays one.
    change(&at("keys.toml"), |keys| keys.push(record("3"))).unwrap();
    assert!(fs::symlink_metadata(at("keys.toml")).unwrap().is_symlink());
    assert_eq!(load(&at("..2/keys.toml")).unwrap().0.len(), 2);

    set_mode(&at("..2"), 0o777);
    let error = load(&at("keys.toml")).unwrap_err().to_string();
    assert!(error.contains("..data: others may write to it"), "{error}");
}

#[test]
fn a_link_to_itself_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.toml");
    symlink("keys.toml", &path).unwrap();
    assert!(load(&path).is_err() && change(&path, |_| ()).is_err());
}

#[test]
fn what_is_no_file_is_an_error_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.toml");
    let made = Command::new("mkfifo").args(["-m", "600"]).arg(&pipe).status().unwrap();
    assert!(made.success());
    for path in [pipe.as_path(), folder.path(), Path::new("/dev/null")] {
        let error = load(path).unwrap_err().to_string();
        assert!(error.contains("it is not a file"), "{}: {error}", path.display());
    }
    let lock = folder.path().join("keys.lock");
    assert!(Command::new("mkfifo").arg(lock).status().unwrap().success());
    assert!(change(&folder.path().join("keys.toml"), |_| ()).is_err());
}

#[test]
fn names_that_cannot_be_shown_are_an_error_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.toml");
    change(&path, |keys| keys.extend([record("1"), record("2")])).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    let second = good.match_indices("[[keys]]").nth(1).unwrap().0;
    for (from, to) in [
        ("id = \"2\"", "id = \"2\\u001b[31m\""),
        ("user = 'ada \"the\" first'", "user = \"a\\nda\\u001b[31m\""),
        ("user = 'ada \"the\" first'", "user = \"a\\u202Eda\""),
        ("user = 'ada \"the\" first'", "user = \"\\u200B\""),
        ("groups = [\"staff\"]", "groups = [\"staff\", \"st\\u2028aff\"]"),
    ] {
        let (before, after) = good.split_at(second);
        assert!(after.contains(from), "{from}: {after}");
        let bad = format!("{before}{}", after.replacen(from, to, 1));
        fs::write(&path, &bad).unwrap();
        let at = bad.find(to).unwrap();
        let line = bad[..at].matches('\n').count() + 1;
        let error = load(&path).unwrap_err().to_string();
        let wanted = format!("keys.toml:{line}: a name has 1 to ");
        assert!(error.contains(&wanted), "{wanted}\n{error}");
        assert!(!error.contains(['\u{1b}', '\u{202e}', '\u{200b}']), "{error}");
    }
}
