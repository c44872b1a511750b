//! How the process uses the heap.

use std::{env, os::unix::process::CommandExt, process::Command};

/// Starts the program anew without GLib's own heap, which GLib before 2.76 puts between itself and
/// glibc's, and never makes smaller: many short sessions left three times as much behind. GLib reads
/// the setting as it is loaded, before `main`. To be called before anything else; returns in the
/// program that was started anew, or in this one if it cannot be.
pub fn without_glib_heap() {
    const SETTING: &str = "G_SLICE";
    // Whoever set it knows why.
    if env::var_os(SETTING).is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let mut arguments = env::args_os();
    let mut anew = Command::new(program);
    if let Some(name) = arguments.next() {
        anew.arg0(name);
    }
    // The process stays the same, for whoever waits for it or ends it.
    let _ = anew.args(arguments).env(SETTING, "always-malloc").exec();
}

/// Keeps the heap flat under many short sessions. By default glibc gives up to eight arenas per
/// core to threads; a session has eight threads, and what each frees stays in its arena. To be
/// called before any thread is started.
pub fn keep_flat() {
    #[cfg(target_env = "gnu")]
    {
        const ARENAS: libc::c_int = 2;
        // SAFETY: mallopt has no preconditions but that other threads do not allocate meanwhile,
        // of which there are none yet. It refuses by returning 0, which costs memory only.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) };
    }
}

/// Gives back to the system what sessions have freed: glibc keeps it, in pieces between what is
/// still used, and takes more from the system all the same. Takes milliseconds, in which other
/// threads may have to wait for a part of the heap.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: malloc_trim has no preconditions.
        unsafe { libc::malloc_trim(0) };
    }
}
