use std::time::Duration;

/// Whether a peer hears us: by whether it sends key frames when it is asked to. Its packets may come
/// from an address at which it is not reached any more. Pure: times are arguments.
#[derive(Debug, Default)]
pub(crate) struct Hearing {
    /// When the first of the requests was made that wait for a key frame.
    asked: Option<Duration>,
    /// How many wait.
    requests: u32,
    /// How often a key frame came soon after it was asked for.
    answers: u32,
}

/// A key frame that comes later than this was not sent because of a request.
const SOON: Duration = Duration::from_secs(1);
/// So many prompt key frames are no chance: there are peers that never do what they are asked to, and
/// send key frames as they like.
const PROMPT: u32 = 3;
/// So many requests are not all lost.
const REQUESTS: u32 = 5;

impl Hearing {
    /// The peer is asked for a key frame. Answers whether it looks now as if it heard nothing.
    pub(crate) fn asked(&mut self, now: Duration) -> bool {
        self.asked.get_or_insert(now);
        self.requests = self.requests.saturating_add(1);
        self.requests == REQUESTS && self.unheard().is_some()
    }

    /// A key frame came.
    pub(crate) fn answered(&mut self, now: Duration) {
        self.requests = 0;
        if let Some(asked) = self.asked.take()
            && now.saturating_sub(asked) <= SOON
        {
            self.answers = self.answers.saturating_add(1);
        }
    }

    /// Since when the peer, which has done what it was asked to, does not any more.
    pub(crate) fn unheard(&self) -> Option<Duration> {
        self.asked.filter(|_| self.answers >= PROMPT && self.requests >= REQUESTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// One that has answered so many requests after so long.
    fn peer(answers: u64, after: Duration) -> Hearing {
        let mut peer = Hearing::default();
        for second in 0..answers {
            assert!(!peer.asked(at(second * 10_000)));
            peer.answered(at(second * 10_000) + after);
        }
        peer
    }

    fn ask_in_vain(peer: &mut Hearing, times: u64) -> Vec<bool> {
        (0..times).map(|n| peer.asked(at(100_000 + n * 500))).collect()
    }

    #[test]
    fn a_peer_that_stops_to_do_what_it_is_asked_to_hears_nothing_any_more() {
        let mut peer = peer(3, at(40));
        assert_eq!(peer.unheard(), None);
        let told = ask_in_vain(&mut peer, 6);
        assert_eq!(told.iter().position(|told| *told), Some(4));
        assert_eq!(told.iter().filter(|told| **told).count(), 1);
        assert_eq!(peer.unheard(), Some(at(100_000)));
        peer.answered(at(105_000));
        assert_eq!(peer.unheard(), None, "it does again");
    }

    #[test]
    fn some_requests_may_be_lost() {
        let mut peer = peer(3, at(40));
        ask_in_vain(&mut peer, 4);
        assert_eq!(peer.unheard(), None);
    }

    #[test]
    fn a_peer_that_never_did_what_it_is_asked_to_is_let_alone() {
        for mut peer in [peer(2, at(40)), peer(20, at(4000))] {
            ask_in_vain(&mut peer, 100);
            assert_eq!(peer.unheard(), None, "{peer:?}");
        }
    }
}
