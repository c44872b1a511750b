//! How media processes are started and ended. Whoever watches them needs to know no more of how.

mod executable;
mod forking;
mod in_process;
mod program;

use std::{fmt, io};

use async_trait::async_trait;
use tokio::{io::AsyncRead, net::UnixStream};

use crate::{cause::Exit, placement::ProcessNumber};

pub use self::{executable::Executable, forking::Forking, in_process::InProcess, program::Program};

/// Starts media processes.
#[async_trait]
pub trait Launcher: Send + Sync + 'static {
    /// Starts one, with this number for whoever reads logs. If the future is dropped, nothing is
    /// left behind.
    ///
    /// # Errors
    /// When that is not possible.
    async fn launch(&self, number: ProcessNumber) -> io::Result<Launched>;

    /// The process whose children media processes are, unless that is this one: its number for the
    /// kernel, while it runs.
    fn parent(&self) -> Option<u32> {
        None
    }
}

/// A media process that was started.
pub struct Launched {
    /// The link to it.
    pub link: UnixStream,
    /// What it prints, where that is not this process's own.
    pub printed: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// The process.
    pub process: Box<dyn Process>,
}

impl fmt::Debug for Launched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launched").field("id", &self.process.id()).finish_non_exhaustive()
    }
}

/// A process that runs, or has ended and was not waited for. Dropping it ends it, and sees to it
/// that nothing is left of it.
#[async_trait]
pub trait Process: Send {
    /// Its number for the kernel, if it has one and runs.
    fn id(&self) -> Option<u32>;

    /// Ends it at once, whatever it does. [`wait`](Self::wait) tells when it has ended.
    fn kill(&mut self);

    /// Waits until it has ended. If the future is dropped, the next call goes on where it stopped.
    async fn wait(&mut self) -> Exit;
}
