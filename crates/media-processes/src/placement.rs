//! Which process a new connection goes to.
//!
//! As few users to a process as there is room for: whatever a user's video does to its process
//! meets that user first. And a process that had somebody's video in it is nobody else's
//! afterwards: it ends when they have left.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::owner::Owner;

/// Who has left a process this long ago may still be why it ends.
pub const REMEMBERED: Duration = Duration::from_secs(60);
/// Owners that have left a process and are remembered.
const MOST_REMEMBERED: usize = 32;

/// A media process, by a number that is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessNumber(pub u64);

impl fmt::Display for ProcessNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many processes there may be, and how much in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Up to so many, each user gets one of their own.
    pub wanted: usize,
    /// There are never more, even if all are full, but for as many that are empty and end.
    pub most: usize,
    /// Connections that a process has room for.
    pub connections: usize,
}

impl Bounds {
    /// Memory for each process that a user has for themselves.
    const MEMORY: u64 = 256 << 20;
    /// What is wanted at most, however large the host is.
    const MOST_WANTED: usize = 64;
    /// Connections of a process. All of them end with it.
    const CONNECTIONS: usize = 8;

    /// What suits a host with so many cores and bytes of memory, for so many connections; 0 = any
    /// number, which is taken as 1000. `wanted` is what the operator says, if they do.
    pub fn for_host(wanted: Option<usize>, cores: usize, memory: u64, connections: usize) -> Self {
        let by_memory = usize::try_from(memory / Self::MEMORY).unwrap_or(usize::MAX);
        let by_host = by_memory.min(cores.saturating_mul(4)).clamp(2, Self::MOST_WANTED);
        let wanted = wanted.unwrap_or(by_host).max(1);
        let needed = match connections {
            0 => 1000_usize.div_ceil(Self::CONNECTIONS),
            some => some.div_ceil(Self::CONNECTIONS),
        };
        // Whoever is placed apart needs one more.
        Self { wanted, most: wanted.max(needed) + wanted, connections: Self::CONNECTIONS }
    }
}

/// Where a connection goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// To a process that there is.
    In(ProcessNumber),
    /// To a new one.
    New(ProcessNumber),
}

impl Place {
    /// Either's number.
    pub fn number(self) -> ProcessNumber {
        match self {
            Self::In(number) | Self::New(number) => number,
        }
    }
}

/// Every process is full, and there may be no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// Who is where. Time is an argument.
#[derive(Debug)]
pub struct Placement {
    bounds: Bounds,
    processes: BTreeMap<ProcessNumber, Occupants>,
}

#[derive(Debug, Default)]
struct Occupants {
    /// Connections of each.
    connections: HashMap<Owner, usize>,
    /// The only user who may be in it.
    apart: Option<Arc<str>>,
    /// Whoever left last, for whom it is kept a while when it is empty.
    last_user: Option<Arc<str>>,
    /// Who has left, and when.
    left: Vec<(Owner, Instant)>,
    /// When it became empty, if it is.
    empty_since: Option<Instant>,
    /// It takes nobody any more.
    is_closed: bool,
}

impl Occupants {
    fn total(&self) -> usize {
        self.connections.values().sum()
    }

    fn of_user(&self, user: &str) -> usize {
        let own = self.connections.iter().filter(|(owner, _)| &*owner.user == user);
        own.map(|(_, connections)| connections).sum()
    }

    fn has_left(&mut self, owner: &Owner, now: Instant) {
        self.left.retain(|(before, at)| before != owner && now - *at < REMEMBERED);
        if self.left.len() >= MOST_REMEMBERED {
            self.left.remove(0);
        }
        self.left.push((owner.clone(), now));
    }

    /// Whether it is this user's: they are in it, or were the last ones.
    fn is_of(&self, user: &str) -> bool {
        let was_last = || self.last_user.as_deref() == Some(user);
        self.of_user(user) > 0 || (self.connections.is_empty() && was_last())
    }

    /// Whether somebody who is not in it yet may share it.
    fn may_be_shared(&self) -> bool {
        !self.connections.is_empty() && self.apart.is_none()
    }
}

impl Placement {
    /// Nobody is anywhere. Bounds of 0 are taken as 1, and `most` as no less than `wanted`.
    pub fn new(bounds: Bounds) -> Self {
        let wanted = bounds.wanted.max(1);
        let (most, connections) = (bounds.most.max(wanted), bounds.connections.max(1));
        let bounds = Bounds { wanted, most, connections };
        Self { bounds, processes: BTreeMap::new() }
    }

