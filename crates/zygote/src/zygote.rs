//! The owner's side.

use std::{
    collections::HashMap,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt},
    },
    process::{Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::{
    fs::{OFlags, fcntl_setfl},
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use tokio::{io::Interest, net::UnixDatagram, sync::oneshot, task::JoinHandle, time::timeout};

use crate::{
    Child, Ended, ForkError, StartError,
    message::{FromZygote, ToZygote},
    socket,
};

/// For what a zygote initialises. GStreamer looks at all its plugins when it is started for the
/// first time.
const READY: Duration = Duration::from_secs(60);
/// A fork takes milliseconds.
const FORKED: Duration = Duration::from_secs(5);

/// A zygote, seen from the process that started it.
///
/// Dropping it kills it, and its children with it.
#[derive(Debug)]
pub struct Zygote {
    shared: Arc<Shared>,
    pid: u32,
    pidfd: OwnedFd,
    reading: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    /// Of packets like datagrams, but connected: it has an end.
    socket: UnixDatagram,
    next: AtomicU64,
    /// A lock that is held for single steps, and across no call.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the zygote is gone.
    is_over: bool,
    asked: HashMap<u64, Asked>,
    /// By the number of the process.
    running: HashMap<u32, oneshot::Sender<Ended>>,
}

/// A fork that was asked for.
#[derive(Debug)]
struct Asked {
    socket: UnixStream,
    answer: oneshot::Sender<Result<Child, ForkError>>,
}

impl Zygote {
    /// Starts a program that calls [`serve`](crate::serve), and waits until it is initialised: for
    /// a minute at most. Its standard input and output are taken; environment and error output are
    /// the command's. It gets no signal of this process's terminal.
    ///
    /// # Errors
    /// When it cannot be started, ends, or takes too long; it is gone then.
    pub async fn start(command: Command) -> Result<Self, StartError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(io::Error::from)?;
        fcntl_setfl(&ours, OFlags::NONBLOCK).map_err(io::Error::from)?;
        let socket = UnixDatagram::from_std(ours.into())?;
        let (pid, pidfd, status) = spawn(command, theirs, &program).await?;
        let shared = Shared { socket, next: AtomicU64::new(0), state: Mutex::default() };
        let mut zygote =
            Self { shared: Arc::new(shared), pid, pidfd, reading: tokio::spawn(async {}) };
        let first = timeout(READY, zygote.shared.receive()).await;
        match first {
            Ok(Ok(Some((FromZygote::Ready, _)))) => {}
            Ok(_) => {
                zygote.kill();
                let status = status.await.unwrap_or_default();
                return Err(StartError::Ended { program, status });
            }
            Err(_) => return Err(StartError::Silent { program, waited: READY }),
        }
        zygote.reading = tokio::spawn(zygote.shared.clone().read());
        Ok(zygote)
    }

    /// Has it fork. The child gets `errors` as its error output.
    ///
    /// # Errors
    /// When the system has no room for a process, or the zygote is gone.
    pub async fn fork(&self, errors: OwnedFd) -> Result<Child, ForkError> {
        let (ours, theirs) = UnixStream::pair()?;
        let (answer, answered) = oneshot::channel();
        let request = self.shared.next.fetch_add(1, Ordering::Relaxed);
        self.shared.expect(request, Asked { socket: ours, answer })?;
        // If the caller gives up here, the child that comes all the same is killed.
        let forked = async {
            let files = [theirs.as_fd(), errors.as_fd()];
            self.shared.send(ToZygote::Fork { request }, &files).await?;
            answered.await.unwrap_or(Err(ForkError::Gone))
        };
        let forked = timeout(FORKED, forked).await.unwrap_or(Err(ForkError::Gone));
        if forked.is_err() {
            self.shared.forget(request);
        }
        forked
    }

    /// The number of its process, for a log.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    fn kill(&self) {
        // It fails when it has ended.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        self.kill();
        self.reading.abort();
        self.shared.finish();
    }
}

