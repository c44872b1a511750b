//! Whether more slots are worth it, by what is known of two numbers of them. Pure.

use super::measure::Level;

/// The share of what slots would bring if nothing became slower that is worth having them.
const WORTH: f64 = 0.25;
/// A gain of this share of that is as good as all of it.
const ALL_OF_IT: f64 = 0.85;
/// One slot in so many too many costs less than one too few.
const ROUNDED_UP: f64 = 1.02;
/// A number is not tried that is nearer to the higher one than this share of it.
const NEAREST: f64 = 1.0 / 12.0;
/// How many standard deviations are no chance.
const SURE: f64 = 2.0;

/// Whether the higher number of slots is worth it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worth {
    Yes,
    No,
    Unknown,
}

/// Whether the higher number gives enough more answers, as long as that is no chance.
pub(super) fn worth(fewer: &Level, more: &Level) -> Worth {
    let surplus = surplus(fewer, more);
    let doubt = SURE * (fewer.doubt + more.doubt).sqrt();
    if surplus >= doubt {
        Worth::Yes
    } else if surplus <= -doubt {
        Worth::No
    } else {
        Worth::Unknown
    }
}

/// The same where nothing more is to be learnt.
pub(super) fn likely_worth(fewer: &Level, more: &Level) -> Worth {
    if surplus(fewer, more) >= 0.0 { Worth::Yes } else { Worth::No }
}

/// By how much the gain is more than it must be, in logarithms.
fn surplus(fewer: &Level, more: &Level) -> f64 {
    let gain = (more.rate / fewer.rate).ln();
    gain - WORTH * (more.at_once / fewer.at_once).max(1.0).ln()
}

/// Whether the higher number gives as many more answers as it has more slots.
pub(super) fn is_in_proportion(fewer: &Level, more: &Level) -> bool {
    more.rate / fewer.rate >= ALL_OF_IT * more.at_once / fewer.at_once
}

/// The number between two at which the lower one's answers would come as often as those of the
/// higher one, if nothing waited.
pub(super) fn between(
    fewer: &Level,
    more: &Level,
    fewer_slots: usize,
    more_slots: usize,
) -> Option<usize> {
    let room = round(fewer.at_once * more.rate / fewer.rate);
    let farthest = more_slots as f64 * (1.0 - NEAREST);
    (room > fewer_slots && room as f64 <= farthest).then_some(room)
}

/// A room for so many, as it was estimated.
pub(super) fn round(room: f64) -> usize {
    (room * ROUNDED_UP).round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(at_once: f64, rate: f64, doubt: f64) -> Level {
        Level { at_once, rate, doubt }
    }

    #[test]
    fn twice_as_many_slots_must_bring_a_fifth_more_answers() {
        let one = level(1.0, 1.0, 0.0);
        assert_eq!(worth(&one, &level(2.0, 1.2, 0.0)), Worth::Yes);
        assert_eq!(worth(&one, &level(2.0, 1.15, 0.0)), Worth::No);
    }

    #[test]
    fn what_may_be_chance_is_not_known_until_it_must_be() {
        let (one, two) = (level(1.0, 1.0, 0.01), level(2.0, 1.3, 0.01));
        assert_eq!(worth(&one, &two), Worth::Unknown);
        assert_eq!(likely_worth(&one, &two), Worth::Yes);
        assert_eq!(likely_worth(&one, &level(2.0, 1.1, 0.01)), Worth::No);
    }

    #[test]
    fn the_room_is_where_the_lower_numbers_answers_would_come_as_often() {
        let (eight, sixteen) = (level(8.0, 8.0, 0.0), level(16.0, 12.0, 0.0));
        assert_eq!(between(&eight, &sixteen, 8, 16), Some(12));
        assert!(!is_in_proportion(&eight, &sixteen));
        let full = level(16.0, 15.9, 0.0);
        assert!(is_in_proportion(&eight, &full));
        assert_eq!(between(&eight, &full, 8, 16), None);
        assert_eq!(between(&eight, &level(16.0, 8.0, 0.0), 8, 16), None);
    }
}
