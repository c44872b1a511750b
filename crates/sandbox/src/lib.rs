//! What a process gives up before it reads anything that a stranger sent: files, programs, other
//! processes, most of the network and of the kernel. Linux only.
//!
//! Contract
//! - [`Sandbox::apply`] is called once, while the process has one thread. Threads that it starts
//!   later are in the sandbox too, and nothing gets out again.
//! - Standard output and error output must be pipes or terminals: the process can write to no file,
//!   and is ended if it tries (`SIGXFSZ`).
//! - All code must be in memory by then: no library can be loaded and no code be made afterwards.
//! - Each wall is another mechanism of the kernel. Where the kernel lacks one, the [`Report`] says
//!   so and the others stand, unless [`Mode::Strict`] refuses.
//!
//! docs/security.md has a table of what nobody can do inside; `tests/intruder` tries each line.
//!
//! ```no_run
//! use live_vlm_sandbox::{Mode, Sandbox};
//!
//! let report = Sandbox::new(Mode::On).apply()?;
//! assert!(report.lacking.is_empty(), "{report}");
//! assert!(std::fs::read("/etc/passwd").is_err());
//! # Ok::<(), live_vlm_sandbox::SandboxError>(())
//! ```

mod calls;
mod environment;
mod files;
mod limits;
mod mode;
mod privileges;
mod report;
mod sandbox;

pub use environment::environment;
pub use limits::Limits;
pub use mode::{Mode, UnknownMode};
pub use privileges::hide_memory;
pub use report::{Lack, Report, SandboxError, Wall};
pub use sandbox::Sandbox;
