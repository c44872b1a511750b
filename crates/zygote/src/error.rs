use std::{io, process::ExitStatus, time::Duration};

/// Why there is no zygote.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Its program cannot be started.
    #[error("cannot start {program}: {error}")]
    Program {
        /// Which.
        program: String,
        /// Why.
        error: io::Error,
    },
    /// It ended before it was initialised. Its error output says why.
    #[error("{program} ended with {status} before it could be used; see what it said before")]
    Ended {
        /// Which.
        program: String,
        /// How.
        status: ExitStatus,
    },
    /// It says nothing.
    #[error("{program} was not ready after {0} s; the machine may be overloaded", waited.as_secs())]
    Silent {
        /// Which.
        program: String,
        /// For how long.
        waited: Duration,
    },
    /// The system refuses what is needed for it.
    #[error("cannot prepare a zygote: {0}")]
    System(#[from] io::Error),
}

/// Why a zygote did not fork.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForkError {
    /// The system does not let it, for want of memory or because there are too many processes.
    #[error("no process can be started: {0}")]
    Refused(io::Error),
    /// The zygote is gone or does not answer. Start another.
    #[error("the zygote is gone; another must be started")]
    Gone,
    /// The system refuses what is needed for it.
    #[error("cannot prepare a process: {0}")]
    System(#[from] io::Error),
}

/// Why a zygote cannot serve. Nothing has forked then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// What it initialises failed.
    #[error("{0}")]
    Init(String),
    /// A fork has only the thread that calls it, and locks of the others stay locked for good.
    #[error(
        "the initialisation has started threads ({0}), which a fork would be without; \
         leave out what starts them"
    )]
    Threads(String),
    /// All children could write there, and so reach each other.
    #[error(
        "the initialisation has mapped memory that forks would share ({0}); \
         leave out what maps it"
    )]
    SharedMemory(String),
    /// The system refuses what is needed for it.
    #[error("cannot serve as a zygote: {0}")]
    System(#[from] io::Error),
}
