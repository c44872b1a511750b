//! How the frames of a session's video come: pure.

use std::time::Duration;

use crate::protocol::FramesMode;

/// Questions that follow each other faster are asked about moving pictures.
const SHORTEST_ON_DEMAND: Duration = Duration::from_millis(300);

/// How a page gives its video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Giving {
    /// It has said that it can give single frames.
    pub(super) can_give: bool,
    /// It gets its video back, of which it wants to see all.
    pub(super) goes_back: bool,
    /// It has a WebSocket by which it hears that a frame is wanted, or is to have one.
    pub(super) hears: bool,
}

impl Giving {
    /// How frames are to come for questions that are so far apart.
    pub(super) fn mode(self, interval: Duration) -> FramesMode {
        let Self { can_give, goes_back, hears } = self;
        match can_give && !goes_back && hears && interval >= SHORTEST_ON_DEMAND {
            true => FramesMode::OnDemand,
            false => FramesMode::All,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVES: Giving = Giving { can_give: true, goes_back: false, hears: true };

    #[test]
    fn frames_come_on_demand_from_pages_that_can_and_where_that_is_enough() {
        let second = Duration::from_secs(1);
        assert_eq!(GIVES.mode(second), FramesMode::OnDemand);
        assert_eq!(GIVES.mode(Duration::from_millis(300)), FramesMode::OnDemand);
        assert_eq!(GIVES.mode(Duration::from_millis(299)), FramesMode::All);
        for other in [
            Giving { can_give: false, ..GIVES },
            Giving { goes_back: true, ..GIVES },
            Giving { hears: false, ..GIVES },
        ] {
            assert_eq!(other.mode(second), FramesMode::All, "{other:?}");
        }
    }
}
