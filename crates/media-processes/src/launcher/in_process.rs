use std::{io, pin::Pin};

use async_trait::async_trait;
use tokio::{net::UnixStream, task::JoinHandle};

use super::{Launched, Launcher, Process};
use crate::{cause::Exit, placement::ProcessNumber};

type MediaSide = dyn Fn(UnixStream) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// Runs the media side as a task of this process: for tests, and to debug all of it in one
/// process. There is no protection then: a crash ends everything.
pub struct InProcess {
    media_side: Box<MediaSide>,
}

impl InProcess {
    /// `media_side` speaks for a media process at its end of the link, until that is closed.
    pub fn new<F: Future<Output = ()> + Send + 'static>(
        media_side: impl Fn(UnixStream) -> F + Send + Sync + 'static,
    ) -> Self {
        Self { media_side: Box::new(move |link| Box::pin(media_side(link))) }
    }
}

impl std::fmt::Debug for InProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InProcess")
    }
}

#[async_trait]
impl Launcher for InProcess {
    async fn launch(&self, _: ProcessNumber) -> io::Result<Launched> {
        let (link, theirs) = UnixStream::pair()?;
        let process = Task(tokio::spawn((self.media_side)(theirs)));
        Ok(Launched { link, printed: None, process: Box::new(process) })
    }
}

struct Task(JoinHandle<()>);

#[async_trait]
impl Process for Task {
    fn id(&self) -> Option<u32> {
        None
    }

    fn kill(&mut self) {
        self.0.abort();
    }

    async fn wait(&mut self) -> Exit {
        let panicked = (&mut self.0).await.is_err_and(|error| error.is_panic());
        Exit::Task { panicked }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
