//! What is tried. docs/security.md has the same rows, in this order.

mod kernel;
mod memory;
mod network;
mod others;

use live_vlm_sandbox::Wall;

use crate::call::Gave;

/// Something that an attacker may want, and every way to it that is tried.
pub(crate) struct Row {
    /// In the words of docs/security.md.
    pub(crate) what: &'static str,
    /// What all the tries get.
    pub(crate) gets: &'static str,
    /// Without this wall they may get something else.
    pub(crate) needs: Option<Wall>,
    /// The ways.
    pub(crate) tries: &'static [fn() -> Gave],
    /// Whether all of them work for anybody without a sandbox, which is tried, too: otherwise a
    /// mistake in a try would look like a wall.
    pub(crate) anybody: bool,
}

pub(crate) const ENDED: &str = "the process is ended";
pub(crate) const NOT_PERMITTED: &str = "`EPERM`";
pub(crate) const NO_ACCESS: &str = "`EACCES`";
pub(crate) const NO_SUCH_CALL: &str = "`ENOSYS`";
pub(crate) const WORKS: &str = "works";

/// All rows.
pub(crate) const ROWS: &[Row] = &[
    kernel::PROGRAM,
    kernel::PROCESS,
    kernel::PROCESS_CLONE3,
    kernel::NAMESPACES,
    kernel::MOUNTS,
    kernel::IDENTITY,
    kernel::TRACING,
    kernel::KEYS,
    kernel::ROOTS,
    kernel::IO_URING,
    kernel::MORE_RIGHTS,
    others::MEMORY,
    others::SIGNALS,
    others::SIGNALS_NEWER,
    others::SCHEDULING,
    others::PROC,
    others::FILES,
    others::LOOKING,
    others::RANDOM,
    others::WRITING,
    others::CHANGING,
    network::TCP,
    network::LOCAL,
    network::OTHER,
    network::SERVING,
    network::OPTIONS,
    network::UDP,
    network::ADDRESSES,
    memory::CODE,
    memory::LIMIT,
    memory::SHARED,
    memory::OPEN_FILES,
    memory::THREADS,
    memory::LIMITS_RAISED,
];
