use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard},
};

use crate::lock::lock;

/// Below this much room, giving some back is not worth the work.
const SMALL: usize = 64;

/// How many of something are open, by whose they are. What is not open is not in memory.
///
/// Its lock is held while a number changes and never while anything else is done, so it may be
/// taken under any other.
#[derive(Debug)]
pub struct Counts<K> {
    open: Arc<Mutex<HashMap<K, Count>>>,
}

#[derive(Debug, Default)]
struct Count {
    open: u32,
    /// Whether somebody was refused since the last one closed.
    refused: bool,
}

/// There are as many as may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// Whether it is the first refusal in a row.
    pub first: bool,
}

/// Something open. Dropping it closes it.
pub struct CountGuard<K: Eq + Hash> {
    counts: Counts<K>,
    key: K,
}

impl<K: Eq + Hash + Clone> Counts<K> {
    /// One more, of at most `most`; 0 = any number.
    ///
    /// # Errors
    /// When there are `most`.
    pub fn take(&self, key: K, most: u32) -> Result<CountGuard<K>, Full> {
        let mut open = self.lock();
        let count = open.entry(key.clone()).or_default();
        if most > 0 && count.open >= most {
            let first = !count.refused;
            count.refused = true;
            return Err(Full { first });
        }
        count.open += 1;
        drop(open);
        Ok(CountGuard { counts: self.clone(), key })
    }

    /// How many are open.
    pub fn open(&self, key: &K) -> u32 {
        self.lock().get(key).map_or(0, |count| count.open)
    }
}

impl<K: Eq + Hash> Counts<K> {
    /// Whether nothing is open.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Count>> {
        lock(&self.open)
    }
}

impl<K: Eq + Hash> Drop for CountGuard<K> {
    fn drop(&mut self) {
        let mut open = self.counts.lock();
        // The key cannot be moved out of what is being dropped, so it is looked up.
        let Some(count) = open.get_mut(&self.key) else { return };
        count.open = count.open.saturating_sub(1);
        count.refused = false;
        if count.open == 0 {
            open.remove(&self.key);
            if open.capacity() > SMALL && open.len() < open.capacity() / 4 {
                let room = open.len() * 2;
                open.shrink_to(room);
            }
        }
    }
}

impl<K> Clone for Counts<K> {
    fn clone(&self) -> Self {
        Self { open: Arc::clone(&self.open) }
    }
}

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self { open: Arc::default() }
    }
}

impl<K: Eq + Hash> fmt::Debug for CountGuard<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CountGuard")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_it_is_dropped() {
        let counts = Counts::default();
        let first = counts.take("a", 2).unwrap();
        let second = counts.take("a", 2).unwrap();
        assert_eq!(counts.take("a", 2).unwrap_err(), Full { first: true });
        assert_eq!(counts.take("a", 2).unwrap_err(), Full { first: false });
        let other = counts.take("b", 2).unwrap();
        drop(second);
        let third = counts.take("a", 2).unwrap();
        assert_eq!(counts.take("a", 2).unwrap_err(), Full { first: true });
        drop((first, third, other));
        assert!(counts.is_empty());
    }

    #[test]
    fn zero_is_no_limit_and_is_counted_all_the_same() {
        let counts = Counts::default();
        let guards: Vec<_> = (0..1000).map(|_| counts.take("a", 0).unwrap()).collect();
        assert_eq!(counts.open(&"a"), 1000);
        assert!(counts.take("a", 1000).is_err());
        drop(guards);
        assert!(counts.take("a", 1).is_ok());
    }

    #[test]
    fn the_memory_of_many_is_given_back() {
        let counts = Counts::default();
        let guards: Vec<_> = (0..10_000).map(|key| counts.take(key, 1).unwrap()).collect();
        assert!(counts.lock().capacity() >= 10_000);
        drop(guards);
        assert!(counts.lock().capacity() <= SMALL * 2, "{}", counts.lock().capacity());
    }
}
