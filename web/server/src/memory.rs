//! How the process uses the heap.

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
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: malloc_trim has no preconditions.
        unsafe { libc::malloc_trim(0) };
    }
}
