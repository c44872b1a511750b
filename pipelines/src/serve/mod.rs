//! The inside of a media process: reads what live-vlm tells it from the link, runs peer connections,
//! and tells what comes of them. It asks no VLM; live-vlm does.
//!
//! One task reads the link and never waits for a connection, one writes it, and each connection has
//! its own. What a connection is told is kept as its newest state, not as a queue, but for ICE
//! candidates, of which the rest is dropped.

mod connection;
mod log;
mod log_layer;
mod outbox;
mod wishes;

use std::{collections::HashMap, time::Duration};

use live_vlm_media_link::{
    ConnectionId, FromMedia, LinkError, Reader, Received, SandboxParts, ToMedia, VERSION,
};
use tokio::{
    net::{UnixStream, unix::OwnedReadHalf},
    sync::watch,
    task::{JoinError, JoinSet},
    time::timeout,
};
use tracing::Instrument;

use self::{
    connection::{Connection, Offer},
    outbox::Outbox,
};
use crate::{PipelineError, codec};

pub use log::LogSender;
pub use log_layer::LogLayer;

/// As many connections as live-vlm may have in one process, at the very most.
const MAX_CONNECTIONS: usize = 256;
/// How long connections may take to stop once the link is gone.
const GOODBYE: Duration = Duration::from_secs(3);

/// What a media process begins with.
#[derive(Debug)]
pub struct Greeting {
    /// What to log, as `RUST_LOG` has it. It may change for as long as the link is there.
    pub log: watch::Receiver<String>,
    /// Where lines of the log go.
    pub lines: LogSender,
}

/// Why a media process ended by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The link failed, or what came is nothing that live-vlm of this version says.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// GStreamer cannot be used.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A task of ours panicked.
    #[error("a task has panicked: {0}")]
    Panicked(#[from] JoinError),
}

/// Serves live-vlm at the other end of `link` until it closes that.
///
/// `start` is called once live-vlm has greeted, before anything else happens: it sets up the log and
/// the sandbox, and says what of the latter was applied. It may block.
///
/// # Errors
/// Why the process is of no use any more. All connections have ended then, too.
pub async fn serve(
    link: UnixStream,
    start: impl FnOnce(Greeting) -> SandboxParts,
) -> Result<(), ServeError> {
    let (from, to) = link.into_split();
    let mut reader = Reader::new(from);
    let Some(Received { message, .. }) = reader.next().await? else { return Ok(()) };
    let (outbox, writer) = outbox::open(to);
    let mut writer = tokio::spawn(writer.run());
    let (connections, tasks) = (HashMap::new(), JoinSet::new());
    let mut process = Process { outbox, log: watch::Sender::default(), connections, tasks };
    let served = tokio::select! {
        served = process.serve(&mut reader, message, start) => served,
        written = &mut writer => written.map_err(ServeError::from).and_then(|w| w.map_err(Into::into)),
    };
    process.end().await;
    writer.abort();
    served
}

/// What a media process has.
struct Process {
    outbox: Outbox,
    /// What to log.
    log: watch::Sender<String>,
    connections: HashMap<ConnectionId, Connection>,
    /// One for each connection, and which it is.
    tasks: JoinSet<ConnectionId>,
}

impl Process {
    async fn serve(
        &mut self,
        reader: &mut Reader<OwnedReadHalf, ToMedia>,
        greeting: ToMedia,
        start: impl FnOnce(Greeting) -> SandboxParts,
    ) -> Result<(), ServeError> {
        // The link lets nothing else come first.
        let ToMedia::Hello { log, .. } = greeting else { return Ok(()) };
        self.log.send_replace(log);
        let sandbox = start(Greeting { log: self.log.subscribe(), lines: self.outbox.log() });
        gst::init().map_err(PipelineError::from)?;
        let codecs = codec::decodable();
        self.outbox.send(FromMedia::Ready { version: VERSION, codecs, sandbox }).await;
        loop {
            tokio::select! {
                received = reader.next() => match received? {
                    Some(Received { message, .. }) => self.hear(message).await,
                    None => return Ok(()),
                },
                Some(ended) = self.tasks.join_next() => {
                    self.connections.remove(&ended?);
                }
            }
        }
    }

    /// Does what it is told. What is for a connection that is gone crossed with its end.
    async fn hear(&mut self, message: ToMedia) {
        if let ToMedia::Ping { number } = message {
            return self.outbox.send(FromMedia::Pong { number }).await;
        }
        if let ToMedia::Log { log } = message {
            self.log.send_replace(log);
            return;
        }
        let Some(id) = message.connection() else { return };
        if let ToMedia::Offer { sdp, network, timeouts, settings, .. } = message {
            return self.begin(id, Offer { sdp, network, timeouts, settings });
        }
        let Some(connection) = self.connections.get(&id) else { return };
        match message {
            ToMedia::Candidate { mid, line, candidate, .. } => {
                connection.add_candidate(mid, line, candidate);
            }
            ToMedia::Settings { settings, .. } => connection.change_settings(settings),
            ToMedia::AskNow { .. } => connection.ask_now(),
            ToMedia::TurnNear { .. } => connection.asker().turn_near(),
            ToMedia::Turn { .. } => connection.asker().turn(),
            ToMedia::Ended { outcome, .. } => connection.asker().ended(outcome),
            ToMedia::Stop { .. } => connection.stop(),
            // Nothing is shown in these pipelines.
            _ => {}
        }
    }

    fn begin(&mut self, id: ConnectionId, offer: Offer) {
        if self.connections.contains_key(&id) || self.connections.len() >= MAX_CONNECTIONS {
            tracing::error!(connection = id.0, "an offer that cannot be taken is left unanswered");
            return;
        }
        let (connection, task) = connection::open(id, offer, self.outbox.clone());
        self.connections.insert(id, connection);
        // Whatever else is logged, a line says which session it is about.
        self.tasks.spawn(task.instrument(tracing::error_span!("connection", connection = id.0)));
    }

    /// Stops all connections.
    async fn end(mut self) {
        // Their tasks see that nobody is there any more who could tell them something.
        self.connections.clear();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(GOODBYE, all).await.is_err() {
            tracing::warn!("connections could not be stopped in time");
        }
    }
}
