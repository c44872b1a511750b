//! What was found out about the requests that servers take, for the next ones.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
};

use crate::{adapt::Adaptation, lock::lock};

/// Models of servers that are remembered. Anybody can name some; whoever is forgotten is asked once
/// more in the usual form.
const MOST: usize = 256;

/// A server's base address, and a model there.
type ModelKey = (String, String);

/// How the models differ that take no usual requests. A leaf lock, held for a look-up.
#[derive(Debug, Default)]
pub(crate) struct Adaptations(Mutex<VecDeque<(ModelKey, Adaptation)>>);

impl Adaptations {
    pub(crate) fn of(&self, base: &str, model: &str) -> Adaptation {
        let known = self.lock();
        let own = known.iter().find(|((b, m), _)| b == base && m == model);
        own.map(|(_, adaptation)| adaptation.clone()).unwrap_or_default()
    }

    pub(crate) fn remember(&self, base: &str, model: &str, adaptation: Adaptation) {
        let mut known = self.lock();
        known.retain(|((b, m), _)| b != base || m != model);
        known.truncate(MOST - 1);
        known.push_front(((base.to_owned(), model.to_owned()), adaptation));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(ModelKey, Adaptation)>> {
        lock(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::ChatRequest;

    #[test]
    fn the_newest_are_remembered_and_not_without_end() {
        let request = ChatRequest { stream: true, ..ChatRequest::default() };
        let other = Adaptation::default()
            .after(400, b"unknown field `stream_options`", &request)
            .expect("it names a field");
        let known = Adaptations::default();
        for model in 0..MOST + 9 {
            known.remember("http://a/v1", &model.to_string(), other.clone());
        }
        assert_eq!(known.lock().len(), MOST);
        assert_eq!(known.of("http://a/v1", &(MOST + 8).to_string()), other);
        assert_eq!(known.of("http://a/v1", "0"), Adaptation::default());
        assert_eq!(known.of("http://b/v1", "200"), Adaptation::default());
    }
}
