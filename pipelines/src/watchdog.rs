use std::{sync::Arc, time::Duration};

use crate::{
    LostReason, PeerTimeouts,
    shared::{Shared, Signs},
    teardown::Teardown,
};

/// Whether a peer is still there.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Lost(LostReason),
    /// It is, and nothing can be said against it for this long.
    LookAgainIn(Duration),
}

/// Pure: the time is among the signs.
fn judge(signs: Signs, timeouts: PeerTimeouts) -> Verdict {
    let left = |since: Duration, allowed: Duration| {
        (since + allowed).checked_sub(signs.now).filter(|left| !left.is_zero())
    };
    let Some(connected) = signs.connected else {
        return match left(Duration::ZERO, timeouts.connect) {
            Some(left) => Verdict::LookAgainIn(left),
            None => Verdict::Lost(LostReason::ConnectTimeout),
        };
    };
    let last = signs.media.map_or(connected, |media| media.max(connected));
    let Some(media) = left(signs.reported.map_or(last, |at| at.max(last)), timeouts.media) else {
        return Verdict::Lost(LostReason::NoMedia);
    };
    let hearing = match signs.unheard {
        None => media,
        Some(since) => match left(since, timeouts.key_frame) {
            Some(left) => left.min(media),
            None => return Verdict::Lost(LostReason::Unheard),
        },
    };
    // Media that came after a goodbye takes it back.
    match signs.goodbye.filter(|goodbye| *goodbye >= last) {
        None => Verdict::LookAgainIn(hearing),
        Some(goodbye) => match left(goodbye, timeouts.goodbye) {
            Some(left) => Verdict::LookAgainIn(left.min(hearing)),
            None => Verdict::Lost(LostReason::HungUp),
        },
    }
}

/// Watches one peer until its connection is over, then stops its pipeline: WebRTC itself does not
/// say that a peer is gone.
pub(crate) async fn watch(shared: Arc<Shared>, timeouts: PeerTimeouts, teardown: Teardown) {
    while !shared.is_over() {
        match judge(shared.signs(), timeouts) {
            Verdict::Lost(reason) => shared.lose(reason),
            Verdict::LookAgainIn(time) => {
                let _ = tokio::time::timeout(time, shared.changed.notified()).await;
            }
        }
    }
    teardown.run().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: PeerTimeouts = PeerTimeouts {
        connect: Duration::from_secs(15),
        media: Duration::from_secs(10),
        goodbye: Duration::from_secs(1),
        key_frame: Duration::from_secs(15),
    };

    fn signs(now: u64, connected: Option<u64>, media: Option<u64>, goodbye: Option<u64>) -> Signs {
        let seconds = |time: Option<u64>| time.map(Duration::from_secs);
        Signs {
            now: Duration::from_secs(now),
            connected: seconds(connected),
            media: seconds(media),
            reported: None,
            goodbye: seconds(goodbye),
            unheard: None,
        }
    }

    fn again(seconds: u64) -> Verdict {
        Verdict::LookAgainIn(Duration::from_secs(seconds))
    }

    #[test]
    fn a_peer_that_never_connects_is_lost() {
        assert_eq!(judge(signs(3, None, None, None), TIMEOUTS), again(12));
        assert_eq!(
            judge(signs(15, None, None, None), TIMEOUTS),
            Verdict::Lost(LostReason::ConnectTimeout)
        );
    }

    #[test]
    fn a_peer_that_sends_nothing_is_lost() {
        assert_eq!(judge(signs(3, Some(2), None, None), TIMEOUTS), again(9));
        assert_eq!(judge(signs(20, Some(2), Some(19), None), TIMEOUTS), again(9));
        assert_eq!(
            judge(signs(30, Some(2), Some(19), None), TIMEOUTS),
            Verdict::Lost(LostReason::NoMedia)
        );
    }

    #[test]
    fn a_peer_of_which_no_frame_is_wanted_is_there_while_it_reports() {
        let reported = |at| Signs {
            reported: Some(Duration::from_secs(at)),
            ..signs(60, Some(2), Some(19), None)
        };
        assert_eq!(judge(reported(59), TIMEOUTS), again(9));
        assert_eq!(judge(reported(50), TIMEOUTS), Verdict::Lost(LostReason::NoMedia));
        let goodbye = Some(Duration::from_secs(57));
        let said = Signs { goodbye, ..reported(59) };
        assert_eq!(judge(said, TIMEOUTS), Verdict::Lost(LostReason::HungUp));
    }

    #[test]
    fn a_goodbye_ends_it_unless_media_goes_on() {
        assert_eq!(
            judge(signs(21, Some(2), Some(19), Some(20)), TIMEOUTS),
            Verdict::Lost(LostReason::HungUp)
        );
        assert_eq!(judge(signs(20, Some(2), Some(19), Some(20)), TIMEOUTS), again(1));
        assert_eq!(judge(signs(22, Some(2), Some(21), Some(20)), TIMEOUTS), again(9));
    }

    #[test]
    fn a_peer_that_does_not_hear_is_lost_though_it_sends() {
        let since = |seconds| Signs {
            unheard: Some(Duration::from_secs(seconds)),
            ..signs(40, Some(2), Some(40), None)
        };
        assert_eq!(judge(since(33), TIMEOUTS), again(8));
        assert_eq!(judge(since(25), TIMEOUTS), Verdict::Lost(LostReason::Unheard));
    }
}
