use std::sync::{Mutex, MutexGuard, PoisonError};

/// The model that was chosen of a server's list when nobody named one. It may be shared by askers
/// that follow each other.
///
/// Its mutex is a leaf: nothing is called while it is held.
#[derive(Debug, Default)]
pub struct ChosenModel {
    /// The server's base address, and the model.
    chosen: Mutex<Option<(String, String)>>,
}

impl ChosenModel {
    pub(crate) fn of(&self, base: &str) -> Option<String> {
        self.lock().as_ref().filter(|(of, _)| of == base).map(|(_, model)| model.clone())
    }

    pub(crate) fn choose(&self, base: &str, model: &str) {
        *self.lock() = Some((base.to_owned(), model.to_owned()));
    }

    pub(crate) fn forget(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<(String, String)>> {
        self.chosen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
