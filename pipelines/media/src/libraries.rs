//! Libraries that other libraries load only when they are used. In the sandbox it would be too late.

use std::{
    collections::BTreeSet,
    ffi::CString,
    fs,
    path::{Path, PathBuf},
};

/// What the cryptography of libsrtp loads where it is NSS, as on Debian: for each key that is set.
const OF_NSS: [&str; 3] = ["libsoftokn3.so", "libfreeblpriv3.so", "libfreebl3.so"];

/// Loads them for good, once their users are loaded.
pub(crate) fn load() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    for folder in folders(&maps, "libnss3.so") {
        for name in OF_NSS {
            load_for_good(&folder.join(name));
        }
    }
}

/// By each of its names, because a library that is asked for by another is opened, to see whether it
/// is the same.
fn load_for_good(path: &Path) {
    let Ok(name) = CString::new(path.as_os_str().as_encoded_bytes()) else { return };
    // SAFETY: the name is a text. A library's initialisation may do anything; this one is loaded by
    // a library that is here, with the same rights, as soon as that is used.
    unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_NODELETE) };
}

/// Where a loaded library looks for others, by every name: Ubuntu has a folder for those of NSS, and
/// `/lib` is `/usr/lib` on most systems.
fn folders(maps: &str, library: &str) -> BTreeSet<PathBuf> {
    let paths = maps.lines().filter_map(|line| Some(Path::new(&line[line.find('/')?..])));
    let found = paths.filter(|path| path.ends_with(library)).filter_map(Path::parent);
    let by_all_names = found.flat_map(|folder| {
        let short = folder.strip_prefix("/usr").map(|rest| Path::new("/").join(rest)).ok();
        [Some(folder.to_owned()), short].into_iter().flatten()
    });
    by_all_names.flat_map(|folder| [folder.join("nss"), folder]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_of_a_loaded_library_are_found_by_every_name() {
        let maps = "7f-80 r--p 0 08:01 9    /usr/lib/x86_64-linux-gnu/libnss3.so\n\
                    80-81 r-xp 0 08:01 9    /usr/lib/x86_64-linux-gnu/libnss3.so\n\
                    81-82 rw-p 0 00:00 0\n\
                    82-83 r-xp 0 08:01 8    /opt/lib/libother.so\n";
        let expected = [
            "/lib/x86_64-linux-gnu",
            "/lib/x86_64-linux-gnu/nss",
            "/usr/lib/x86_64-linux-gnu",
            "/usr/lib/x86_64-linux-gnu/nss",
        ];
        assert_eq!(folders(maps, "libnss3.so"), expected.map(PathBuf::from).into());
        assert!(folders("", "libnss3.so").is_empty());
    }
}
