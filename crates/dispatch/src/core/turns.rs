//! Giving turns and ending them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Asking, Backend, BackendId, Core, End, Event, MOST_NEAR, MemberId, RouteId, Scope, TurnState,
    Verdict, queue::Queue,
};

/// The weight of the mean of earlier turns against the newest, less one.
const EARLIER: u32 = 4;

impl Core {
    /// Gives a backend's free slots out.
    pub(super) fn fill(&mut self, backend: BackendId, now: Instant) {
        while self.backends.get(&backend).is_some_and(|this| this.room(now) > 0) {
            if !self.give_next(backend, now) {
                break;
            }
        }
    }

    /// Gives the free slots of a route's backends out, those of the one first that has most of
    /// its room left, by share.
    pub(super) fn fill_route(&mut self, route: RouteId, now: Instant) {
        // A backend may have room and yet nobody whom it may answer.
        let mut in_vain = Vec::new();
        loop {
            let Some(this) = self.routes.get(&route) else { return };
            if self.queues.get(&this.queue).is_none_or(|queue| queue.waiting(route) == 0) {
                return;
            }
            let with_room = this.backends.iter().filter(|id| !in_vain.contains(*id));
            let with_room = with_room.filter_map(|id| {
                let that = self.backends.get(id)?;
                let has_room = that.room(now) > 0 && that.admits(&this.model, now);
                has_room.then(|| (that.load_permille(), *id))
            });
            let Some((_, roomiest)) = with_room.min() else { return };
            if !self.give_next(roomiest, now) {
                in_vain.push(roomiest);
            }
        }
    }

    /// Gives a slot of this backend to whoever is next; false if nobody waits for it.
    pub(super) fn give_next(&mut self, backend: BackendId, now: Instant) -> bool {
        let Some(this) = self.backends.get(&backend).filter(|_| !self.paused) else {
            return false;
        };
        let best = this
            .routes
            .iter()
            .filter_map(|route| {
                let on = self.routes.get(route).filter(|on| this.admits(&on.model, now))?;
                let queue = self.queues.get(&on.queue)?;
                let (rank, entry) =
                    queue.first(*route, |member| self.may_ask(member, backend, now))?;
                Some((rank, entry, *route))
            })
            .min_by_key(|(rank, ..)| *rank);
        let Some((rank, entry, route)) = best else { return false };
        let member = entry.member;
        let own = self.members.get(&member).and_then(|member| member.expected_turn);
        let expected = own.or(this.expected_turn);
        let charged = expected.unwrap_or_default();
        if let Some(queue) = self.queue_of(route) {
            queue.give_turn(rank.user, route, entry, charged);
        }
        let end = expected
            .map(|turn| End { expected: now + turn, look: now + turn - MOST_NEAR.min(turn) });
        let Some(this) = self.backends.get_mut(&backend) else { return false };
        this.asking += 1;
        this.slots.begin(member, now);
        let model = self.routes.get(&route).map_or_else(|| "".into(), |on| on.model.clone());
        let model = if model.is_empty() { Arc::clone(&this.first_model) } else { model };
        let asking = Asking {
            backend,
            began: now,
            charged,
            on_trial: this.breaker.begin(),
            model_on_trial: this.models.begin(&model),
            model,
            end,
        };
        if let Some(member) = self.members.get_mut(&member) {
            member.turn = TurnState::Asking(asking);
        }
        self.near_ends.extend(end.map(|end| (end.look, member)));
        self.events.push_back(Event::Turn(member, backend));
        true
    }

