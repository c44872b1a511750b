//! How backends are, as far as that is seen without asking them questions.

use std::time::Instant;

use super::{BackendId, BackendState, Core, Event, RouteId, TurnState, Verdict};

impl Core {
    /// A backend has answered, or failed to, outside of any turn: that says whether it is there, and
    /// nothing of its models.
    pub fn observe(&mut self, backend: BackendId, verdict: Verdict, now: Instant) {
        let Some(this) = self.backends.get_mut(&backend) else { return };
        let open = match verdict {
            Verdict::Unknown => return,
            Verdict::Bad { .. } => {
                this.is_missing = true;
                this.breaker.end(verdict, false, now)
            }
            Verdict::Good => {
                // Being there is not yet answering: one failure more and it is left alone again.
                this.breaker.is_there();
                if std::mem::take(&mut this.is_missing) {
                    this.models.may_be_tried(now);
                    self.tell_back(backend, now);
                }
                None
            }
        };
        self.after_breaker(backend, open, now);
    }

    /// Tells those who rest, and may ask this backend now, that it is there again.
    fn tell_back(&mut self, backend: BackendId, now: Instant) {
        let may_ask = |route: &RouteId| {
            let route = self.routes.get(route)?;
            route.backends.contains(&backend).then(|| self.is_up(backend, &route.model, now))
        };
        let resting = self.members.iter().filter(|(_, this)| {
            matches!(this.turn, TurnState::Resting) && may_ask(&this.route) == Some(true)
        });
        let back: Vec<Event> = resting.map(|(id, _)| Event::Back(*id)).collect();
        self.events.extend(back);
    }

    /// A backend says itself how many questions wait inside it.
    pub fn told_waiting(&mut self, backend: BackendId, waiting: u64, now: Instant) {
        if let Some(this) = self.backends.get_mut(&backend) {
            this.slots.told(waiting, now);
        }
    }

    /// Whether a backend is asked.
    pub fn state(&self, backend: BackendId) -> Option<BackendState> {
        self.backends.get(&backend).map(|this| this.breaker.state())
    }

    /// Whether a backend is asked for this model.
    pub fn state_for(&self, backend: BackendId, model: &str) -> Option<BackendState> {
        let this = self.backends.get(&backend)?;
        match this.breaker.state() {
            BackendState::Up => Some(this.models.state(this.asked_for(model))),
            other => Some(other),
        }
    }
}
