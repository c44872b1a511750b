//! Mutexes that outlive a panic: what they guard is whole between any two statements.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits for the mutex, whether or not somebody panicked while they held it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
