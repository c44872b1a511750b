//! Labels whose values others decide, and how many different ones there may be.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard},
};

use crate::lock::lock;

/// What stands for all values that found no room.
pub(super) const OTHER: &str = "other";
/// A longer name is cut.
const LONGEST: usize = 100;

/// The values of one label: so many that anybody may bring, and those that the operator's own
/// servers bring. Whatever finds no room is called [`OTHER`].
#[derive(Debug)]
pub(super) struct Names {
    room: usize,
    state: Mutex<NamesState>,
}

#[derive(Debug, Default)]
struct NamesState {
    names: HashSet<Arc<str>>,
    brought: usize,
    reserved: usize,
}

impl Names {
    /// Room for `room` values from anybody, and for as many reserved ones.
    pub(super) fn new(room: usize) -> Self {
        Self { room, state: Mutex::default() }
    }

    /// The value of the label for this name.
    pub(super) fn label(&self, name: &str) -> Arc<str> {
        let name = readable(name);
        let mut state = self.lock();
        if let Some(known) = state.names.get(name.as_str()) {
            return Arc::clone(known);
        }
        if state.brought >= self.room {
            return OTHER.into();
        }
        state.brought += 1;
        let label: Arc<str> = name.into();
        state.names.insert(Arc::clone(&label));
        label
    }

    /// Makes room for names that are sure to matter, whoever brings others before.
    pub(super) fn reserve(&self, names: &[String]) {
        let mut state = self.lock();
        for name in names.iter().map(|name| readable(name)) {
            if state.reserved < self.room && state.names.insert(name.into()) {
                state.reserved += 1;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, NamesState> {
        lock(&self.state)
    }
}

/// The name in one line of bounded length.
pub(super) fn readable(name: &str) -> String {
    let shown = name.chars().map(|c| if c.is_control() { ' ' } else { c });
    let shown: String = shown.take(LONGEST).collect();
    if shown.trim().is_empty() { "unknown".to_owned() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_room_are_others() {
        let names = Names::new(2);
        let labels: Vec<_> = ["a", "b", "c", "a", "d"].map(|name| names.label(name)).to_vec();
        assert_eq!(
            labels.iter().map(AsRef::as_ref).collect::<Vec<_>>(),
            ["a", "b", OTHER, "a", OTHER]
        );
    }

    #[test]
    fn reserved_names_have_room_when_others_have_taken_all() {
        let names = Names::new(2);
        names.label("x");
        names.label("y");
        names.reserve(&["own".into(), "second".into(), "third".into()]);
        assert_eq!(&*names.label("own"), "own");
        assert_eq!(&*names.label("third"), OTHER);
    }

    #[test]
    fn a_name_is_one_line_of_bounded_length() {
        let names = Names::new(9);
        assert_eq!(&*names.label("a\nb\u{7}"), "a b ");
        assert_eq!(names.label(&"é".repeat(5000)).chars().count(), LONGEST);
        assert_eq!(&*names.label(""), "unknown");
    }
}
