//! Whether a media process does what it should. It is not trusted: whoever found a fault in a
//! decoder may speak in its place. So each message is judged before anything follows from it, and
//! the first that no honest process would send ends the process.
//!
//! All of it is pure: what is sent, what is received and the time are arguments.

mod asking;
mod breach;
mod connection;

use std::{collections::BTreeMap, time::Instant};

use live_vlm_media_link::{ConnectionId, FromMedia, ToMedia};

pub use self::{asking::Verdict, breach::Breach};

use self::connection::Connection;
use crate::{
    bucket::Bucket,
    deadlines::{Deadlines, Due, Patience},
};

/// How much a media process may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Messages at once: 2000.
    pub messages_at_once: u64,
    /// Messages a second in the long run: 1000.
    pub messages_a_second: u64,
    /// Bytes at once, without the pictures that were asked for: 4 MiB.
    pub bytes_at_once: u64,
    /// Bytes a second in the long run: 2 MiB.
    pub bytes_a_second: u64,
}

impl Default for Allowance {
    fn default() -> Self {
        Self {
            messages_at_once: 2000,
            messages_a_second: 1000,
            bytes_at_once: 4 << 20,
            bytes_a_second: 2 << 20,
        }
    }
}

/// What one media process was told and has said. Times never go back.
#[derive(Debug)]
pub struct Conduct {
    connections: BTreeMap<ConnectionId, Connection>,
    is_ready: bool,
    messages: Bucket,
    bytes: Bucket,
    patience: Patience,
    deadlines: Deadlines,
    /// The number of the last ping, and whether it was replied to.
    ping: Option<(u64, bool)>,
}

impl Conduct {
    /// A process that was just started. It must become ready.
    pub fn new(allowance: Allowance, patience: Patience, now: Instant) -> Self {
        let mut deadlines = Deadlines::new(patience, now);
        deadlines.expect(Due::Ready, now);
        Self {
            connections: BTreeMap::new(),
            is_ready: false,
            messages: Bucket::new(allowance.messages_at_once, allowance.messages_a_second),
            bytes: Bucket::new(allowance.bytes_at_once, allowance.bytes_a_second),
            patience,
            deadlines,
            ping: None,
        }
    }

    /// Whether this message may be sent, which it then must be. Not if it has become void, such as a
    /// turn for a connection that has given up, or is gone.
    pub fn sends(&mut self, message: &ToMedia, now: Instant) -> bool {
        match message {
            ToMedia::Hello { .. } | ToMedia::Log { .. } => true,
            ToMedia::Ping { number } => self.pings(*number, now),
            ToMedia::Offer { connection, .. } => {
                if self.connections.contains_key(connection) {
                    return false;
                }
                self.connections.insert(*connection, Connection::default());
                self.deadlines.expect(Due::Answer(*connection), now);
                true
            }
            ToMedia::Stop { connection } => self.stops(*connection, now),
            ToMedia::Turn { connection } => {
                let is_given = self.goes_on(*connection).is_some_and(|c| c.asking.give_turn());
                if is_given {
                    self.deadlines.expect(Due::Question(*connection), now);
                }
                is_given
            }
            ToMedia::Ended { connection, .. } => {
                self.deadlines.met(Due::Question(*connection));
                self.goes_on(*connection).is_some_and(|c| c.asking.end())
            }
            ToMedia::TurnNear { connection } => {
                self.goes_on(*connection).is_some_and(|c| c.asking.waits())
            }
            other => other.connection().is_some_and(|of| self.goes_on(of).is_some()),
        }
    }

