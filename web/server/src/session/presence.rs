//! Whether somebody is there for a session's answers, and so whether questions are asked and when
//! the session ends: pure, time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// Who sends an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offerer {
    /// A page in a browser, which reads answers by a WebSocket.
    Page,
    /// A program, which may send video only.
    Program,
}

/// How long a page that comes to a video has to say what it wants asked.
const SETTINGS: Duration = Duration::from_secs(2);

/// What is known of a session's page.
#[derive(Debug)]
pub(super) struct Presence {
    page: Page,
    /// How long a session waits for its page.
    grace: Duration,
    /// When the session ends, unless something happens before.
    ends_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    /// None has come, and none has to.
    Unneeded,
    /// One has to come, to a video that began without its settings.
    Awaited,
    /// It was here, and has closed its connection.
    Left,
    /// It was here, and was not heard of any more: it did not mean to leave.
    Vanished,
    /// It is here, to a video that began without its settings, which come until then.
    Settling {
        until: Instant,
    },
    Here,
    /// It has not answered a ping.
    Silent,
}

impl Presence {
    /// Of a session that is opened now.
    pub(super) fn new(now: Instant, grace: Duration) -> Self {
        Self { page: Page::Unneeded, grace, ends_at: Some(now + grace) }
    }

    /// The page has connected.
    pub(super) fn came(&mut self, now: Instant) {
        self.ends_at = None;
        self.page = match self.page {
            Page::Awaited => Page::Settling { until: now + SETTINGS },
            Page::Settling { until } => Page::Settling { until },
            _ => Page::Here,
        };
    }

    /// The page has left a ping unanswered, or is heard again.
    pub(super) fn silence(&mut self, silent: bool) {
        self.page = match (self.page, silent) {
            (Page::Here | Page::Settling { .. }, true) => Page::Silent,
            (Page::Silent, false) => Page::Here,
            (page, _) => page,
        };
    }

    /// The page has sent a message.
    pub(super) fn said(&mut self) {
        if matches!(self.page, Page::Settling { .. }) {
            self.page = Page::Here;
        }
    }

    /// The page's connection is closed.
    pub(super) fn left(&mut self, now: Instant, has_video: bool) {
        let vanished = self.page == Page::Silent;
        self.page = if vanished { Page::Vanished } else { Page::Left };
        self.wait(now, vanished || has_video);
    }

    /// An offer was answered. It keeps the session only where nobody has to read the answers.
    pub(super) fn video_began(&mut self, of: Offerer) {
        match (self.page, of) {
            (Page::Unneeded, Offerer::Program) => self.ends_at = None,
            (Page::Unneeded, Offerer::Page) => self.page = Page::Awaited,
            _ => {}
        }
    }

    /// There is no video, or no more.
    pub(super) fn video_ended(&mut self, now: Instant) {
        if matches!(self.page, Page::Unneeded | Page::Awaited | Page::Left) {
            self.wait(now, false);
        }
    }

    /// Whether anything is asked.
    pub(super) fn asks(&self, now: Instant) -> bool {
        match self.page {
            Page::Unneeded | Page::Here => true,
            Page::Awaited | Page::Left | Page::Vanished | Page::Silent => false,
            Page::Settling { until } => now >= until,
        }
    }

    /// Whether the session is over.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.ends_at.is_some_and(|at| now >= at)
    }

    /// When to look again although nothing happens.
    pub(super) fn look_at(&self, now: Instant) -> Option<Instant> {
        match self.page {
            Page::Settling { until } if now < until => Some(until),
            _ => self.ends_at,
        }
    }

    /// A page that has only lost its connection may come back. Where it has left, and there is no
    /// video either, there is nothing to wait for.
    fn wait(&mut self, now: Instant, may_come_back: bool) {
        self.ends_at = Some(if may_come_back { now + self.grace } else { now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(15);

    fn new() -> (Presence, impl Fn(u64) -> Instant) {
        let began = Instant::now();
        (Presence::new(began, GRACE), move |second| began + Duration::from_secs(second))
    }

    #[test]
    fn a_session_that_nobody_uses_ends() {
        let (presence, at) = new();
        assert_eq!(presence.look_at(at(0)), Some(at(15)));
        assert!(!presence.is_over(at(14)) && presence.is_over(at(15)));
    }

    #[test]
    fn a_program_without_a_page_is_asked_for_as_long_as_its_video_lives() {
        let (mut presence, at) = new();
        presence.video_began(Offerer::Program);
        assert!(presence.asks(at(0)) && !presence.is_over(at(9999)));
        assert_eq!(presence.look_at(at(1)), None);
        presence.video_ended(at(10_000));
        assert!(presence.is_over(at(10_000)));
    }

    #[test]
    fn a_pages_offer_alone_asks_nothing_and_does_not_keep_the_session() {
        let (mut presence, at) = new();
        for _ in 0..20 {
            presence.video_began(Offerer::Page);
            assert!(!presence.asks(at(14)) && !presence.is_over(at(14)));
        }
        assert!(presence.is_over(at(15)));
    }

    #[test]
    fn a_page_that_comes_to_its_video_says_first_what_it_wants_asked() {
        let (mut presence, at) = new();
        presence.video_began(Offerer::Page);
        presence.came(at(2));
        assert!(!presence.asks(at(2)) && !presence.is_over(at(99)));
        assert_eq!(presence.look_at(at(2)), Some(at(4)));
        assert!(!presence.asks(at(3)));
        assert!(presence.asks(at(4)), "one without settings of its own says nothing");
        assert_eq!(presence.look_at(at(4)), None);
        // Connecting anew does not begin the wait anew.
        presence.came(at(2));
        assert!(!presence.asks(at(2)));
        presence.said();
        assert!(presence.asks(at(2)));
    }

    #[test]
    fn nothing_is_asked_for_a_page_that_is_silent_or_away_until_it_is_back() {
        let (mut presence, at) = new();
        presence.came(at(0));
        assert!(presence.asks(at(0)));
        presence.video_began(Offerer::Page);
        presence.silence(true);
        assert!(!presence.asks(at(1)) && !presence.is_over(at(1)));
        presence.silence(false);
        assert!(presence.asks(at(2)));
        presence.silence(true);
        presence.left(at(3), true);
        // Too late to count.
        presence.silence(false);
        assert!(!presence.asks(at(3)));
        presence.came(at(4));
        assert!(presence.asks(at(4)), "its settings are known");
    }

    #[test]
    fn a_session_whose_page_is_gone_ends_whoever_offers_meanwhile() {
        let (mut presence, at) = new();
        presence.came(at(0));
        presence.video_began(Offerer::Page);
        presence.left(at(100), true);
        for of in [Offerer::Page, Offerer::Program] {
            presence.video_began(of);
            assert!(!presence.asks(at(114)) && !presence.is_over(at(114)));
        }
        assert!(presence.is_over(at(115)));
    }

    #[test]
    fn a_page_that_vanishes_finds_its_session_for_a_while_even_if_its_video_has_vanished_too() {
        let (mut presence, at) = new();
        presence.came(at(0));
        presence.silence(true);
        presence.left(at(12), false);
        presence.video_ended(at(13));
        assert!(!presence.is_over(at(26)) && presence.is_over(at(27)));
        presence.came(at(20));
        assert!(presence.asks(at(20)) && !presence.is_over(at(99)));
    }

    #[test]
    fn without_page_and_video_it_ends_at_once() {
        let (mut presence, at) = new();
        presence.came(at(0));
        presence.video_ended(at(1));
        assert!(!presence.is_over(at(99)));
        presence.left(at(100), false);
        assert!(presence.is_over(at(100)));
    }
}
