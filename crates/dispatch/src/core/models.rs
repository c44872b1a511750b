//! How the models of one backend are, each by itself. Pure.

use std::{collections::HashMap, sync::Arc, time::Instant};

use super::breaker::{BackendState, Breaker, Verdict};

/// Models that are remembered because they fail. Anybody can name some.
const MOST: usize = 256;

/// The models of a backend that have failed since they last answered.
#[derive(Debug, Default)]
pub(super) struct Models {
    failing: HashMap<Arc<str>, Breaker>,
}

impl Models {
    pub(super) fn state(&self, model: &str) -> BackendState {
        self.failing.get(model).map_or(BackendState::Up, Breaker::state)
    }

    /// Whether one more question may be asked of this model.
    pub(super) fn admits(&self, model: &str, now: Instant) -> bool {
        self.failing.get(model).is_none_or(|breaker| breaker.admits(1, now) > 0)
    }

    /// When it may be asked again; `None` when it may be asked, or is being tried.
    pub(super) fn closed_until(&self, model: &str, now: Instant) -> Option<Instant> {
        self.failing.get(model)?.closed_until(now)
    }

    /// A question begins; true if it is one on trial.
    pub(super) fn begin(&mut self, model: &str) -> bool {
        self.failing.get_mut(model).is_some_and(Breaker::begin)
    }

    /// A question has ended. Returns when the next trial may begin if the model is now left alone.
    pub(super) fn end(
        &mut self,
        model: &Arc<str>,
        verdict: Verdict,
        trial: bool,
        now: Instant,
    ) -> Option<Instant> {
        match (self.failing.get_mut(model), verdict) {
            (Some(_), Verdict::Good) => {
                self.failing.remove(model);
                None
            }
            (Some(breaker), _) => breaker.end(verdict, trial, now),
            (None, Verdict::Bad { .. }) => {
                self.make_room(now);
                let breaker = self.failing.entry(Arc::clone(model)).or_insert_with(Breaker::new);
                breaker.end(verdict, trial, now)
            }
            (None, _) => None,
        }
    }

    /// The backend is there again after it was not.
    pub(super) fn may_be_tried(&mut self, now: Instant) {
        self.failing.values_mut().for_each(|breaker| breaker.may_be_tried(now));
    }

    /// Forgets whichever is left alone for the shortest time.
    fn make_room(&mut self, now: Instant) {
        if self.failing.len() < MOST {
            return;
        }
        let until = |breaker: &Breaker| breaker.closed_until(now);
        let first = self.failing.iter().min_by_key(|(_, breaker)| until(breaker));
        if let Some(model) = first.map(|(model, _)| Arc::clone(model)) {
            self.failing.remove(&model);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::breaker::Scope, *};

    #[test]
    fn however_many_models_fail_few_are_remembered_and_those_with_the_longest_rest() {
        let now = Instant::now();
        let mut models = Models::default();
        let bad = |seconds| Verdict::Bad {
            scope: Scope::Model,
            retry_after: Some(Duration::from_secs(seconds)),
        };
        let long: Arc<str> = "long".into();
        models.end(&long, bad(200), false, now);
        for model in 0..10 * MOST {
            models.end(&model.to_string().into(), bad(7), false, now);
        }
        assert_eq!(models.failing.len(), MOST);
        assert!(!models.admits("long", now + Duration::from_secs(199)));
        assert!(models.admits("long", now + Duration::from_secs(200)));
        assert!(models.admits("unheard of", now));
    }

    #[test]
    fn a_model_that_answers_is_forgotten() {
        let now = Instant::now();
        let mut models = Models::default();
        let model: Arc<str> = "m".into();
        let bad = Verdict::Bad { scope: Scope::Model, retry_after: None };
        models.end(&model, bad, false, now);
        models.end(&model, Verdict::Good, false, now);
        assert!(models.failing.is_empty());
        models.end(&model, Verdict::Unknown, false, now);
        assert!(models.failing.is_empty());
    }
}