    /// Judges a message, which came in so many bytes, without pictures that were asked for.
    ///
    /// # Errors
    /// When no honest process would have sent it. The process is to be ended.
    pub fn hears(
        &mut self,
        message: &FromMedia,
        bytes: u64,
        now: Instant,
    ) -> Result<Verdict, Breach> {
        if !self.messages.take(1, now) {
            return Err(Breach::Flood);
        }
        if !self.bytes.take(bytes, now) {
            return Err(Breach::FloodOfBytes);
        }
        match message {
            FromMedia::Ready { .. } if self.is_ready => return Err(Breach::NotReady),
            FromMedia::Ready { .. } => {
                self.is_ready = true;
                self.deadlines.met(Due::Ready);
            }
            _ if !self.is_ready => return Err(Breach::NotReady),
            FromMedia::Pong { number } => self.is_alive(*number)?,
            // A line may be about a connection that is gone.
            FromMedia::Log { .. } => {}
            _ => return self.hears_of_connection(message, now),
        }
        Ok(Verdict::Counts)
    }

    fn hears_of_connection(
        &mut self,
        message: &FromMedia,
        now: Instant,
    ) -> Result<Verdict, Breach> {
        let connection = message.connection().ok_or(Breach::Meaningless)?;
        let Some(known) = self.connections.get_mut(&connection) else {
            return Err(Breach::UnknownConnection(connection));
        };
        let verdict =
            known.hear(message, now).map_err(|what| Breach::OutOfOrder { connection, what })?;
        let is_over = match message {
            FromMedia::Answered { result, .. } => {
                self.deadlines.met(Due::Answer(connection));
                result.is_err()
            }
            FromMedia::Question { .. }
            | FromMedia::NoQuestion { .. }
            | FromMedia::GiveUp { .. } => {
                self.deadlines.met(Due::Question(connection));
                false
            }
            FromMedia::Stopped { .. } => true,
            _ => false,
        };
        if is_over {
            self.forget(connection);
        }
        Ok(verdict)
    }

    fn forget(&mut self, connection: ConnectionId) {
        self.connections.remove(&connection);
        for due in [Due::Answer(connection), Due::Question(connection), Due::Stopped(connection)] {
            self.deadlines.met(due);
        }
    }

    /// A connection that is not to end.
    fn goes_on(&mut self, connection: ConnectionId) -> Option<&mut Connection> {
        self.connections.get_mut(&connection).filter(|known| !known.is_stopping)
    }

    fn stops(&mut self, connection: ConnectionId, now: Instant) -> bool {
        let Some(known) = self.goes_on(connection) else { return false };
        known.is_stopping = true;
        self.deadlines.met(Due::Answer(connection));
        self.deadlines.met(Due::Question(connection));
        self.deadlines.expect(Due::Stopped(connection), now);
        true
    }

    /// One ping at a time.
    fn pings(&mut self, number: u64, now: Instant) -> bool {
        let may = self.is_ready && self.ping.is_none_or(|(_, is_replied)| is_replied);
        if may {
            self.ping = Some((number, false));
            self.deadlines.expect(Due::Pong, now);
        }
        may
    }

    fn is_alive(&mut self, number: u64) -> Result<(), Breach> {
        match &mut self.ping {
            Some((expected, is_replied @ false)) if *expected == number => {
                *is_replied = true;
                self.deadlines.met(Due::Pong);
                Ok(())
            }
            _ => Err(Breach::WrongPong),
        }
    }

    /// When to look for what is [overdue](Self::overdue) at the latest.
    pub fn next_look(&self) -> Instant {
        self.deadlines.next()
    }

    /// What should have come by now, once all that has come was judged.
    pub fn overdue(&mut self, now: Instant) -> Option<Breach> {
        let due = self.deadlines.overdue(now)?;
        Some(Breach::Silence { due, within: self.patience.with(due) })
    }

    /// Whether this connection is there: it may still be on its way, or ending.
    pub fn has(&self, connection: ConnectionId) -> bool {
        self.connections.contains_key(&connection)
    }

    /// Whether this connection is there, and not to end: other settings may be sent to it.
    pub fn takes(&self, connection: ConnectionId) -> bool {
        self.connections.get(&connection).is_some_and(|known| !known.is_stopping)
    }
}

#[cfg(test)]
mod tests;
