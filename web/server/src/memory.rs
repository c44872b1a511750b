//! How the process uses the heap.

/// Keeps the heap flat under many short sessions. By default glibc gives up to eight arenas per
/// core to threads, and what each frees stays in its arena. To be called before any thread is
/// started.
pub fn keep_flat() {
    #[cfg(target_env = "gnu")]
    {
        const ARENAS: libc::c_int = 2;
        // SAFETY: mallopt has no preconditions but that other threads do not allocate meanwhile,
        // of which there are none yet. It refuses by returning 0, which costs memory only.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) };
    }
}
