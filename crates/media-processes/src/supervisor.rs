use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use live_vlm_media_link::{
    ConnectionId, MAX_SDP, NetworkOptions, OfferError, PeerTimeouts, SamplingSettings, ToMedia,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};

use crate::{
    cause::Cause,
    commands::{Command, Ends, Handle, NoAnswer, Open},
    config::Config,
    failure::OfferFailure,
    frames::FrameCounter,
    launcher::Launcher,
    owner::Owner,
    peer::{Hold, OfferAnswered, PeerEvents},
    process::{self, ONCE, Surroundings},
    registry::{Begin, Figures, Placed, Ready, Registry},
    turns::Turns,
    usage::{Meter, Sample, Usage},
};

/// The events that come once, and wishes for frames, which come as often as they like.
const EVENTS: usize = ONCE + 4;
/// What may be said about a want that nobody listened to, and about the next one.
const ASKS: usize = 8;

/// How an offer is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OfferOptions {
    /// What the session is called in logs.
    pub session: Arc<str>,
    /// How the peer reaches us.
    pub network: NetworkOptions,
    /// When the peer is taken for lost.
    pub timeouts: PeerTimeouts,
    /// When to ask.
    pub settings: SamplingSettings,
}

/// All media processes. Cheap to clone. When the last clone is dropped, every process is ended at
/// once; [`shut_down`](Self::shut_down) lets them end.
#[derive(Debug, Clone)]
pub struct MediaProcesses {
    inner: Arc<Inner>,
}

struct Inner {
    surroundings: Surroundings,
    /// What is logged.
    log: watch::Sender<Arc<str>>,
    last_connection: AtomicU64,
    /// One for each process. A leaf lock, held to start one.
    tasks: Mutex<JoinSet<()>>,
    /// Readings of `/proc` that were begun.
    readings: AtomicU64,
    /// A leaf lock, held to add up what was read.
    meter: Mutex<Meter>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("figures", &self.surroundings.registry.figures()).finish()
    }
}

/// Why a try to have an offer answered failed.
enum Failed {
    For(OfferFailure),
    /// The process ended before it had the offer.
    Unsent(Arc<Cause>),
}

impl MediaProcesses {
    /// Starts none yet but the spare one, if there is to be one. To be called on a runtime.
    pub fn new(config: Config, launcher: impl Launcher) -> Self {
        let (log, logs) = watch::channel(config.log.as_str().into());
        let surroundings = Surroundings {
            log: logs,
            registry: Arc::new(Registry::new(config.bounds)),
            launcher: Arc::new(launcher),
            config: Arc::new(config),
        };
        let tasks = Mutex::default();
        let (last_connection, readings) = (AtomicU64::new(0), AtomicU64::new(0));
        let meter = Mutex::default();
        let inner = Inner { surroundings, log, last_connection, tasks, readings, meter };
        let processes = Self { inner: Arc::new(inner) };
        processes.keep_spare();
        processes
    }

    /// Has a WebRTC offer (RFC 8829) answered by a media process. If the future is dropped, the
    /// connection is too.
    ///
    /// # Errors
    /// When the offer cannot be used, its owner is refused, or there is no room; nothing is left
    /// behind.
    pub async fn offer(
        &self,
        owner: &Owner,
        sdp: &str,
        options: &OfferOptions,
    ) -> Result<OfferAnswered, OfferFailure> {
        if sdp.len() > MAX_SDP {
            return Err(OfferError::TooLarge { bytes: sdp.len() }.into());
        }
        match self.offer_once(owner, sdp, options).await {
            Err(Failed::For(failure)) => Err(failure),
            Ok(answered) => Ok(answered),
            // Another user's video has ended it, or it was about to end as nobody was in it.
            Err(Failed::Unsent(cause)) if cause.is_started() => {
                self.offer_once(owner, sdp, options).await.map_err(|failed| match failed {
                    Failed::For(failure) => failure,
                    Failed::Unsent(cause) => OfferFailure::of(cause),
                })
            }
            Err(Failed::Unsent(cause)) => Err(OfferFailure::of(cause)),
        }
    }

    async fn offer_once(
        &self,
        owner: &Owner,
        sdp: &str,
        options: &OfferOptions,
    ) -> Result<OfferAnswered, Failed> {
        let now = tokio::time::Instant::now().into_std();
        let placed = self.place(owner, now).map_err(Failed::For)?;
        let OfferOptions { session, network, timeouts, settings } = options.clone();
        let connection =
            ConnectionId(self.inner.last_connection.fetch_add(1, Ordering::Relaxed) + 1);
        let offer = ToMedia::Offer { connection, sdp: sdp.to_owned(), network, timeouts, settings };
        let (events, told) = mpsc::channel(EVENTS);
        let (asks, asked) = mpsc::channel(ASKS);
        let (over, is_over) = oneshot::channel();
        let (answer, answered) = oneshot::channel();
        let frames = FrameCounter::default();
        let owner = owner.clone();
        let ends = Ends { owner, session, events, asks, frames: frames.0.clone(), _over: over };
        placed.commands.send(Command::Open(Box::new(Open { connection, offer, ends, answer })));
        let handle = Handle::new(connection, placed.commands);
        let hold = Hold::new(handle.clone(), is_over);
        match answered.await {
            Ok(Ok(answered)) => {
                let peer = hold.peer(&answered, frames, placed.number);
                let (events, turns) = (PeerEvents::new(told), Turns::new(handle, asked));
                Ok(OfferAnswered { peer, sdp: answered.sdp, events, turns })
            }
            Ok(Err(NoAnswer::Refused(error))) => Err(Failed::For(error.into())),
            Ok(Err(NoAnswer::Gone(cause))) => Err(Failed::For(OfferFailure::of(cause))),
            Ok(Err(NoAnswer::Unsent(cause))) => Err(Failed::Unsent(cause)),
            // The task is gone with all others.
            Err(_) => Err(Failed::For(OfferFailure::Closing)),
        }
    }

