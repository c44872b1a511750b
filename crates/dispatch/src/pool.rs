//! The servers that can be asked: by address, by model, and how each one is.

use std::{collections::HashMap, time::Instant};

use crate::{
    core::{BackendId, BackendState, Core, RouteId, Scope, Slots, Verdict},
    server::{Backend, Server},
};
use vlm_client::{ApiKey, Endpoint, Error, ExtraBody, Listed, Model, ServerKind, Trouble};

/// How a server of the pool is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendSnapshot {
    /// Its base address.
    pub base: String,
    /// The models it can be asked for, as far as that is known.
    pub models: Vec<String>,
    /// How many questions it takes at once.
    pub slots: usize,
    /// How many it is being asked.
    pub asking: usize,
    /// How many sessions wait that it could answer.
    pub waiting: usize,
    /// Whether it is asked; if for none of its models, how the first to be tried again is.
    pub state: BackendState,
    /// What was wrong last, with it or with one of its models; `None` once it has answered.
    pub last_error: Option<String>,
    /// What its operator can mend, if that is what is wrong.
    pub trouble: Option<Trouble>,
}

#[derive(Debug)]
pub(super) struct Pool {
    default_slots: Option<Slots>,
    servers: HashMap<BackendId, Server>,
    /// Those that were added, in that order.
    pooled: Vec<BackendId>,
    by_address: HashMap<Address, BackendId>,
    routes: HashMap<RouteKey, RouteId>,
    keys: HashMap<RouteId, RouteKey>,
}

/// Under what a server is known. One that was not added is another server for another key: that is
/// another account there, with its own limits and failures.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Address {
    base: String,
    /// `None` for a server that was added.
    key: Option<ApiKey>,
}

