//! Which variables of the environment a process in the sandbox has.

use std::ffi::OsString;

/// What GStreamer, GLib, the C library and drivers read, and Rust after a panic. A name that ends
/// with `_` stands for all that begin so.
const KEPT: [&str; 17] = [
    "GST_",
    "G_",
    "ORC_",
    "LIBVA_",
    "LIBDRM_",
    "CUDA_",
    "NVIDIA_",
    // Where libraries and the registry of GStreamer's plugins are.
    "LD_",
    "HOME",
    "XDG_CACHE_HOME",
    // The heap, time zones, languages of messages.
    "MALLOC_",
    "GLIBC_TUNABLES",
    "TZ",
    "LANG",
    "LC_",
    "RUST_BACKTRACE",
    "LLVM_PROFILE_FILE",
];

/// What is set if nobody has: settings without which the sandbox breaks something, or costs more.
const DEFAULTS: [(&str, &str); 2] = [
    // Orc makes code while it runs, which the sandbox forbids, and ends the process when it cannot.
    // This way it uses the code that was compiled with it.
    ("ORC_CODE", "backup"),
    // GLib's own heap before 2.76 never becomes smaller.
    ("G_SLICE", "always-malloc"),
];

/// The environment for a program that is going to apply the sandbox, from that of this process. Keys
/// and addresses of VLM servers are not in it, nor anything else that GStreamer does not read.
pub fn environment(
    own: impl IntoIterator<Item = (OsString, OsString)>,
) -> Vec<(OsString, OsString)> {
    let mut kept: Vec<_> = own.into_iter().filter(|(name, _)| is_kept(name)).collect();
    for (name, value) in DEFAULTS {
        if !kept.iter().any(|(kept, _)| kept == name) {
            kept.push((name.into(), value.into()));
        }
    }
    kept
}

fn is_kept(name: &OsString) -> bool {
    let Some(name) = name.to_str() else { return false };
    KEPT.iter().any(|kept| if kept.ends_with('_') { name.starts_with(kept) } else { name == *kept })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment_of(own: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = own.iter().map(|(name, value)| (name.into(), value.into()));
        let text = |text: OsString| text.into_string().unwrap();
        environment(own).into_iter().map(|(name, value)| (text(name), text(value))).collect()
    }

    #[test]
    fn keys_and_everything_unknown_stay_outside() {
        let names = ["VLM_API_KEY", "LIVE_VLM_API_KEY", "AWS_SECRET_ACCESS_KEY", "PATH", "HOMER"];
        let own: Vec<_> = names.iter().map(|name| (*name, "secret")).collect();
        assert!(environment_of(&own).iter().all(|(_, value)| value != "secret"));
    }

    #[test]
    fn what_gstreamer_reads_is_kept() {
        let own = [("GST_DEBUG", "3"), ("HOME", "/home/ada"), ("LC_ALL", "C")];
        let kept = environment_of(&own);
        for (name, value) in own {
            assert!(kept.contains(&(name.to_owned(), value.to_owned())), "{name}");
        }
    }

    #[test]
    fn no_code_is_made_unless_somebody_wants_it() {
        let has = |own: &[(&str, &str)], value: &str| {
            let kept = environment_of(own);
            kept.iter().filter(|(name, _)| name == "ORC_CODE").all(|(_, kept)| kept == value)
        };
        assert!(has(&[], "backup") && has(&[("ORC_CODE", "debug")], "debug"));
    }
}
