//! Encoders that wait for their next frame.

use std::{
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use super::lock::lock;

/// What has not been used for so long is of settings or streams that are gone.
const IDLE_FOR: Duration = Duration::from_secs(60);

pub(super) struct Idle<T>(Mutex<Kept<T>>);

struct Kept<T> {
    users: usize,
    idle: Vec<(Instant, T)>,
}

impl<T> Idle<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Kept { users: 0, idle: Vec::new() }))
    }

    /// There is one more who takes and gives.
    pub(super) fn enter(&self) {
        self.lock().users += 1;
    }

    /// There is one less; without any, nothing is kept. Whoever calls drops what was.
    #[must_use]
    pub(super) fn leave(&self) -> Vec<T> {
        let mut kept = self.lock();
        kept.users = kept.users.saturating_sub(1);
        let unused = if kept.users == 0 { std::mem::take(&mut kept.idle) } else { Vec::new() };
        unused.into_iter().map(|(_, item)| item).collect()
    }

    /// The one that was used last, if it serves.
    pub(super) fn take(&self, serves: impl Fn(&T) -> bool) -> Option<T> {
        let idle = &mut self.lock().idle;
        let at = idle.iter().rposition(|(_, item)| serves(item))?;
        Some(idle.remove(at).1)
    }

    /// Keeps what has been used until `now`. Beyond `most`, those go that were used longest ago;
    /// whoever calls drops them, as that may take a while.
    #[must_use]
    pub(super) fn give(&self, item: T, most: usize, now: Instant) -> Vec<T> {
        let mut kept = self.lock();
        // The last user may be gone before its last frame is encoded.
        let most = if kept.users == 0 { 0 } else { most };
        let idle = &mut kept.idle;
        idle.push((now, item));
        let too_many = idle.len().saturating_sub(most);
        let too_old =
            idle.partition_point(|(used, _)| now.saturating_duration_since(*used) > IDLE_FOR);
        idle.drain(..too_many.max(too_old)).map(|(_, item)| item).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Kept<T>> {
        lock(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_serves_and_was_used_last_is_taken() {
        let encoders = Idle::new();
        encoders.enter();
        let now = Instant::now();
        for item in [("a", 1), ("a", 2), ("b", 3)] {
            assert!(encoders.give(item, 3, now).is_empty());
        }
        assert_eq!(encoders.take(|(kind, _)| *kind == "a"), Some(("a", 2)));
        assert_eq!(encoders.take(|(kind, _)| *kind == "a"), Some(("a", 1)));
        assert_eq!(encoders.take(|(kind, _)| *kind == "a"), None);
    }

    #[test]
    fn what_is_not_used_any_more_goes() {
        let encoders = Idle::new();
        encoders.enter();
        let now = Instant::now();
        assert!(encoders.give("old", 2, now).is_empty());
        assert!(encoders.give("new", 2, now).is_empty());
        assert_eq!(encoders.give("newest", 2, now), ["old"]);
        let later = now + IDLE_FOR + Duration::from_secs(1);
        assert_eq!(encoders.take(|item| *item == "newest"), Some("newest"));
        assert_eq!(encoders.give("newest", 2, later), ["new"]);
    }

    #[test]
    fn without_users_nothing_is_kept() {
        let encoders = Idle::new();
        let now = Instant::now();
        encoders.enter();
        encoders.enter();
        assert!(encoders.give("kept", 2, now).is_empty());
        assert!(encoders.leave().is_empty());
        assert_eq!(encoders.leave(), ["kept"]);
        assert_eq!(encoders.give("late", 2, now), ["late"]);
    }
}
