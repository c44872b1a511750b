//! Which routes share a queue: those that have backends in common, directly or through others.

use std::collections::{BTreeMap, HashMap};

use super::{BackendId, Core, Queue, QueueId, RouteId, TurnState};

impl Core {
    /// Sets a route's backends, and joins and parts queues as that demands.
    pub(super) fn connect(&mut self, route: RouteId, backends: &[BackendId]) {
        let Some(this) = self.routes.get_mut(&route) else { return };
        let before = std::mem::replace(&mut this.backends, backends.to_vec());
        let is_alone = |id: &BackendId| {
            self.backends.get(id).is_none_or(|backend| backend.routes.iter().all(|of| *of == route))
        };
        // A route to backends of its own, as most are that users bring, changes nobody's queue.
        let own = before.iter().chain(backends).all(is_alone);
        for id in &before {
            if let Some(backend) = self.backends.get_mut(id) {
                backend.routes.retain(|of| *of != route);
            }
        }
        for id in backends {
            if let Some(backend) = self.backends.get_mut(id) {
                backend.routes.push(route);
            }
        }
        if !own {
            self.regroup();
        }
    }

    /// Makes the queues anew. As rare as a server that begins or ceases to have a model.
    fn regroup(&mut self) {
        let groups = self.groups();
        let old_queues = std::mem::take(&mut self.queues);
        let old_of: HashMap<RouteId, QueueId> =
            self.routes.iter().map(|(id, route)| (*id, route.queue)).collect();
        for routes in groups {
            let id = QueueId(self.fresh());
            for route in &routes {
                if let Some(route) = self.routes.get_mut(route) {
                    route.queue = id;
                }
            }
            self.queues.insert(id, Queue::default());
        }
        for member in self.members.values() {
            if let Some(queue) = self.routes.get(&member.route).map(|route| route.queue)
                && let Some(queue) = self.queues.get_mut(&queue)
            {
                queue.join(member.user, member.weight);
            }
        }
        for (route, old) in &old_of {
            let new = self.routes.get(route).map(|route| route.queue);
            if let (Some(old), Some(new)) =
                (old_queues.get(old), new.and_then(|new| self.queues.get_mut(&new)))
            {
                new.absorb(old);
            }
        }
        for member in self.members.values() {
            if let TurnState::Waiting { entry, .. } = &member.turn
                && let Some(queue) = self.routes.get(&member.route).map(|route| route.queue)
                && let Some(queue) = self.queues.get_mut(&queue)
            {
                queue.push(member.user, member.route, *entry);
            }
        }
    }

    /// The routes, grouped by the backends that they share.
    fn groups(&self) -> Vec<Vec<RouteId>> {
        let mut group_of: BTreeMap<RouteId, usize> = BTreeMap::new();
        let mut groups = Vec::new();
        for start in self.routes.keys() {
            if group_of.contains_key(start) {
                continue;
            }
            let group = groups.len();
            let mut members = Vec::new();
            let mut open = vec![*start];
            while let Some(route) = open.pop() {
                if group_of.insert(route, group).is_some() {
                    continue;
                }
                members.push(route);
                let backends = self.routes.get(&route).map(|route| route.backends.as_slice());
                for backend in backends.unwrap_or_default() {
                    let others = self.backends.get(backend).map(|backend| &backend.routes);
                    open.extend(others.into_iter().flatten().filter(|r| !group_of.contains_key(r)));
                }
            }
            groups.push(members);
        }
        groups
    }
}