impl Address {
    fn without_key(base: &str) -> Self {
        Self { base: base.to_owned(), key: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct RouteKey {
    model: String,
    address: Address,
    /// Whether any server of the pool that has the model may answer, and that at the address only
    /// if none says that it has it.
    of_pool: bool,
}

impl Pool {
    pub(super) fn new(default_slots: Option<Slots>) -> Self {
        Self {
            default_slots,
            servers: HashMap::new(),
            pooled: Vec::new(),
            by_address: HashMap::new(),
            routes: HashMap::new(),
            keys: HashMap::new(),
        }
    }

    pub(super) fn add(&mut self, core: &mut Core, backend: Backend, now: Instant) {
        let address = Address::without_key(backend.endpoint.base());
        let id = match self.by_address.get(&address) {
            Some(id) => {
                core.set_slots(*id, backend.slots, now);
                *id
            }
            None => core.add_backend(backend.slots),
        };
        self.by_address.insert(address, id);
        if !self.pooled.contains(&id) {
            self.pooled.push(id);
        }
        self.servers.insert(id, Server::new(backend));
        self.reroute(core, now);
    }

    /// The route to whoever can answer for `endpoint` and `model`; made if there is none.
    pub(super) fn route(&mut self, core: &mut Core, endpoint: &Endpoint, model: &str) -> RouteId {
        let key = RouteKey {
            model: model.to_owned(),
            address: self.address(endpoint),
            of_pool: self.is_pooled(endpoint),
        };
        if let Some(route) = self.routes.get(&key) {
            return *route;
        }
        let own = match self.by_address.get(&key.address) {
            Some(id) => *id,
            None => self.add_foreign(core, endpoint, key.address.clone()),
        };
        let backends = match key.of_pool {
            true => self.having(model, own),
            false => vec![own],
        };
        let route = core.add_route(&backends, model);
        self.keys.insert(route, key.clone());
        self.routes.insert(key, route);
        route
    }

    fn add_foreign(&mut self, core: &mut Core, endpoint: &Endpoint, address: Address) -> BackendId {
        let slots = self.default_slots.unwrap_or(Slots::Auto(endpoint.first_slots(None)));
        let id = core.add_backend(slots);
        // Without its key: whoever asks it brings their own.
        if let Ok(bare) = Endpoint::new(endpoint.base(), None) {
            let backend = Backend::new(bare, slots);
            self.servers.insert(id, Server::new(backend));
        }
        self.by_address.insert(address, id);
        id
    }

    fn address(&self, endpoint: &Endpoint) -> Address {
        let base = endpoint.base();
        let key = endpoint.key().filter(|_| self.pooled(base).is_none()).cloned();
        Address { key, ..Address::without_key(base) }
    }

    /// Whether whoever means this endpoint asks a server of the pool with another key than the
    /// pool's: it shares the server's slots, but what it is told concerns nobody else.
    pub(super) fn is_stranger(&self, endpoint: &Endpoint) -> bool {
        self.pooled(endpoint.base()).is_some_and(|own| own.key() != endpoint.key())
    }

    /// Whether whoever means this endpoint is content with any server of the pool: the address is
    /// the pool's, and so is the key.
    fn is_pooled(&self, endpoint: &Endpoint) -> bool {
        self.pooled(endpoint.base()).is_some_and(|own| own.key() == endpoint.key())
    }

    fn having(&self, model: &str, or: BackendId) -> Vec<BackendId> {
        let has = |id: &&BackendId| self.servers.get(id).is_some_and(|server| server.has(model));
        let having: Vec<BackendId> = self.pooled.iter().filter(has).copied().collect();
        if having.is_empty() { vec![or] } else { having }
    }

    /// Leads every route to the servers that have its model now.
    fn reroute(&mut self, core: &mut Core, now: Instant) {
        let routes: Vec<_> = self.routes.iter().map(|(key, id)| (key.clone(), *id)).collect();
        for (key, route) in routes {
            if key.of_pool
                && let Some(own) = self.by_address.get(&key.address)
            {
                core.set_route(route, &self.having(&key.model, *own), now);
            }
        }
        for id in &self.pooled {
            if let Some(server) = self.servers.get(id) {
                core.set_first_model(*id, &server.first_model());
            }
        }
    }

    /// Forgets a route that has no members, and its server if nobody else asks it and it was not
    /// added.
    pub(super) fn forget_unused(&mut self, core: &mut Core, route: RouteId) {
        if core.members_of(route) > 0 {
            return;
        }
        let Some(key) = self.keys.remove(&route) else { return };
        core.remove_route(route);
        self.routes.remove(&key);
        if let Some(id) = self.by_address.get(&key.address).copied()
            && !self.pooled.contains(&id)
            && core.remove_backend(id)
        {
            self.by_address.remove(&key.address);
            self.servers.remove(&id);
        }
    }

    pub(super) fn backend_at(&self, endpoint: &Endpoint) -> Option<BackendId> {
        self.by_address.get(&self.address(endpoint)).copied()
    }

    /// Where a member that means `endpoint` asks when it has its turn at this backend, and what
    /// the backend calls its model.
    pub(super) fn asked(
        &self,
        id: BackendId,
        endpoint: &Endpoint,
        model: &str,
    ) -> Option<(Backend, String)> {
        let server = self.servers.get(&id)?;
        let mut backend = server.backend.clone();
        if !self.is_pooled(endpoint) {
            // Another account there, for which the operator has said nothing.
            backend.endpoint = endpoint.clone();
            backend.extra = ExtraBody::default();
        }
        let model = if model.is_empty() { server.first_model() } else { model.to_owned() };
        Some((backend, model))
    }

    /// A question has gone wrong there, or well: `None`.
    pub(super) fn failed(&mut self, id: BackendId, model: &str, error: Option<&Error>) {
        if let Some(server) = self.servers.get_mut(&id) {
            server.failed(model, error);
        }
    }

    /// What was wrong last with one of these servers, as far as it concerns those who ask for this
    /// model.
    pub(super) fn last_error(&self, of: &[BackendId], model: &str) -> Option<String> {
        of.iter().find_map(|id| {
            let server = self.servers.get(id)?;
            let first = server.first_model();
            server.error_for(if model.is_empty() { &first } else { model })
        })
    }

    /// The added server at this address.
    pub(super) fn pooled(&self, base: &str) -> Option<&Endpoint> {
        let id = self.by_address.get(&Address::without_key(base))?;
        let id = Some(id).filter(|id| self.pooled.contains(id))?;
        Some(&self.servers.get(id)?.backend.endpoint)
    }

    /// All models that the added servers can be asked for, each once.
    pub(super) fn models(&self) -> Vec<Model> {
        let mut models: Vec<Model> = Vec::new();
        for model in self.pooled.iter().filter_map(|id| self.servers.get(id)).flat_map(Server::all)
        {
            if models.iter().all(|other| other.id != model.id) {
                models.push(model);
            }
        }
        models
    }

    /// The servers whose health is watched, and whether each is well as far as is known.
    pub(super) fn watched(&self, core: &Core) -> Vec<(BackendId, Backend, bool)> {
        let server = |id: &BackendId| {
            let server = self.servers.get(id)?;
            let well = server.last_error.is_none() && core.state(*id) == Some(BackendState::Up);
            Some((*id, server.backend.clone(), well))
        };
        self.pooled.iter().filter_map(server).collect()
    }

    /// A watched server has listed its models, or failed to. Not to list them says little: some
    /// servers have no list, and busy ones are late with it.
    pub(super) fn checked(
        &mut self,
        core: &mut Core,
        id: BackendId,
        listed: Result<Listed, Error>,
        now: Instant,
    ) {
        if let Some(kind) = listed.as_ref().ok().and_then(|listed| listed.kind) {
            self.is_kind(core, id, kind, now);
        }
        let Some(server) = self.servers.get_mut(&id) else { return };
        match listed {
            Ok(Listed { models, .. }) => {
                core.observe(id, Verdict::Good, now);
                if core.state(id) == Some(BackendState::Up) {
                    server.last_error = None;
                }
                server.trouble = None;
                let changed = server.listed != models;
                server.listed = models;
                if changed {
                    self.reroute(core, now);
                }
            }
            Err(error) => {
                server.list_failed(&error);
                if error.concerns_everybody() {
                    let (scope, retry_after) = (Scope::Server, error.retry_after());
                    core.observe(id, Verdict::Bad { scope, retry_after }, now);
                }
            }
        }
    }

    /// The server has said what it is.
    pub(super) fn is_kind(
        &mut self,
        core: &mut Core,
        id: BackendId,
        kind: ServerKind,
        now: Instant,
    ) {
        let slots = self.servers.get_mut(&id).and_then(|server| server.is_kind(kind));
        if let Some(slots) = slots {
            core.set_slots(id, slots, now);
        }
    }

    /// Whether it matters what this server's figures say, and it may have some; `again` for one
    /// that had none.
    pub(super) fn shows_figures(&self, id: BackendId, again: bool) -> bool {
        self.servers.get(&id).is_some_and(|server| server.shows_figures(again))
    }

    /// Whether this server has shown figures.
    pub(super) fn has_figures(&self, id: BackendId) -> bool {
        self.servers.get(&id).is_some_and(|server| server.has_figures == Some(true))
    }

    /// A server was asked for its figures, and had some or none.
    pub(super) fn had_figures(&mut self, id: BackendId, has_figures: bool) {
        if let Some(server) = self.servers.get_mut(&id) {
            server.had_figures(has_figures);
        }
    }

    /// A server that lists no models answers all the same.
    pub(super) fn takes_questions(&mut self, id: BackendId) {
        if let Some(server) = self.servers.get_mut(&id) {
            server.answers = true;
        }
    }

    pub(super) fn snapshot(&self, core: &Core) -> Vec<BackendSnapshot> {
        let snapshot = |id: &BackendId| {
            let server = self.servers.get(id)?;
            let (asking, waiting) = core.load(*id);
            Some(BackendSnapshot {
                base: server.backend.endpoint.base().to_owned(),
                models: server.all().map(|model| model.id).collect(),
                slots: core.slots(*id),
                asking,
                waiting,
                state: server.state(core, *id)?,
                last_error: server.any_error(),
                trouble: server.trouble,
            })
        };
        self.pooled.iter().filter_map(snapshot).collect()
    }
}
