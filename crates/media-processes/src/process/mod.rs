//! The task that has a media process: it starts it, tells it what it is told to, judges what it
//! says, and ends it. Nothing of the process is left when the task has ended.

mod connections;
mod counted;
mod ending;
mod link;

use std::{future, ops::ControlFlow, sync::Arc, time::Instant as StdInstant};

use live_vlm_media_link::{FromMedia, LinkError, Message, Received, ToMedia, VERSION};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

pub(crate) use self::connections::ONCE;
use self::{connections::Connections, link::Link};
use crate::{
    cause::{Exit, Reason},
    commands::{Command, Inbox, Open, Outgoing},
    conduct::{Breach, Conduct, Verdict},
    config::Config,
    deadlines::LOOK,
    journal::Journal,
    launcher::{Launched, Launcher, Process},
    memory::Group,
    owner::Owner,
    placement::ProcessNumber,
    registry::{Begin, Ready, Registry},
};

/// How much of what a process prints is read at once.
const PIECE: usize = 4096;

/// What the task has of the whole.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) registry: Arc<Registry>,
    pub(crate) launcher: Arc<dyn Launcher>,
    pub(crate) config: Arc<Config>,
    /// What is logged, as `RUST_LOG` has it.
    pub(crate) log: watch::Receiver<Arc<str>>,
}

/// Has a media process, from its start to its end.
pub(crate) async fn run(surroundings: Surroundings, begin: Begin) {
    let Begin { number, inbox } = begin;
    let patience = surroundings.config.patience.ready;
    let launched = timeout(patience, surroundings.launcher.launch(number)).await;
    let why = match launched {
        Ok(Ok(launched)) => return Task::new(surroundings, number, inbox, launched).run().await,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("that took longer than {patience:?}"),
    };
    ending::never_began(&surroundings.registry, number, why, inbox);
}

struct Task {
    number: ProcessNumber,
    config: Arc<Config>,
    log: watch::Receiver<Arc<str>>,
    registry: Arc<Registry>,
    inbox: Inbox,
    link: Link,
    printed: Option<Box<dyn AsyncRead + Send + Unpin>>,
    piece: Vec<u8>,
    process: Box<dyn Process>,
    /// Taken away after the process has ended.
    group: Option<Group>,
    exit: Option<Exit>,
    conduct: Conduct,
    connections: Connections,
    journal: Journal,
    is_ready: bool,
    pings: u64,
    next_ping: StdInstant,
    empty_since: Option<StdInstant>,
}

/// What happens to the task.
enum Event {
    Came(Result<Option<(Received<FromMedia>, u64)>, LinkError>),
    Printed(usize),
    Exited(Exit),
    Told(Option<Command>),
    /// Something else is to be logged.
    Log,
    Time,
}

fn now() -> StdInstant {
    Instant::now().into_std()
}

/// Reads what is printed; never, when nothing is any more.
async fn read_printed(
    printed: &mut Option<Box<dyn AsyncRead + Send + Unpin>>,
    piece: &mut [u8],
) -> usize {
    match printed {
        Some(from) => from.read(piece).await.unwrap_or(0),
        None => future::pending().await,
    }
}

fn limit_memory(config: &Config, number: ProcessNumber, id: u32) -> Option<Group> {
    let groups = config.memory.as_ref()?;
    let group = groups.add(number, id);
    if let Err(error) = &group {
        let process = number.0;
        tracing::warn!(process, %error, "no control group limits the memory of a media process");
    }
    group.ok()
}

impl Task {
    fn new(
        surroundings: Surroundings,
        number: ProcessNumber,
        inbox: Inbox,
        launched: Launched,
    ) -> Self {
        let Surroundings { registry, config, log, .. } = surroundings;
        let Launched { link, printed, process } = launched;
        let id = process.id();
        if let Some(id) = id {
            registry.runs(number, id);
        }
        let group = id.and_then(|id| limit_memory(&config, number, id));
        let now = now();
        Self {
            number,
            conduct: Conduct::new(config.allowance, config.patience, now),
            config,
            log,
            registry,
            inbox,
            link: Link::new(link),
            printed,
            piece: vec![0; PIECE],
            process,
            group,
            exit: None,
            connections: Connections::default(),
            journal: Journal::new(number),
            is_ready: false,
            pings: 0,
            next_ping: now,
            empty_since: None,
        }
    }

    async fn run(mut self) {
        tracing::debug!(process = self.number.0, id = self.process.id(), "media process started");
        let reason = self.serve().await;
        self.end(reason).await;
    }

    async fn serve(&mut self) -> Reason {
        let hello = ToMedia::Hello { version: VERSION, log: self.what_to_log() };
        if let ControlFlow::Break(reason) = self.send(Outgoing::Message(Box::new(hello))) {
            return reason;
        }
        loop {
            let event = self.next().await;
            let step = match event {
                Event::Came(came) => self.hear(came).await,
                Event::Printed(bytes) => {
                    self.hear_printed(bytes);
                    ControlFlow::Continue(())
                }
                Event::Exited(exit) => {
                    self.exit = Some(exit.clone());
                    ControlFlow::Break(Reason::Died(exit))
                }
                Event::Told(command) => self.obey(command),
                Event::Log => {
                    let log = self.what_to_log();
                    self.pass_on(Outgoing::Message(Box::new(ToMedia::Log { log })))
                }
                Event::Time => self.look(),
            };
            if let ControlFlow::Break(reason) = step {
                return reason;
            }
            // Who says more than can be heard keeps nobody from looking.
            if now() > self.next_time() + LOOK
                && let ControlFlow::Break(reason) = self.look()
            {
                return reason;
            }
        }
    }

