//! What all media processes have in common: who is where, who is to blame, what has ended.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use live_vlm_media_link::{Codec, SandboxParts};
use tokio::sync::watch;

use crate::{
    blame::{Blame, Standing},
    cause::Cause,
    commands::{Commands, Inbox},
    failure::OfferFailure,
    owner::Owner,
    placement::{Bounds, Full, Place, Placement, ProcessNumber},
};

/// Its lock is a leaf, held for a decision.
#[derive(Debug)]
pub(crate) struct Registry {
    state: Mutex<State>,
    /// Told after each change of the figures.
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    placement: Placement,
    blame: Blame,
    processes: HashMap<ProcessNumber, Commands>,
    /// The kernel's numbers of those that have been started and have one.
    ids: HashMap<ProcessNumber, u32>,
    /// One that was started ahead, and is nobody's yet.
    spare: Option<ProcessNumber>,
    last_number: u64,
    is_closed: bool,
    figures: Figures,
    ready: Option<Ready>,
    /// Why the first one did not become ready.
    failed: Option<Arc<Cause>>,
}

/// What there is, and what has happened so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Media processes, with the spare one.
    pub processes: usize,
    /// Connections in all of them.
    pub connections: usize,
    /// Processes that were started.
    pub started: u64,
    /// Processes that have ended, by the [name](Cause::name) of the cause.
    pub ended: BTreeMap<&'static str, u64>,
    /// How often somebody came to be refused for ten minutes.
    pub refused: u64,
}

/// What a media process said when it was ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// What can be decoded.
    pub codecs: Vec<Codec>,
    /// What a media process can no longer do.
    pub sandbox: SandboxParts,
}

/// A process that is to be started.
#[derive(Debug)]
pub(crate) struct Begin {
    pub(crate) number: ProcessNumber,
    pub(crate) inbox: Inbox,
}

/// A place that was found.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) number: ProcessNumber,
    pub(crate) commands: Commands,
    /// The process must be started.
    pub(crate) begin: Option<Begin>,
}

impl State {
    fn begin(&mut self) -> (Begin, Commands) {
        self.last_number += 1;
        let number = ProcessNumber(self.last_number);
        let (commands, inbox) = Commands::new();
        self.processes.insert(number, commands.clone());
        self.figures.started += 1;
        (Begin { number, inbox }, commands)
    }

    fn find(&mut self, owner: &Owner, is_apart: bool, new: ProcessNumber) -> Result<Place, Full> {
        match is_apart {
            true => self.placement.place_apart(owner, new),
            false => self.placement.place(owner, new),
        }
    }

    /// What is kept for somebody who may come back gives way to somebody who is here.
    fn end_an_empty_one(&mut self) -> bool {
        let Some(number) = self.placement.close_an_empty_one() else { return false };
        if let Some(commands) = self.processes.get(&number) {
            commands.end();
        }
        true
    }
}