    /// Frees a slot without giving it to anybody yet. Returns until when the backend, or the model
    /// there, is left alone because of how the turn ended.
    pub(super) fn end_turn(
        &mut self,
        member: MemberId,
        asking: &Asking,
        verdict: Verdict,
        tokens: Option<u64>,
        now: Instant,
    ) -> Option<Instant> {
        let took = now.saturating_duration_since(asking.began);
        if let Some(End { look, .. }) = asking.end {
            self.near_ends.remove(&(look, member));
        }
        let heard = |event: &Event| !matches!(event, Event::Turn(of, _) if *of == member);
        self.events.retain(heard);
        if let Some(this) = self.members.get_mut(&member) {
            let (user, route) = (this.user, this.route);
            // A turn that was given up says nothing of how long an answer takes.
            if verdict == Verdict::Good {
                this.expected_turn = Some(smoothed(this.expected_turn, took));
            }
            if let Some(queue) = self.queue_of(route) {
                queue.settle(user, asking.charged, took);
            }
        }
        let backend = self.backends.get_mut(&asking.backend)?;
        backend.asking -= 1;
        backend.untold_ends.remove(&member);
        if verdict == Verdict::Good {
            backend.expected_turn = Some(smoothed(backend.expected_turn, took));
        }
        let answer = (verdict == Verdict::Good).then_some(tokens.unwrap_or(0));
        backend.slots.end(member, answer, now);
        // What says something of the one says nothing of the other.
        let (of_server, of_model) = match verdict {
            Verdict::Bad { scope: Scope::Server, .. } => (verdict, Verdict::Unknown),
            Verdict::Bad { scope: Scope::Model, .. } => (Verdict::Unknown, verdict),
            Verdict::Good | Verdict::Unknown => (verdict, verdict),
        };
        match of_server {
            Verdict::Good => backend.is_missing = false,
            Verdict::Bad { .. } => backend.is_missing = true,
            Verdict::Unknown => {}
        }
        let model = backend.models.end(&asking.model, of_model, asking.model_on_trial, now);
        let server = backend.breaker.end(of_server, asking.on_trial, now);
        server.max(model)
    }

    /// What follows from a backend's new state.
    pub(super) fn after_breaker(
        &mut self,
        backend: BackendId,
        open: Option<Instant>,
        now: Instant,
    ) {
        match open {
            Some(until) if until > now => {
                self.trials.insert((until, backend));
                let routes =
                    self.backends.get(&backend).map(|this| this.routes.clone()).unwrap_or_default();
                for route in routes {
                    self.give_up_where_nothing_is_up(route, now);
                }
                // Those who ask for another model go on.
                self.fill(backend, now);
            }
            _ => self.fill(backend, now),
        }
    }

    /// Tells those who wait on a route of which every backend is left alone.
    pub(super) fn give_up_where_nothing_is_up(&mut self, route: RouteId, now: Instant) {
        let Some(this) = self.routes.get(&route) else { return };
        let closed = |id: &BackendId| self.backends.get(id)?.closed_until(&this.model, now);
        let until: Option<Vec<Instant>> = this.backends.iter().map(closed).collect();
        let Some(until) = until.and_then(|until| until.into_iter().min()) else { return };
        let waiting = self.queues.get(&this.queue).map(|queue| queue.all(route));
        for member in waiting.unwrap_or_default() {
            self.rest(member, Verdict::Unknown, None, now);
            self.events.push_back(Event::Unavailable(member, until));
        }
    }

    /// A turn is about to end: whoever is likely to be next is told, or looked for again when it is
    /// time to tell them.
    pub(super) fn tell_next_of(&mut self, ending: MemberId, now: Instant) {
        let Some(TurnState::Asking(asking)) = self.members.get(&ending).map(|this| &this.turn)
        else {
            return;
        };
        let (backend, end) = (asking.backend, asking.end);
        let routes =
            self.backends.get(&backend).map(|backend| backend.routes.clone()).unwrap_or_default();
        let untold = routes.iter().filter_map(|route| {
            let queue = self.queues.get(&self.routes.get(route)?.queue)?;
            queue.first_untold(*route, |member| self.was_told(member))
        });
        match untold.min() {
            Some((_, next)) => {
                let near = self.members.get(&next).map_or(MOST_NEAR, |this| this.near);
                let due = end.and_then(|end| end.expected.checked_sub(near));
                match due.filter(|due| *due > now) {
                    Some(later) => self.look_at_end(ending, later),
                    None => self.tell_near(next),
                }
            }
            None => {
                if let Some(backend) = self.backends.get_mut(&backend) {
                    backend.untold_ends.insert(ending);
                }
            }
        }
    }

