//! What must come from a media process, and by when.

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

use live_vlm_media_link::ConnectionId;

/// How often it is looked at least whether something is overdue.
pub const LOOK: Duration = Duration::from_secs(1);
/// Who looks so much too late was held up, and so, perhaps, was everybody else.
const HELD_UP: Duration = Duration::from_secs(1);

/// Something that must come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// That the process is ready, after its start.
    Ready,
    /// The reply to a ping.
    Pong,
    /// The answer to an offer.
    Answer(ConnectionId),
    /// The question, or that there is none, on a turn.
    Question(ConnectionId),
    /// That a connection has stopped.
    Stopped(ConnectionId),
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("did not become ready"),
            Self::Pong => f.write_str("gave no sign of life"),
            Self::Answer(connection) => write!(f, "did not answer the offer of {connection}"),
            Self::Question(connection) => write!(f, "did not use the turn of {connection}"),
            Self::Stopped(connection) => write!(f, "did not stop {connection}"),
        }
    }
}

/// How long each is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// From the start until the process is ready: 30 s, as the first one on a host may have to look
    /// through all of GStreamer's plugins.
    pub ready: Duration,
    /// Until it replies to a ping: 5 s.
    pub pong: Duration,
    /// Until it answers an offer: 10 s.
    pub answer: Duration,
    /// Until it uses a turn: 10 s.
    pub question: Duration,
    /// Until it has stopped a connection: 5 s.
    pub stopped: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            ready: Duration::from_secs(30),
            pong: Duration::from_secs(5),
            answer: Duration::from_secs(10),
            question: Duration::from_secs(10),
            stopped: Duration::from_secs(5),
        }
    }
}

impl Patience {
    /// How long this is waited for.
    pub fn with(&self, due: Due) -> Duration {
        match due {
            Due::Ready => self.ready,
            Due::Pong => self.pong,
            Due::Answer(_) => self.answer,
            Due::Question(_) => self.question,
            Due::Stopped(_) => self.stopped,
        }
    }
}

/// What must come, and by when. Time is an argument and never goes back.
#[derive(Debug)]
pub struct Deadlines {
    patience: Patience,
    due: BTreeMap<Due, Instant>,
    looked: Instant,
}

impl Deadlines {
    /// Nothing must come yet.
    pub fn new(patience: Patience, now: Instant) -> Self {
        Self { patience, due: BTreeMap::new(), looked: now }
    }

    /// This must come, from now on.
    pub fn expect(&mut self, due: Due, now: Instant) {
        self.due.insert(due, now + self.patience.with(due));
    }

    /// This has come, or need not come any more. Whether it had to.
    pub fn met(&mut self, due: Due) -> bool {
        self.due.remove(&due).is_some()
    }

    /// When to look for what is [overdue](Self::overdue) at the latest.
    pub fn next(&self) -> Instant {
        self.due.values().copied().chain([self.looked + LOOK]).min().unwrap_or(self.looked)
    }

    /// What should have come by now. To be asked once all that has come is read; it must be asked
    /// every [`LOOK`] at least. If it was not, whoever asks was held up, with the whole host perhaps:
    /// then everything may come that much later.
    pub fn overdue(&mut self, now: Instant) -> Option<Due> {
        let since = now - self.looked;
        self.looked = now;
        if since > LOOK + HELD_UP {
            self.due.values_mut().for_each(|at| *at += since);
        }
        self.due.iter().find(|(_, at)| **at <= now).map(|(due, _)| *due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ConnectionId = ConnectionId(1);
    const ALL: [Due; 5] =
        [Due::Ready, Due::Pong, Due::Answer(ONE), Due::Question(ONE), Due::Stopped(ONE)];

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// When this is found overdue by who looks as often as they should, in milliseconds.
    fn found(deadlines: &mut Deadlines, begin: Instant) -> Option<(Due, u64)> {
        (0..60_000)
            .step_by(500)
            .chain([60_000])
            .find_map(|after| deadlines.overdue(begin + ms(after)).map(|due| (due, after)))
    }

    #[test]
    fn each_is_overdue_when_it_was_waited_for_long_enough() {
        for (due, seconds) in ALL.into_iter().zip([30, 5, 10, 10, 5]) {
            let begin = Instant::now();
            let mut deadlines = Deadlines::new(Patience::default(), begin);
            deadlines.expect(due, begin);
            assert_eq!(found(&mut deadlines, begin), Some((due, seconds * 1000)));
        }
    }

    #[test]
    fn what_has_come_is_not_overdue_and_was_due_once() {
        let begin = Instant::now();
        let mut deadlines = Deadlines::new(Patience::default(), begin);
        for due in ALL {
            assert!(!deadlines.met(due));
            deadlines.expect(due, begin);
            assert!(deadlines.met(due) && !deadlines.met(due));
        }
        assert_eq!(found(&mut deadlines, begin), None);
    }

    #[test]
    fn one_connection_is_not_the_other() {
        let begin = Instant::now();
        let mut deadlines = Deadlines::new(Patience::default(), begin);
        deadlines.expect(Due::Answer(ONE), begin);
        assert!(!deadlines.met(Due::Answer(ConnectionId(2))));
        assert!(!deadlines.met(Due::Stopped(ONE)));
        assert_eq!(found(&mut deadlines, begin).unwrap().0, Due::Answer(ONE));
    }

    #[test]
    fn it_is_looked_when_the_first_is_due_and_every_second() {
        let begin = Instant::now();
        let patience = Patience { pong: ms(300), answer: ms(200), ..Patience::default() };
        let mut deadlines = Deadlines::new(patience, begin);
        assert_eq!(deadlines.next(), begin + LOOK);
        deadlines.expect(Due::Pong, begin);
        deadlines.expect(Due::Answer(ONE), begin);
        assert_eq!(deadlines.next(), begin + ms(200));
        deadlines.met(Due::Answer(ONE));
        assert_eq!(deadlines.next(), begin + ms(300));
        deadlines.met(Due::Pong);
        assert_eq!(deadlines.overdue(begin + ms(700)), None);
        assert_eq!(deadlines.next(), begin + ms(700) + LOOK);
    }

    #[test]
    fn who_was_held_up_themselves_waits_that_much_longer() {
        let begin = Instant::now();
        let mut deadlines = Deadlines::new(Patience::default(), begin);
        deadlines.expect(Due::Pong, begin);
        assert_eq!(deadlines.overdue(begin + ms(1000)), None);
        // The host sleeps for a minute. All of it goes on where it stopped.
        let after = begin + ms(61_000);
        assert_eq!(deadlines.overdue(after), None);
        assert_eq!(found(&mut deadlines, after), Some((Due::Pong, 4000)));
    }
}