/// Starts the program from a thread that lives as long as it does: the kernel takes the end of the
/// thread that has started it for the end of its parent. The thread also waits for it.
async fn spawn(
    mut command: Command,
    input: OwnedFd,
    program: &str,
) -> Result<(u32, OwnedFd, oneshot::Receiver<ExitStatus>), StartError> {
    command.stdin(Stdio::from(input)).stdout(Stdio::null()).process_group(0);
    let (tell_started, started) = oneshot::channel();
    let (tell_ended, ended) = oneshot::channel();
    thread::Builder::new().name("zygote".to_owned()).spawn(move || {
        let child = command.spawn();
        // It has the other end of its input, which must be the last.
        drop(command);
        let mut child = match child {
            Ok(child) => child,
            Err(error) => return drop(tell_started.send(Err(error))),
        };
        let pidfd = pidfd(child.id());
        if pidfd.is_err() {
            let _ = child.kill();
        }
        let _ = tell_started.send(pidfd.map(|pidfd| (child.id(), pidfd)));
        if let Ok(status) = child.wait() {
            let _ = tell_ended.send(status);
        }
    })?;
    let gone = || Err(io::Error::other("the thread that starts it has ended"));
    let started = started.await.unwrap_or_else(|_| gone());
    let failed = |error| StartError::Program { program: program.to_owned(), error };
    let (pid, pidfd) = started.map_err(failed)?;
    Ok((pid, pidfd, ended))
}

/// Holds a process that nobody has waited for yet.
fn pidfd(pid: u32) -> io::Result<OwnedFd> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("a process without a number"))?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

impl Shared {
    async fn send(&self, message: ToZygote, files: &[BorrowedFd<'_>]) -> Result<(), ForkError> {
        let bytes = message.encode();
        let send = || socket::send(self.socket.as_fd(), &bytes, files);
        self.socket.async_io(Interest::WRITABLE, send).await.map_err(|_| ForkError::Gone)
    }

    /// The next message; none when the zygote is gone.
    async fn receive(&self) -> io::Result<Option<(FromZygote, Vec<OwnedFd>)>> {
        let receive = || socket::receive(self.socket.as_fd());
        match self.socket.async_io(Interest::READABLE, receive).await? {
            Some((bytes, files)) => Ok(Some((FromZygote::decode(&bytes)?, files))),
            None => Ok(None),
        }
    }

    /// Takes what the zygote says, until it is gone.
    async fn read(self: Arc<Self>) {
        loop {
            match self.receive().await {
                Ok(Some((message, files))) => self.take(message, files),
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(%error, "the zygote cannot be understood");
                    break;
                }
            }
        }
        self.finish();
    }

    fn take(&self, message: FromZygote, mut files: Vec<OwnedFd>) {
        match message {
            FromZygote::Ready => {}
            FromZygote::Forked { request, pid } => {
                let Some(pidfd) = files.pop() else { return };
                let (tell, ended) = oneshot::channel();
                let asked = {
                    let mut state = self.state();
                    state.running.insert(pid, tell);
                    state.asked.remove(&request)
                };
                // Whoever asked may have given up. A child that nobody takes is dropped, and killed.
                let socket = asked.map(|asked| (asked.socket, asked.answer));
                match socket {
                    Some((socket, answer)) => {
                        let _ = answer.send(Ok(Child::new(pid, pidfd, socket, ended)));
                    }
                    None => drop(pidfd_send_signal(&pidfd, Signal::KILL)),
                }
            }
            FromZygote::Refused { request, error } => {
                let asked = self.state().asked.remove(&request);
                if let Some(Asked { answer, .. }) = asked {
                    let error = io::Error::from_raw_os_error(error);
                    let _ = answer.send(Err(ForkError::Refused(error)));
                }
            }
            FromZygote::Ended { pid, how } => {
                let running = self.state().running.remove(&pid);
                if let Some(tell) = running {
                    let _ = tell.send(how);
                }
            }
        }
    }

    fn expect(&self, request: u64, asked: Asked) -> Result<(), ForkError> {
        let mut state = self.state();
        if state.is_over {
            return Err(ForkError::Gone);
        }
        state.asked.insert(request, asked);
        Ok(())
    }

    fn forget(&self, request: u64) {
        let forgotten = self.state().asked.remove(&request);
        drop(forgotten);
    }

    /// Nothing more comes. Whoever waits hears of it, because the other end of each channel ends.
    fn finish(&self) {
        let (asked, running) = {
            let mut state = self.state();
            state.is_over = true;
            (std::mem::take(&mut state.asked), std::mem::take(&mut state.running))
        };
        drop((asked, running));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
