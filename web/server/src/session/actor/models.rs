//! Which model of which server a session asks, and whether its user may.

use std::time::Duration;

use live_vlm_access::rules::Rules;
use live_vlm_dispatch::Dispatcher;
use tokio_util::task::AbortOnDropHandle;
use vlm_client::{ApiKey, Endpoint, Error, ErrorKind};

use super::{
    Session,
    event::{Event, ModelChange},
};
use crate::{
    protocol::ServerMessage,
    refusal::{Code, Refusal},
    session::settings::Defaults,
};

const TIMEOUT: Duration = Duration::from_secs(3);
/// Models that a refusal names.
const NAMED: usize = 20;

/// Where an endpoint leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Destination {
    /// To a server of the pool, with the pool's key.
    Pool,
    /// To one, with another key: that is another account there.
    PoolByOwnKey,
    Elsewhere,
}

/// The model that a session begins with: the one that the rules name, or the server's own, or
/// else the first that the user may ask. Empty = the first of whichever server is asked.
pub(super) fn first(defaults: &Defaults, rules: &Rules, dispatcher: &Dispatcher) -> String {
    if let Some(model) = &rules.model {
        return model.clone();
    }
    if may(rules, &defaults.model) {
        return defaults.model.clone();
    }
    let pool = dispatcher.pool();
    let listed = pool.iter().flat_map(|backend| &backend.models);
    // Before a server has listed its models, those that the rules name in full may be there.
    let named = rules.models.iter().filter(|name| !name.contains(['*', '?']));
    let mut allowed = listed.chain(named).filter(|model| rules.allows_model(model));
    allowed.next().unwrap_or(&defaults.model).clone()
}

/// Without a name it could be any.
fn may(rules: &Rules, model: &str) -> bool {
    if model.is_empty() { rules.allows_all_models() } else { rules.allows_model(model) }
}

impl Session {
    /// The server that a client means. A key goes with the address beside it only; the pool's
    /// own keys go with the pool's addresses, which an empty address means.
    pub(super) fn endpoint(
        &self,
        api_base: &str,
        api_key: Option<ApiKey>,
    ) -> Result<Endpoint, Refusal> {
        let services = &self.services;
        if api_base.is_empty() {
            return Ok(services.defaults.endpoint.clone());
        }
        let may_bring_own = self.account.rules().own_api_base;
        let given = services.own_endpoints.endpoint(api_base, api_key, may_bring_own)?;
        if given.has_key() {
            return Ok(given);
        }
        // Nobody types a key again to choose another model of the same server.
        let chosen = &self.settings.endpoint;
        if chosen.base() == given.base() {
            return Ok(chosen.clone());
        }
        Ok(self.dispatcher.pooled(given.base()).unwrap_or(given))
    }

    /// Whether the user may still ask what the session asks.
    pub(super) fn may_ask(&self) -> Result<(), Refusal> {
        self.may_ask_for(&self.settings.endpoint, &self.settings.model)
    }

    /// Rules name models of the pool; what somebody's own server has is their own affair.
    fn may_ask_for(&self, endpoint: &Endpoint, model: &str) -> Result<(), Refusal> {
        let rules = self.account.rules();
        let destination = self.destination(endpoint);
        if destination != Destination::Pool && !rules.own_api_base {
            return Err(Refusal::no_own_endpoint());
        }
        // A server that does not look at keys has the pool's models whatever key it is shown.
        if destination == Destination::Elsewhere || may(&rules, model) {
            return Ok(());
        }
        let allowed = rules.models.join(", ");
        let message = if model.is_empty() {
            format!("choose a model; you may ask {allowed}")
        } else {
            format!("you may not ask the model {model:?}, only {allowed}")
        };
        Err(Refusal::new(Code::NotAllowed, message).about("model").allowing(allowed))
    }

    fn destination(&self, endpoint: &Endpoint) -> Destination {
        match self.dispatcher.pooled(endpoint.base()) {
            Some(pooled) if pooled == *endpoint => Destination::Pool,
            Some(_) => Destination::PoolByOwnKey,
            None => Destination::Elsewhere,
        }
    }

    /// Looks for the model in its server's list, beside everything else.
    pub(super) fn check_model(&mut self, api_base: &str, api_key: Option<ApiKey>, model: String) {
        let allowed = self.endpoint(api_base, api_key).and_then(|endpoint| {
            self.may_ask_for(&endpoint, &model)?;
            Ok(ModelChange { endpoint, model })
        });
        let change = match allowed {
            Ok(change) => change,
            Err(refusal) => return self.refuse(refusal),
        };
        self.model_changes += 1;
        let number = self.model_changes;
        let is_pooled = self.destination(&change.endpoint) == Destination::Pool;
        let dispatcher = self.dispatcher.clone();
        let events = self.events.clone();
        let check = tokio::spawn(async move {
            let listed = if is_pooled {
                dispatcher.models(TIMEOUT).await
            } else {
                dispatcher.client().models(&change.endpoint, TIMEOUT).await
            };
            let listed = match listed {
                Ok(models) => Ok(Some(models.into_iter().map(|model| model.id).collect())),
                Err(error @ Error { kind: ErrorKind::Forbidden { .. }, .. }) => {
                    Err(Refusal::not_allowed(&error))
                }
                // A server that does not list its models is asked all the same.
                Err(_) => Ok(None),
            };
            events.send(Event::ModelChecked { number, change, listed }).await;
        });
        self.model_check = Some(AbortOnDropHandle::new(check));
    }

    pub(super) fn change_model(
        &mut self,
        change: ModelChange,
        listed: Result<Option<Vec<String>>, Refusal>,
    ) {
        let ModelChange { endpoint, model } = change;
        let listed = match listed {
            Ok(listed) => listed,
            Err(refusal) => return self.refuse(refusal),
        };
        if let Some(listed) = listed.filter(|listed| !listed.is_empty())
            && !listed.contains(&model)
        {
            let names = listed.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            return self.refuse(Refusal {
                message: format!("{} does not have the model {model:?}", endpoint.base()),
                ..Refusal::field("model", format!("one of {names}"))
            });
        }
        self.settings.endpoint = endpoint;
        self.settings.model = model;
        self.send_settings_to_video();
        self.tell(&ServerMessage::ModelUpdated {
            model: self.settings.model.clone(),
            api_base: self.settings.endpoint.base().to_owned(),
            stand_in: self.is_stand_in(&self.settings.endpoint),
        });
    }
}
