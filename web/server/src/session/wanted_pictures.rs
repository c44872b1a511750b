//! Which pictures a page was asked for, and has not sent: pure.

use std::collections::VecDeque;

/// So many are remembered. A page that answers later than that has answered none of the others.
const MOST: usize = 8;

/// What a page was asked for.
#[derive(Debug, Default)]
pub(super) struct WantedPictures {
    /// The numbers that may still be answered, oldest first.
    open: VecDeque<u32>,
}

impl WantedPictures {
    /// A picture is wanted, by this number, of which a page gives the lower half back.
    pub(super) fn wanted(&mut self, number: u64) {
        if self.open.len() == MOST {
            self.open.pop_front();
        }
        self.open.push_back((number & u64::from(u32::MAX)) as u32);
    }

    /// A picture has come that says that it answers this number. Whether it was asked for, and has
    /// not come before.
    pub(super) fn came(&mut self, number: u32) -> bool {
        let Some(at) = self.open.iter().position(|open| *open == number) else { return false };
        self.open.remove(at);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_answered_once_and_late_or_out_of_order_if_need_be() {
        let mut wanted = WantedPictures::default();
        assert!(!wanted.came(0) && !wanted.came(1));
        for number in 1..=3 {
            wanted.wanted(number);
        }
        assert!(wanted.came(2) && !wanted.came(2));
        assert!(wanted.came(1) && wanted.came(3) && !wanted.came(3));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut wanted = WantedPictures::default();
        for number in 0..1000 {
            wanted.wanted(number);
        }
        assert!(!wanted.came(991) && wanted.came(992) && wanted.came(999));
    }
}