    /// A place for one more connection, which is taken until [`leave`](Self::leave) or
    /// [`remove`](Self::remove). `new` is the number of the process that comes if one is needed; it
    /// must not have been used.
    ///
    /// # Errors
    /// When there is none.
    pub fn place(&mut self, owner: &Owner, new: ProcessNumber) -> Result<Place, Full> {
        let own = self.best(|process| process.is_of(&owner.user) && process.apart.is_none());
        if let Some(number) = own {
            return Ok(self.take(number, owner));
        }
        if self.in_use() >= self.bounds.wanted
            && let Some(number) = self.best(Occupants::may_be_shared)
        {
            return Ok(self.take(number, owner));
        }
        self.start(new, owner, None)
    }

    /// As [`place`](Self::place), in a process where no other user is.
    ///
    /// # Errors
    /// When there is none.
    pub fn place_apart(&mut self, owner: &Owner, new: ProcessNumber) -> Result<Place, Full> {
        match self.best(|process| process.apart.as_ref() == Some(&owner.user)) {
            Some(number) => Ok(self.take(number, owner)),
            None => self.start(new, owner, Some(Arc::clone(&owner.user))),
        }
    }

    /// Of those that have room, the one with the fewest users and then the fewest connections.
    fn best(&self, which: impl Fn(&Occupants) -> bool) -> Option<ProcessNumber> {
        let room = |process: &Occupants| process.total() < self.bounds.connections;
        let fit = self
            .processes
            .iter()
            .filter(|(_, process)| !process.is_closed && room(process) && which(process));
        let rank = |process: &Occupants| (process.connections.len(), process.total());
        fit.min_by_key(|(_, process)| rank(process)).map(|(number, _)| *number)
    }

    fn take(&mut self, number: ProcessNumber, owner: &Owner) -> Place {
        if let Some(process) = self.processes.get_mut(&number) {
            *process.connections.entry(owner.clone()).or_default() += 1;
            process.empty_since = None;
        }
        Place::In(number)
    }

    fn start(
        &mut self,
        number: ProcessNumber,
        owner: &Owner,
        apart: Option<Arc<str>>,
    ) -> Result<Place, Full> {
        let is_ending = |process: &&Occupants| process.is_closed && process.connections.is_empty();
        let ending = self.processes.values().filter(is_ending).count();
        let most = self.bounds.most;
        if self.processes.len() - ending >= most || ending >= most {
            return Err(Full);
        }
        self.processes.insert(number, Occupants { apart, ..Occupants::default() });
        self.take(number, owner);
        Ok(Place::New(number))
    }

    /// A connection less. Whether its process is empty now; then it is kept for this user until
    /// [`close_if_empty`](Self::close_if_empty).
    pub fn leave(&mut self, number: ProcessNumber, owner: &Owner, now: Instant) -> bool {
        let Some(process) = self.processes.get_mut(&number) else { return false };
        let Some(connections) = process.connections.get_mut(owner) else { return false };
        *connections -= 1;
        if *connections == 0 {
            process.connections.remove(owner);
            process.last_user = Some(Arc::clone(&owner.user));
            process.has_left(owner, now);
        }
        let is_empty = process.connections.is_empty();
        process.empty_since = is_empty.then_some(now);
        is_empty
    }

    /// Closes the process that has been empty for longest, so that there is room for one more. It
    /// must end then.
    pub fn close_an_empty_one(&mut self) -> Option<ProcessNumber> {
        let open = self.processes.iter().filter(|(_, process)| !process.is_closed);
        let empty = open.filter_map(|(number, process)| Some((process.empty_since?, *number)));
        let (_, number) = empty.min()?;
        self.close(number);
        Some(number)
    }

    /// This process takes nobody any more.
    pub fn close(&mut self, number: ProcessNumber) {
        if let Some(process) = self.processes.get_mut(&number) {
            process.is_closed = true;
        }
    }

    /// As [`close`](Self::close), if nobody is in it; whether that is so.
    pub fn close_if_empty(&mut self, number: ProcessNumber) -> bool {
        let Some(process) = self.processes.get_mut(&number) else { return true };
        process.is_closed |= process.connections.is_empty();
        process.connections.is_empty()
    }

    /// A process is gone. Returns who was in it, or left it shortly before: each once, in no order.
    pub fn remove(&mut self, number: ProcessNumber, now: Instant) -> Vec<Owner> {
        let Some(process) = self.processes.remove(&number) else { return Vec::new() };
        let left = process.left.into_iter().filter(|(_, at)| now - *at < REMEMBERED);
        let left = left.map(|(owner, _)| owner);
        let mut owners: Vec<_> = process.connections.into_keys().chain(left).collect();
        owners.sort();
        owners.dedup();
        owners
    }

    /// Processes that somebody is in.
    pub fn in_use(&self) -> usize {
        self.processes.values().filter(|process| !process.connections.is_empty()).count()
    }

    /// Connections in all processes.
    pub fn connections(&self) -> usize {
        self.processes.values().map(Occupants::total).sum()
    }
}

#[cfg(test)]
#[path = "placement_tests.rs"]
mod tests;
