//! One server that can be asked: what it is to be asked for, what it lists, and what was wrong with
//! it last.

use std::collections::VecDeque;

use wildmatch::WildMatch;

use crate::{
    core::{BackendId, BackendState, Core, Scope, Slots},
    scope,
};
use vlm_client::{
    Endpoint, Error, ExtraBody, Model, ServerKind, Trouble, choose_model, looks_like_vision,
};

/// Models of a server of which it is remembered what was wrong.
const MOST_MODEL_ERRORS: usize = 64;

/// A server of the pool, as its operator describes it.
#[derive(Debug, Clone)]
pub struct Backend {
    /// Where it is, and its key.
    pub endpoint: Endpoint,
    /// Fields for each request to it, under those of whoever asks.
    pub extra: ExtraBody,
    /// The models to ask it for, with `*` and `?` for those among what it lists; `None` = whatever
    /// it lists.
    pub models: Option<Vec<String>>,
    /// How many questions it takes at once. What is found begins anew with the number of the
    /// server's [kind](ServerKind) once it says what it is.
    pub slots: Slots,
    /// Whether to name the user, by a pseudonym, in `x-llm-d-inference-fairness-id`.
    pub fairness_header: bool,
    /// What to send as `x-llm-d-inference-objective`; `None` = nothing.
    pub objective: Option<String>,
}

impl Backend {
    /// A server that is asked for whatever it lists.
    pub fn new(endpoint: Endpoint, slots: Slots) -> Self {
        Self {
            endpoint,
            extra: ExtraBody::default(),
            models: None,
            slots,
            fairness_header: false,
            objective: None,
        }
    }

    /// Whether this model, if the server has it, is one to ask for.
    pub fn offers(&self, model: &str) -> bool {
        let matches = |pattern: &String| WildMatch::new(pattern).matches(model);
        self.models.as_ref().is_none_or(|patterns| patterns.iter().any(matches))
    }

    /// Models that are named in full, whether they are listed or not: some servers list none.
    fn named(&self) -> impl Iterator<Item = &String> {
        self.models.iter().flatten().filter(|name| !name.contains(['*', '?']))
    }
}

#[derive(Debug)]
pub(super) struct Server {
    pub(super) backend: Backend,
    pub(super) listed: Vec<Model>,
    /// What was wrong with all of it.
    pub(super) last_error: Option<String>,
    pub(super) trouble: Option<Trouble>,
    /// Whether a question was answered since one was refused altogether: then a refused list says
    /// that only the list is.
    pub(super) answers: bool,
    /// What it says that it is.
    kind: Option<ServerKind>,
    /// Whether it shows figures; `None` until it was asked for some.
    pub(super) has_figures: Option<bool>,
    /// What was wrong with a model, the newest last.
    model_errors: VecDeque<(String, String)>,
}

impl Server {
    pub(super) fn new(backend: Backend) -> Self {
        let (last_error, trouble, answers) = (None, None, false);
        let (listed, model_errors) = (Vec::new(), VecDeque::new());
        let (kind, has_figures) = (None, None);
        Self { backend, listed, last_error, trouble, answers, kind, has_figures, model_errors }
    }

    /// A question has gone wrong there, or well: `None`.
    pub(super) fn failed(&mut self, model: &str, error: Option<&Error>) {
        if error.and_then(Error::trouble).is_some() {
            self.answers = false;
        }
        if error.is_none_or(|error| scope::of(error) == Some(Scope::Model)) {
            self.model_errors.retain(|(of, _)| of != model);
        }
        match error {
            None => {
                self.last_error = None;
                self.trouble = None;
                self.answers = true;
            }
            Some(error) if scope::of(error) == Some(Scope::Server) => {
                self.last_error = Some(error.to_string());
            }
            Some(error) => {
                if self.model_errors.len() >= MOST_MODEL_ERRORS {
                    self.model_errors.pop_front();
                }
                self.model_errors.push_back((model.to_owned(), error.to_string()));
            }
        }
    }

    /// It was asked for its models, and gave none.
    pub(super) fn list_failed(&mut self, error: &Error) {
        self.last_error = Some(error.to_string());
        let is_old = |trouble: &Trouble| self.answers && trouble.is_said_by_server();
        self.trouble = error.trouble().filter(|trouble| !is_old(trouble));
    }

    /// It has said what it is. Gives the slots that it has by that, if that is new and matters.
    pub(super) fn is_kind(&mut self, kind: ServerKind) -> Option<Slots> {
        let is_new = self.kind.replace(kind) != Some(kind);
        (is_new && self.finds_slots()).then(|| Slots::Auto(kind.slots()))
    }

    fn finds_slots(&self) -> bool {
        matches!(self.backend.slots, Slots::Auto(_))
    }

    /// Whether its figures are asked for: those of one that is not there yet are not, nor those of
    /// one that had none, but `again`, as it may have been started anew.
    pub(super) fn shows_figures(&self, again: bool) -> bool {
        let is_there = self.answers || !self.listed.is_empty();
        self.finds_slots() && is_there && (again || self.has_figures != Some(false))
    }

    /// It was asked for its figures, and had some or none.
    pub(super) fn had_figures(&mut self, has_figures: bool) {
        self.has_figures = Some(has_figures);
    }

    /// What was wrong last, as far as it concerns those who ask for this model.
    pub(super) fn error_for(&self, model: &str) -> Option<String> {
        self.last_error.clone().or_else(|| self.model_error(model))
    }

    fn model_error(&self, model: &str) -> Option<String> {
        let error = self.model_errors.iter().find(|(of, _)| of == model);
        error.map(|(_, error)| error.clone())
    }

    pub(super) fn any_error(&self) -> Option<String> {
        let of_model = || self.model_errors.back().map(|(_, error)| error.clone());
        self.last_error.clone().or_else(of_model)
    }

    /// A server all of whose models are left alone is.
    pub(super) fn state(&self, core: &Core, id: BackendId) -> Option<BackendState> {
        let until = |state: &BackendState| match state {
            BackendState::Up => None,
            BackendState::HalfOpen => Some((0, None)),
            BackendState::Open { until } => Some((1, Some(*until))),
        };
        let states = self.all().filter_map(|model| core.state_for(id, &model.id));
        states.min_by_key(until).or_else(|| core.state(id))
    }

    fn offered(&self) -> impl Iterator<Item = &Model> {
        self.listed.iter().filter(|model| self.backend.offers(&model.id))
    }

    /// Those that are named in full, and those of the list that there are to be.
    pub(super) fn all(&self) -> impl Iterator<Item = Model> {
        let is_listed = |id: &&String| self.listed.iter().any(|model| model.id == **id);
        let unlisted = self.backend.named().filter(move |id| !is_listed(id));
        let unlisted = unlisted.map(|id| Model { id: id.clone(), vision: looks_like_vision(id) });
        unlisted.chain(self.offered().cloned())
    }

    pub(super) fn has(&self, model: &str) -> bool {
        model.is_empty()
            || self.backend.named().any(|name| name == model)
            || self.offered().any(|listed| listed.id == model)
    }

    /// The model for those who name none; empty while none is known.
    pub(super) fn first_model(&self) -> String {
        let named = self.backend.named().next().cloned();
        named.unwrap_or_else(|| {
            let offered: Vec<Model> = self.offered().cloned().collect();
            choose_model(&offered).map(|model| model.id.clone()).unwrap_or_default()
        })
    }
}
