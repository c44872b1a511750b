//! Signs of life between a page's connection and us: pure, time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use crate::times::Times;

/// When what was last heard and said.
#[derive(Debug)]
pub(super) struct Signs {
    /// How often a page is pinged, and how long it is left without a message. It sees no pings.
    beat: Duration,
    /// A page that has not been heard of for this long is gone.
    silence: Duration,
    heard: Instant,
    said: Instant,
    pinged: Instant,
    /// The first ping that nothing has come after.
    unanswered: Option<Instant>,
    is_silent: bool,
}

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Ping,
    /// Send a sign of life that a page can see.
    Alive,
    /// The page has left a ping unanswered: nobody may be reading.
    Silent,
    Gone,
    /// Nothing before this time.
    Nothing(Instant),
}

impl Signs {
    /// Of a connection that opens now.
    pub(super) fn new(now: Instant, times: &Times) -> Self {
        let Times { beat, silence, .. } = *times;
        let (unanswered, is_silent) = (None, false);
        Self { beat, silence, heard: now, said: now, pinged: now, unanswered, is_silent }
    }

    /// Something came from the page. True if it was taken for silent.
    pub(super) fn heard(&mut self, now: Instant) -> bool {
        self.heard = now;
        self.unanswered = None;
        std::mem::take(&mut self.is_silent)
    }

    /// The page was sent a message.
    pub(super) fn said(&mut self, now: Instant) {
        self.said = now;
    }

    /// What to do now. What it names counts as done.
    pub(super) fn due(&mut self, now: Instant) -> Due {
        let Self { beat, silence, .. } = *self;
        let (ping, alive) = (self.pinged + beat, self.said + beat);
        let doubted = self.unanswered.filter(|_| !self.is_silent).map(|asked| asked + beat);
        // Whoever was not asked, because we stood still ourselves, had nothing to say.
        let gone = self.unanswered.map(|asked| (self.heard + silence).max(asked + silence - beat));
        let is_over = |at: Option<Instant>| at.is_some_and(|at| now >= at);
        if is_over(gone) {
            Due::Gone
        } else if is_over(doubted) {
            self.is_silent = true;
            Due::Silent
        } else if now >= ping {
            self.pinged = now;
            self.unanswered.get_or_insert(now);
            Due::Ping
        } else if now >= alive {
            self.said = now;
            Due::Alive
        } else {
            let next = [doubted, gone].into_iter().flatten().fold(ping.min(alive), Instant::min);
            Due::Nothing(next)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is due in each of so many seconds, with their number.
    fn follow(signs: &mut Signs, began: Instant, seconds: std::ops::Range<u64>) -> Vec<(u64, Due)> {
        let mut all = Vec::new();
        for second in seconds {
            let now = began + Duration::from_secs(second);
            loop {
                match signs.due(now) {
                    Due::Nothing(next) => {
                        assert!(next > now, "it would be asked for ever");
                        break;
                    }
                    Due::Gone => {
                        all.push((second, Due::Gone));
                        return all;
                    }
                    due => all.push((second, due)),
                }
            }
        }
        all
    }

    #[test]
    fn a_page_without_news_is_sent_a_sign_every_five_seconds_and_one_with_news_none() {
        let began = Instant::now();
        let mut signs = Signs::new(began, &Times::default());
        let mut seen = Vec::new();
        for second in 0..20 {
            seen.extend(follow(&mut signs, began, second..second + 1));
            signs.heard(began + Duration::from_secs(second));
            if second < 10 {
                signs.said(began + Duration::from_secs(second));
            }
        }
        let at = |wanted: Due| -> Vec<u64> {
            seen.iter().filter(|(_, due)| *due == wanted).map(|(second, _)| *second).collect()
        };
        assert_eq!(at(Due::Ping), [5, 10, 15]);
        assert_eq!(at(Due::Alive), [14, 19]);
        assert_eq!(seen.len(), 5, "{seen:?}");
    }

    #[test]
    fn a_page_is_silent_after_one_unanswered_ping_and_gone_after_twelve_seconds() {
        let began = Instant::now();
        let mut signs = Signs::new(began, &Times::default());
        let seen = follow(&mut signs, began, 0..60);
        let mut seen = seen.into_iter().filter(|(_, due)| *due != Due::Alive);
        assert_eq!(seen.next(), Some((5, Due::Ping)));
        assert_eq!(seen.next(), Some((10, Due::Silent)));
        assert_eq!(seen.next(), Some((10, Due::Ping)));
        assert_eq!(seen.next(), Some((12, Due::Gone)));
    }

    #[test]
    fn whatever_a_silent_page_sends_is_a_sign_of_life() {
        let began = Instant::now();
        let at = |second: u64| began + Duration::from_secs(second);
        let mut signs = Signs::new(began, &Times::default());
        assert!(!signs.heard(at(1)));
        assert!(follow(&mut signs, began, 1..11).contains(&(10, Due::Silent)));
        assert!(signs.heard(at(11)));
        assert!(!signs.heard(at(11)));
        // From then on it is as it was.
        assert_eq!(follow(&mut signs, began, 11..60).last(), Some(&(23, Due::Gone)));
    }

    #[test]
    fn after_a_standstill_of_ours_a_page_is_asked_once_and_has_time_to_answer() {
        let began = Instant::now();
        let mut signs = Signs::new(began, &Times::default());
        let seen = follow(&mut signs, began, 100..130);
        assert_eq!(seen[..2], [(100, Due::Ping), (100, Due::Alive)]);
        assert_eq!(seen.last(), Some(&(107, Due::Gone)));
        assert_eq!(seen.iter().filter(|(_, due)| *due == Due::Ping).count(), 2);
    }
}