    /// The newest, which counts as told.
    fn what_to_log(&mut self) -> String {
        self.log.borrow_and_update().to_string()
    }

    async fn next(&mut self) -> Event {
        let time = self.next_time();
        tokio::select! {
            // What has come is judged before it is missed, and before its process is gone.
            biased;
            came = self.link.next() => Event::Came(came),
            bytes = read_printed(&mut self.printed, &mut self.piece) => Event::Printed(bytes),
            exit = self.process.wait() => Event::Exited(exit),
            command = self.inbox.next(self.is_ready) => Event::Told(command),
            Ok(()) = self.log.changed() => Event::Log,
            () = sleep_until(time.into()) => Event::Time,
        }
    }

    fn next_time(&self) -> StdInstant {
        let mut next = self.conduct.next_look();
        if self.is_ready {
            next = next.min(self.next_ping);
        }
        if let Some(since) = self.empty_since {
            next = next.min(since + self.config.keep_empty);
        }
        next
    }

    fn hear_printed(&mut self, bytes: usize) {
        let now = now();
        if bytes == 0 {
            self.printed = None;
            self.journal.end(now);
        } else {
            self.journal.print(&self.piece[..bytes], now);
        }
    }

    async fn hear(
        &mut self,
        came: Result<Option<(Received<FromMedia>, u64)>, LinkError>,
    ) -> ControlFlow<Reason> {
        let error = match came {
            Ok(Some((received, bytes))) => return self.judge(received, bytes),
            Ok(None) => None,
            Err(error) => Breach::of_link(&error),
        };
        ControlFlow::Break(match error {
            Some(breach) => Reason::Breach(breach),
            None => self.wait_for_exit().await,
        })
    }

    fn judge(&mut self, received: Received<FromMedia>, bytes: u64) -> ControlFlow<Reason> {
        let now = now();
        let pictures = u64::try_from(received.attachment.len()).unwrap_or(u64::MAX);
        let bytes = bytes.saturating_sub(pictures);
        match self.conduct.hears(&received.message, bytes, now) {
            Ok(Verdict::Counts) => {}
            Ok(Verdict::TooLate) => return ControlFlow::Continue(()),
            Err(breach) => return ControlFlow::Break(Reason::Breach(breach)),
        }
        match received.message {
            FromMedia::Ready { codecs, sandbox, .. } => {
                self.is_ready = true;
                self.next_ping = now;
                let lacking = sandbox.lacking.join(", ");
                if self.registry.is_ready(Ready { codecs, sandbox }) && !lacking.is_empty() {
                    tracing::warn!(
                        lacking,
                        "parts of the sandbox of media processes are not there"
                    );
                }
            }
            FromMedia::Log { level, target, connection, message } => {
                let session = connection.and_then(|id| self.connections.session(id));
                self.journal.hear(level, &target, session, &message, now);
            }
            _ => {
                if let Some(owner) = self.connections.tell(received, now) {
                    self.left(&owner);
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// A connection less.
    fn left(&mut self, owner: &Owner) {
        let now = now();
        if self.registry.left(self.number, owner, now) {
            self.empty_since = Some(now);
        }
    }

    fn obey(&mut self, command: Option<Command>) -> ControlFlow<Reason> {
        if self.inbox.overflows() {
            return ControlFlow::Break(Reason::Breach(Breach::DoesNotRead));
        }
        match command {
            Some(Command::Open(open)) => self.open(*open),
            Some(Command::Send(message)) => self.pass_on(message),
            None => ControlFlow::Break(Reason::NotNeeded),
        }
    }

    fn open(&mut self, open: Open) -> ControlFlow<Reason> {
        if open.answer.is_closed() {
            self.left(&open.ends.owner);
            return ControlFlow::Continue(());
        }
        let offer = Outgoing::Message(Box::new(open.offer.clone()));
        self.connections.open(open);
        self.pass_on(offer)
    }

    /// Sends a message to a connection, unless it has become void.
    fn pass_on(&mut self, message: Outgoing) -> ControlFlow<Reason> {
        let may = match &message {
            Outgoing::Latest(connection, _) => self.conduct.takes(*connection),
            Outgoing::Message(message) => match message.check(0) {
                Ok(()) => self.conduct.sends(message, now()),
                Err(error) => {
                    tracing::debug!(%error, "a message to a media process is not sent");
                    false
                }
            },
        };
        if may { self.send(message) } else { ControlFlow::Continue(()) }
    }

    fn send(&self, message: Outgoing) -> ControlFlow<Reason> {
        match self.link.send(message) {
            Ok(()) => ControlFlow::Continue(()),
            Err(link::IsFull) => ControlFlow::Break(Reason::Breach(Breach::DoesNotRead)),
        }
    }

    /// Sees to what is due.
    fn look(&mut self) -> ControlFlow<Reason> {
        let now = now();
        if let Some(breach) = self.conduct.overdue(now) {
            return ControlFlow::Break(Reason::Breach(breach));
        }
        if self.empty_since.is_some_and(|since| now >= since + self.config.keep_empty) {
            self.empty_since = None;
            if self.registry.close_if_empty(self.number) {
                return ControlFlow::Break(Reason::NotNeeded);
            }
        }
        self.ping(now)
    }

    fn ping(&mut self, now: StdInstant) -> ControlFlow<Reason> {
        if !self.is_ready || now < self.next_ping {
            return ControlFlow::Continue(());
        }
        self.next_ping = now + self.config.ping_every;
        self.pings += 1;
        self.pass_on(Outgoing::Message(Box::new(ToMedia::Ping { number: self.pings })))
    }
}
