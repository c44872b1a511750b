use std::{
    io,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use live_vlm_zygote::{Child, Ended, ForkError, Zygote};
use tokio::{
    io::AsyncReadExt,
    net::{UnixStream, unix::pipe},
    sync::Mutex,
};
use tokio_util::task::AbortOnDropHandle;

use super::{Launched, Launcher, Process, program::Program};
use crate::{cause::Exit, journal::Journal, placement::ProcessNumber};

/// Has media processes forked by one that was initialised before, so that each starts in
/// milliseconds. If that one is gone, all that it has forked are, and another is started.
#[derive(Debug)]
pub struct Forking {
    program: Program,
    /// Held while one is started, so that there is one.
    zygote: Mutex<Option<Running>>,
    /// Its number for the kernel; 0 while there is none.
    id: AtomicU32,
}

#[derive(Debug, Clone)]
struct Running {
    zygote: Arc<Zygote>,
    _log: Arc<AbortOnDropHandle<()>>,
}

impl Forking {
    /// `program` serves as the zygote. It is started with the first media process.
    pub fn new(program: Program) -> Self {
        Self { program, zygote: Mutex::new(None), id: AtomicU32::new(0) }
    }

    async fn zygote(&self) -> io::Result<Running> {
        let mut known = self.zygote.lock().await;
        if let Some(zygote) = &*known {
            return Ok(zygote.clone());
        }
        let (printed, errors) = io::pipe()?;
        let printed = pipe::Receiver::from_owned_fd(printed.into())?;
        let log = AbortOnDropHandle::new(tokio::spawn(write_log(printed)));
        let mut command = self.program.command();
        command.stderr(Stdio::from(errors));
        let zygote = Zygote::start(command).await.map_err(io::Error::other)?;
        self.id.store(zygote.pid(), Ordering::Relaxed);
        tracing::debug!(id = zygote.pid(), "what forks media processes is ready");
        Ok(known.insert(Running { zygote: Arc::new(zygote), _log: Arc::new(log) }).clone())
    }

    /// This one is gone, if no other has taken its place yet.
    async fn forget(&self, gone: &Running) {
        let mut known = self.zygote.lock().await;
        if known.as_ref().is_some_and(|known| Arc::ptr_eq(&known.zygote, &gone.zygote)) {
            *known = None;
            self.id.store(0, Ordering::Relaxed);
        }
    }
}

/// Logs what the zygote prints, until it is gone.
async fn write_log(mut printed: pipe::Receiver) {
    let now = || tokio::time::Instant::now().into_std();
    let (mut journal, mut piece) = (Journal::of_zygote(), vec![0; 4096]);
    while let Ok(bytes @ 1..) = printed.read(&mut piece).await {
        journal.print(&piece[..bytes], now());
    }
    journal.end(now());
}

#[async_trait]
impl Launcher for Forking {
    async fn launch(&self, _: ProcessNumber) -> io::Result<Launched> {
        let running = self.zygote().await?;
        match fork(&running).await {
            Err(ForkError::Gone) => {
                self.forget(&running).await;
                drop(running);
                fork(&self.zygote().await?).await.map_err(io::Error::other)
            }
            launched => launched.map_err(io::Error::other),
        }
    }

    fn parent(&self) -> Option<u32> {
        Some(self.id.load(Ordering::Relaxed)).filter(|id| *id != 0)
    }
}

async fn fork(running: &Running) -> Result<Launched, ForkError> {
    let (printed, errors) = io::pipe()?;
    let printed = pipe::Receiver::from_owned_fd(printed.into())?;
    let mut child = running.zygote.fork(errors.into()).await?;
    let link = child.take_socket().ok_or(ForkError::Gone)?;
    link.set_nonblocking(true)?;
    let link = UnixStream::from_std(link)?;
    let process = ForkedProcess { child, _running: running.clone() };
    Ok(Launched { link, printed: Some(Box::new(printed)), process: Box::new(process) })
}

struct ForkedProcess {
    child: Child,
    /// Without it the child would end.
    _running: Running,
}

#[async_trait]
impl Process for ForkedProcess {
    fn id(&self) -> Option<u32> {
        Some(self.child.pid())
    }

    fn kill(&mut self) {
        self.child.kill();
    }

    async fn wait(&mut self) -> Exit {
        match self.child.ended().await {
            Ended::Exit(code) => Exit::Code(code),
            Ended::Signal(signal) => Exit::Signal(signal),
            Ended::WithZygote => Exit::WithZygote,
        }
    }
}
