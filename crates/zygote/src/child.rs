use std::os::{fd::OwnedFd, unix::net::UnixStream};

use rustix::process::{Signal, pidfd_send_signal};
use tokio::sync::oneshot;

use crate::Ended;

/// A process that a zygote has forked. It is killed when this is dropped.
#[derive(Debug)]
pub struct Child {
    pid: u32,
    pidfd: OwnedFd,
    socket: Option<UnixStream>,
    ended: oneshot::Receiver<Ended>,
}

impl Child {
    pub(crate) fn new(
        pid: u32,
        pidfd: OwnedFd,
        socket: UnixStream,
        ended: oneshot::Receiver<Ended>,
    ) -> Self {
        Self { pid, pidfd, socket: Some(socket), ended }
    }

    /// Its number. Once it has ended, another process may get it: to end this one, there is
    /// [`kill`](Self::kill).
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// This end of the socket of which it has the other; once.
    pub fn take_socket(&mut self) -> Option<UnixStream> {
        self.socket.take()
    }

    /// Kills it, whatever it is doing.
    pub fn kill(&self) {
        // It fails when it has ended.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    /// Waits until it has ended, and tells how. Nothing is lost when the waiting is given up.
    ///
    /// Called again after that, it says [`Ended::WithZygote`].
    pub async fn ended(&mut self) -> Ended {
        if self.ended.is_terminated() {
            return Ended::WithZygote;
        }
        (&mut self.ended).await.unwrap_or(Ended::WithZygote)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}