impl Registry {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let state = State {
            placement: Placement::new(bounds),
            blame: Blame::default(),
            processes: HashMap::new(),
            ids: HashMap::new(),
            spare: None,
            last_number: 0,
            is_closed: false,
            figures: Figures::default(),
            ready: None,
            failed: None,
        };
        Self { state: Mutex::new(state), changed: watch::Sender::new(()) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more connection of this owner, which is taken until [`left`](Self::left) or
    /// the process has ended.
    pub(crate) fn place(&self, owner: &Owner, now: Instant) -> Result<Placed, OfferFailure> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(OfferFailure::Closing);
        }
        let next = state.spare.unwrap_or(ProcessNumber(state.last_number + 1));
        let is_apart = match state.blame.standing(owner, now) {
            Standing::Refused(retry_after) => return Err(OfferFailure::Refused { retry_after }),
            Standing::Apart => true,
            Standing::Good => false,
        };
        let place = match state.find(owner, is_apart, next) {
            Err(Full) if state.end_an_empty_one() => state.find(owner, is_apart, next),
            found => found,
        };
        let place = place.map_err(|Full| OfferFailure::Full)?;
        if matches!(place, Place::New(_)) && state.spare.take().is_none() {
            let (begin, commands) = state.begin();
            return Ok(Placed { number: begin.number, commands, begin: Some(begin) });
        }
        let number = place.number();
        match state.processes.get(&number) {
            Some(commands) => Ok(Placed { number, commands: commands.clone(), begin: None }),
            // A process is in both or neither.
            None => Err(OfferFailure::Full),
        }
    }

    /// A process to be started ahead, if there is none yet.
    pub(crate) fn spare(&self) -> Option<Begin> {
        let mut state = self.lock();
        if state.is_closed || state.spare.is_some() {
            return None;
        }
        let (begin, _) = state.begin();
        state.spare = Some(begin.number);
        Some(begin)
    }

    /// A process runs, with this number for the kernel.
    pub(crate) fn runs(&self, number: ProcessNumber, id: u32) {
        self.lock().ids.insert(number, id);
    }

    /// The kernel's numbers of all that run.
    pub(crate) fn ids(&self) -> Vec<u32> {
        self.lock().ids.values().copied().collect()
    }

    /// A process is ready. Whether it is the first one that says so.
    pub(crate) fn is_ready(&self, ready: Ready) -> bool {
        let is_first = self.lock().ready.replace(ready).is_none();
        self.changed.send_replace(());
        is_first
    }

    /// Waits until one was ready, or has ended before.
    pub(crate) async fn started(&self) -> Result<(), Arc<Cause>> {
        let mut changes = self.changed.subscribe();
        loop {
            {
                let state = self.lock();
                if state.ready.is_some() {
                    return Ok(());
                }
                if let Some(cause) = &state.failed {
                    return Err(Arc::clone(cause));
                }
            }
            // It is there for as long as this is.
            let _ = changes.changed().await;
        }
    }

    pub(crate) fn ready(&self) -> Option<Ready> {
        self.lock().ready.clone()
    }

    /// A connection less. Whether its process is empty now.
    pub(crate) fn left(&self, number: ProcessNumber, owner: &Owner, now: Instant) -> bool {
        let is_empty = self.lock().placement.leave(number, owner, now);
        self.changed.send_replace(());
        is_empty
    }

    /// An empty process takes nobody any more; whether it is that.
    pub(crate) fn close_if_empty(&self, number: ProcessNumber) -> bool {
        self.lock().placement.close_if_empty(number)
    }

    /// A process has ended. Returns which user and which address is refused from now on.
    pub(crate) fn ended(&self, cause: &Cause, now: Instant) -> Vec<Arc<str>> {
        let refused = self.forget(cause, now);
        self.changed.send_replace(());
        refused
    }

    fn forget(&self, cause: &Cause, now: Instant) -> Vec<Arc<str>> {
        let mut state = self.lock();
        let number = cause.process;
        let owners = state.placement.remove(number, now);
        state.processes.remove(&number);
        state.ids.remove(&number);
        state.spare = state.spare.filter(|spare| *spare != number);
        *state.figures.ended.entry(cause.name()).or_default() += 1;
        if state.ready.is_none() && state.failed.is_none() {
            state.failed = Some(Arc::new(cause.clone()));
        }
        if !cause.is_blamed() {
            return Vec::new();
        }
        let refused = state.blame.process_ended(&owners, now);
        state.figures.refused += refused.len() as u64;
        refused
    }

    /// Nobody is placed any more. Returns the ways to all processes.
    pub(crate) fn close(&self) -> Vec<Commands> {
        let mut state = self.lock();
        state.is_closed = true;
        state.processes.values().cloned().collect()
    }

    /// Waits until the figures are so.
    pub(crate) async fn wait_for(&self, are_so: impl Fn(&Figures) -> bool) {
        let mut changes = self.changed.subscribe();
        while !are_so(&self.figures()) {
            // It is there for as long as this is.
            let _ = changes.changed().await;
        }
    }

    pub(crate) fn figures(&self) -> Figures {
        let state = self.lock();
        let mut figures = state.figures.clone();
        figures.processes = state.processes.len();
        figures.connections = state.placement.connections();
        figures
    }
}