    fn place(&self, owner: &Owner, now: Instant) -> Result<Placed, OfferFailure> {
        let mut placed = self.inner.surroundings.registry.place(owner, now)?;
        if let Some(begin) = placed.begin.take() {
            self.begin(begin);
        }
        self.keep_spare();
        Ok(placed)
    }

    fn keep_spare(&self) {
        if self.inner.surroundings.config.keeps_spare
            && let Some(begin) = self.inner.surroundings.registry.spare()
        {
            self.begin(begin);
        }
    }

    fn begin(&self, begin: Begin) {
        let task = process::run(self.inner.surroundings.clone(), begin);
        let mut tasks = self.tasks();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has all of them log by this from now on, as `RUST_LOG` has it; at most 1 KiB.
    pub fn set_log(&self, log: &str) {
        self.inner.log.send_replace(log.into());
    }

    /// What there is, and what has happened so far.
    pub fn figures(&self) -> Figures {
        self.inner.surroundings.registry.figures()
    }

    /// What they use now, and what those that have ended have used. Reads two files of `/proc` for
    /// each that runs.
    pub fn usage(&self) -> Usage {
        let Surroundings { registry, launcher, .. } = &self.inner.surroundings;
        let reading = self.inner.readings.fetch_add(1, Ordering::Relaxed);
        let (children, parent) = (registry.ids(), launcher.parent());
        let this = std::process::id();
        let read = |id| Some((id, Sample::read(id)?));
        // Whose parent is another has taken the number of one that has ended.
        let is_ours =
            |(_, sample): &(u32, Sample)| sample.parent == this || Some(sample.parent) == parent;
        let now = children.into_iter().chain(parent).filter_map(read).filter(is_ours).collect();
        let mut meter = self.inner.meter.lock().unwrap_or_else(PoisonError::into_inner);
        meter.take(reading, now)
    }

    /// Waits until so many processes and connections have ended, or whatever else the figures are to
    /// say. What begins is not noticed by itself.
    pub async fn wait_for(&self, are_so: impl Fn(&Figures) -> bool) {
        self.inner.surroundings.registry.wait_for(are_so).await;
    }

    /// What the media process that became ready last has said: what it decodes, and what it can no
    /// longer do. `None` until one was ready.
    pub fn ready(&self) -> Option<Ready> {
        self.inner.surroundings.registry.ready()
    }

    /// Waits until the first one is ready, where one is [kept ready](Config::keeps_spare).
    ///
    /// # Errors
    /// Why it does not become so: nobody's offer is to be blamed.
    pub async fn started(&self) -> Result<(), Arc<Cause>> {
        if !self.inner.surroundings.config.keeps_spare {
            return Ok(());
        }
        self.inner.surroundings.registry.started().await
    }

    /// Ends all of them, and takes no offers any more. Done when nothing is left of them.
    pub async fn shut_down(&self) {
        for commands in self.inner.surroundings.registry.close() {
            commands.end();
        }
        let mut tasks = std::mem::take(&mut *self.tasks());
        while tasks.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{launcher::InProcess, placement::Bounds};

    #[tokio::test]
    async fn who_waits_for_the_first_one_learns_why_there_is_none() {
        let config = Config::new(Bounds { wanted: 1, most: 2, connections: 1 });
        let processes = MediaProcesses::new(config, InProcess::new(|_| async {}));
        let cause = processes.started().await.unwrap_err();
        assert_eq!(cause.to_string(), "media process 1 could not be started: ended");
        processes.shut_down().await;
    }

    #[tokio::test]
    async fn tasks_of_processes_that_have_ended_are_not_kept() {
        let config = Config::new(Bounds { wanted: 1, most: 2, connections: 1 });
        let processes = MediaProcesses::new(config, InProcess::new(|_| async {}));
        for _ in 0..20 {
            let options = OfferOptions::default();
            let failed = processes.offer(&Owner::signed_in("ada"), "", &options).await;
            assert!(matches!(failed, Err(OfferFailure::NotStarted(_))), "{failed:?}");
        }
        assert!(processes.tasks().len() <= 3, "{}", processes.tasks().len());
        processes.shut_down().await;
    }
}