    /// A member has just begun to wait, if it has no turn already. It may have to be told of the end
    /// of a turn that nobody was told of, or earlier than those who waited before.
    pub(super) fn look_at_ends(&mut self, member: MemberId, route: RouteId, now: Instant) {
        let Some(this) = self.members.get(&member) else { return };
        let (near, waits) = (this.near, matches!(this.turn, TurnState::Waiting { .. }));
        let Some(route) = self.routes.get(&route).filter(|_| waits) else { return };
        let untold = route.backends.iter().find_map(|id| {
            self.backends.get_mut(id).and_then(|backend| backend.untold_ends.pop_first())
        });
        let is_on_route = |of: &MemberId| match self.members.get(of).map(|this| &this.turn) {
            Some(TurnState::Asking(asking)) if route.backends.contains(&asking.backend) => {
                let end = asking.end?;
                let due = end.expected.checked_sub(near).map_or(now, |due| due.max(now));
                (due < end.look).then_some((*of, due))
            }
            _ => None,
        };
        let sooner: Vec<_> = self.near_ends.iter().filter_map(|(_, of)| is_on_route(of)).collect();
        for (ending, at) in sooner.into_iter().chain(untold.map(|ending| (ending, now))) {
            self.look_at_end(ending, at);
        }
    }

    /// Sees at this time, and not at another, whom to tell of the end of a turn.
    fn look_at_end(&mut self, ending: MemberId, at: Instant) {
        if let Some(TurnState::Asking(asking)) =
            self.members.get_mut(&ending).map(|this| &mut this.turn)
            && let Some(end) = &mut asking.end
        {
            self.near_ends.remove(&(end.look, ending));
            end.look = at;
            self.near_ends.insert((at, ending));
        }
    }

    fn tell_near(&mut self, member: MemberId) {
        if let Some(TurnState::Waiting { told_near, .. }) =
            self.members.get_mut(&member).map(|this| &mut this.turn)
        {
            *told_near = true;
            self.events.push_back(Event::Near(member));
        }
    }

    fn was_told(&self, member: MemberId) -> bool {
        matches!(
            self.members.get(&member).map(|this| &this.turn),
            Some(TurnState::Waiting { told_near: true, .. })
        )
    }

    fn may_ask(&self, member: MemberId, backend: BackendId, now: Instant) -> bool {
        match self.members.get(&member).map(|this| &this.turn) {
            Some(TurnState::Waiting { avoid: Some(avoid), .. }) if *avoid == backend => {
                !self.has_other(member, backend, now)
            }
            _ => true,
        }
    }

    pub(super) fn is_up(&self, backend: BackendId, model: &str, now: Instant) -> bool {
        self.backends.get(&backend).is_some_and(|this| this.closed_until(model, now).is_none())
    }

    pub(super) fn queue_of(&mut self, route: RouteId) -> Option<&mut Queue> {
        self.queues.get_mut(&self.routes.get(&route)?.queue)
    }
}

impl Backend {
    /// What is asked of it for this model.
    pub(super) fn asked_for<'a>(&'a self, model: &'a str) -> &'a str {
        if model.is_empty() { &self.first_model } else { model }
    }

    fn admits(&self, model: &str, now: Instant) -> bool {
        self.models.admits(self.asked_for(model), now)
    }

    /// When it may be asked for this model again; `None` when it may be asked, or is being tried.
    fn closed_until(&self, model: &str, now: Instant) -> Option<Instant> {
        let model = self.models.closed_until(self.asked_for(model), now);
        self.breaker.closed_until(now).max(model)
    }

    fn room(&self, now: Instant) -> usize {
        self.breaker.admits(self.slots.get().saturating_sub(self.asking), now)
    }

    fn load_permille(&self) -> usize {
        self.asking * 1000 / self.slots.get().max(1)
    }
}

fn smoothed(before: Option<Duration>, took: Duration) -> Duration {
    before.map_or(took, |before| (before * EARLIER + took) / (EARLIER + 1))
}
