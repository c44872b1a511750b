//! What only C has. Everything that is unsafe here is in this file.

use std::io;

/// Which process goes on.
pub(crate) enum Fork {
    /// The new one.
    Child,
    /// The one that was there, and the other's number.
    Parent(u32),
}

/// Forks this process, which must have one thread.
pub(crate) fn fork() -> io::Result<Fork> {
    // SAFETY: with one thread, the child is like the parent: nobody else holds a lock or is within
    // a change of anything. `serve` has counted the threads.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(pid.unsigned_abs())),
    }
}

/// Ends this process at once. Libraries that clean up at an exit may wait for threads, and there is
/// nothing that the kernel would not clean up itself.
pub(crate) fn exit(code: u8) -> ! {
    // SAFETY: it has no preconditions, and does not return.
    unsafe { libc::_exit(code.into()) }
}

/// Closes every file but standard input, output and error output. To be called before anything in
/// this process has opened one: what is open then was inherited by mistake.
pub(crate) fn close_inherited() {
    // Old kernels lack the call. Rust's and most other programs mark their files anyway, so that
    // nobody inherits them.
    // SAFETY: nothing in this process has one of these files yet.
    unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) };
}
