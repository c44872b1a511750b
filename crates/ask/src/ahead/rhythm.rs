use std::time::{Duration, Instant};

/// A turn that comes so soon after it was wanted was not waited for.
const AT_ONCE: Duration = Duration::from_millis(20);

/// When turns come, as far as that can be told from how they came before: pure.
#[derive(Debug, Default)]
pub struct Rhythm {
    wanted: Option<Instant>,
    /// When the question that is asked had its turn.
    turn: Option<Instant>,
    /// How long it takes from there to its end, smoothed.
    takes: Option<Duration>,
    /// Whether others went before, the last time.
    waits: bool,
}

impl Rhythm {
    /// A turn is wanted now.
    pub fn wanted(&mut self, now: Instant) {
        self.wanted = Some(now);
    }

    /// The turn has come.
    pub fn has_turn(&mut self, now: Instant) {
        if let Some(wanted) = self.wanted.take() {
            self.waits = now.saturating_duration_since(wanted) > AT_ONCE;
        }
        self.turn = Some(now);
    }

    /// The question has its answer.
    pub fn answered(&mut self, now: Instant) {
        if let Some(turn) = self.turn.take() {
            let took = now.saturating_duration_since(turn);
            self.takes = Some(self.takes.map_or(took, |takes| (takes * 3 + took) / 4));
        }
    }

    /// The question came to nothing.
    pub fn dropped(&mut self) {
        (self.wanted, self.turn) = (None, None);
    }

    /// When the turn is to be expected that is wanted now; `None` if others go before, who knows how
    /// many.
    pub fn turn_for_want(&self) -> Option<Instant> {
        self.wanted.filter(|_| !self.waits)
    }

    /// The same of the next question, which is not wanted before it is due, nor before the one that
    /// is asked has its answer.
    pub fn next_turn(&self, due: Instant) -> Option<Instant> {
        let end = match self.turn {
            Some(turn) => Some(turn + self.takes?),
            None => None,
        };
        (!self.waits).then(|| end.map_or(due, |end| due.max(end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// One that had its turns so long after it wanted them, and its answers 500 ms later.
    fn after(waits: &[u64], begin: Instant) -> Rhythm {
        let mut rhythm = Rhythm::default();
        for (n, wait) in (0..).zip(waits) {
            let wanted = begin + ms(n * 10_000);
            rhythm.wanted(wanted);
            rhythm.has_turn(wanted + ms(*wait));
            rhythm.answered(wanted + ms(*wait + 500));
        }
        rhythm
    }

    #[test]
    fn who_does_not_wait_has_the_next_turn_when_it_is_due() {
        let begin = Instant::now();
        assert_eq!(Rhythm::default().next_turn(begin), Some(begin));
        let mut rhythm = after(&[5, 2], begin);
        let due = begin + ms(90_000);
        assert_eq!(rhythm.next_turn(due), Some(due));
        rhythm.wanted(due);
        assert_eq!(rhythm.turn_for_want(), Some(due));
    }

    #[test]
    fn what_is_due_before_the_answer_has_its_turn_when_that_is_there() {
        let begin = Instant::now();
        let mut rhythm = after(&[5], begin);
        let turn = begin + ms(90_000);
        rhythm.wanted(turn);
        rhythm.has_turn(turn);
        assert_eq!(rhythm.next_turn(turn + ms(100)), Some(turn + ms(500)));
        assert_eq!(rhythm.next_turn(turn + ms(900)), Some(turn + ms(900)));
        rhythm.dropped();
        assert_eq!(rhythm.next_turn(turn), Some(turn));
    }

    #[test]
    fn nobody_knows_when_the_turn_of_one_who_waits_comes() {
        let begin = Instant::now();
        let mut rhythm = after(&[5, 800], begin);
        assert_eq!(rhythm.next_turn(begin), None);
        rhythm.wanted(begin + ms(90_000));
        assert_eq!(rhythm.turn_for_want(), None);
        rhythm.has_turn(begin + ms(90_001));
        rhythm.answered(begin + ms(90_500));
        assert!(rhythm.next_turn(begin).is_some());
    }
}
