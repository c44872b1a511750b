//! All sessions, by id. The map is the only thing that sessions share; it is locked to look up,
//! add or remove one, and never while anything is sent or awaited. Locking order: this map, then
//! the counts of `limits`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use live_vlm_access::{
    limits::{AddressKey, CountGuard, Limit, LimitReached},
    sign_in::Credential,
};
use live_vlm_observe::overload::Overloaded;
use tokio::{sync::mpsc, time::timeout};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

use super::{
    account::Groups,
    actor,
    command::{COMMANDS, Command, Handle},
    id::{Owner, SessionId},
    services::Services,
};
use crate::{
    refusal::{Code, Refusal},
    requester::Requester,
};

/// When to try again for a session that somebody else must end first.
const RETRY: Duration = Duration::from_secs(10);

/// All sessions. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sessions {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    services: Arc<Services>,
    state: Mutex<SessionsState>,
    tasks: TaskTracker,
}

#[derive(Debug, Default)]
struct SessionsState {
    sessions: HashMap<SessionId, Entry>,
    closing: bool,
}

#[derive(Debug)]
struct Entry {
    owner: Owner,
    /// What its owner signed in by when they opened it last.
    credential: Option<Credential>,
    groups: Groups,
    handle: Handle,
}

/// What a session takes of its user's and its address' limits.
#[derive(Debug)]
struct CountGuards {
    _of_user: CountGuard<String>,
    _of_address: Option<CountGuard<AddressKey>>,
}

/// Takes a session out of the list, even if its task panics.
struct Registration {
    sessions: Sessions,
    handle: Handle,
    /// Free for the user's next session after this one is out of the list.
    _guards: CountGuards,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.sessions.remove(&self.handle);
    }
}

impl Sessions {
    pub(crate) fn new(services: Services) -> Self {
        Self {
            shared: Arc::new(Shared {
                services: Arc::new(services),
                state: Mutex::default(),
                tasks: TaskTracker::new(),
            }),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.shared.lock().sessions.len()
    }

    /// Whether no new one is admitted any more.
    pub(crate) fn is_closing(&self) -> bool {
        self.shared.lock().closing
    }

    /// Whether there are as many as there may be.
    pub(crate) fn is_full(&self) -> bool {
        is_full(self.count(), self.shared.services.live.now().limits.max_sessions)
    }

    /// The session that this id names, a new one if there is none yet.
    ///
    /// # Errors
    /// When the id is bad or somebody else's, there are too many sessions, of this user or at all,
    /// or there is too much to do for another.
    pub(crate) fn open(&self, id: Option<&str>, requester: &Requester) -> Result<Handle, Refusal> {
        let id = match id {
            Some(id) => SessionId::parse(id)?,
            None => SessionId::random(),
        };
        let overloaded = self.shared.services.observer.overload.reached();
        let mut state = self.shared.lock();
        if let Some(entry) = state.sessions.get_mut(&id)
            && !entry.handle.commands.is_closed()
        {
            if entry.owner.is(requester) {
                entry.credential.clone_from(&requester.credential);
                let groups = &requester.user.groups;
                if **entry.groups.load() != *groups {
                    entry.groups.store(Arc::new(groups.clone()));
                    // One that is too busy to hear it obeys with its next question or offer.
                    let _ = entry.handle.commands.try_send(Command::RulesChanged);
                }
                return Ok(entry.handle.clone());
            }
            return Err(Refusal::new(
                Code::SessionTaken,
                "this session belongs to somebody else; bring a session_id of your own",
            )
            .about("session_id"));
        }
        let guards = self.admit(&state, requester, overloaded)?;
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let handle = Handle { id, commands };
        let (owner, user) = (Owner::of(requester), &requester.user);
        let credential = requester.credential.clone();
        let groups = Groups::new(ArcSwap::from_pointee(user.groups.clone()));
        let entry =
            Entry { owner, credential, groups: Arc::clone(&groups), handle: handle.clone() };
        state.sessions.insert(id, entry);
        drop(state);
        let registration =
            Registration { sessions: self.clone(), handle: handle.clone(), _guards: guards };
        let services = Arc::clone(&self.shared.services);
        let task =
            actor::run(services, handle.clone(), requester.clone(), groups, registration, inbox);
        self.shared.tasks.spawn(task);
        Ok(handle)
    }

    /// Whether there is room for a new session of this requester's, and what it takes of that.
    fn admit(
        &self,
        state: &SessionsState,
        requester: &Requester,
        overloaded: Option<Overloaded>,
    ) -> Result<CountGuards, Refusal> {
        if state.closing {
            let message = "this server is shutting down; try again in a moment";
            let refusal = Refusal::new(Code::TooManySessions, message);
            return Err(Refusal { retry_after_s: Some(RETRY.as_secs_f64()), ..refusal });
        }
        let Services { live, limits, .. } = &*self.shared.services;
        let live = live.now();
        let most = live.limits.max_sessions;
        if is_full(state.sessions.len(), most) {
            let (limit, value) = (Limit::MaxSessions, most.into());
            return Err(LimitReached { limit, value, retry_after: RETRY }.into());
        }
        if let Some(reached) = overloaded {
            return Err(reached.into());
        }
        let user = &requester.user;
        let of_user =
            limits.session(&user.id, &live.all_rules.rules_for(&user.id, &user.groups))?;
        // Whoever does not sign in can be as many users as they like.
        let of_address = match user.signed_in {
            true => None,
            false => {
                let most = live.limits.connections_per_address;
                Some(limits.unsigned_session(requester.address, most)?)
            }
        };
        Ok(CountGuards { _of_user: of_user, _of_address: of_address })
    }

    /// Admits no new session, tells those that run, and lets the questions in flight end, at most
    /// `within`.
    pub(crate) async fn drain(&self, within: Duration) {
        for handle in self.admit_no_more() {
            // One that is too busy to hear it now hears it when the connection is closed.
            let _ = handle.commands.try_send(Command::Closing(within));
        }
        if !self.shared.services.dispatcher.drain(within).await {
            tracing::info!("some questions have not ended in time, and are given up");
        }
    }

    /// Ends every session and its page's connection, and admits no new one. Done when all are
    /// freed, or `within` is over.
    pub(crate) async fn close(&self, within: Duration) {
        let handles = self.admit_no_more();
        let all = async {
            for handle in &handles {
                let _ = handle.commands.send(Command::Close).await;
            }
            self.shared.tasks.close();
            self.shared.tasks.wait().await;
        };
        if timeout(within, all).await.is_err() {
            tracing::warn!(sessions = self.count(), "sessions did not end in time");
        }
    }

    /// Ends the sessions of those whose credential holds no more, and tells their pages why.
    pub(crate) fn end_unless(&self, holds: impl Fn(&Credential) -> bool) {
        let opened: Vec<_> = {
            let state = self.shared.lock();
            let sessions = state.sessions.values();
            let signed_in = sessions.filter_map(|entry| Some((entry.credential.clone()?, entry)));
            signed_in.map(|(credential, entry)| (credential, entry.handle.clone())).collect()
        };
        for (credential, handle) in opened {
            if !holds(&credential) {
                // One that is too busy to hear it is told the next time.
                let _ = handle.commands.try_send(Command::SignedOut);
            }
        }
    }

    fn admit_no_more(&self) -> Vec<Handle> {
        let mut state = self.shared.lock();
        state.closing = true;
        state.sessions.values().map(|entry| entry.handle.clone()).collect()
    }

    /// Held by a page's connection: [`close`](Self::close) waits for it to say goodbye.
    pub(crate) fn connection(&self) -> TaskTrackerToken {
        self.shared.tasks.token()
    }

    /// Forgets a session that has ended.
    fn remove(&self, ended: &Handle) {
        let mut state = self.shared.lock();
        let same = |entry: &Entry| entry.handle.commands.same_channel(&ended.commands);
        if state.sessions.get(&ended.id).is_some_and(same) {
            state.sessions.remove(&ended.id);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, SessionsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the limit is reached; 0 = no limit.
fn is_full(count: usize, most: u32) -> bool {
    most > 0 && count >= most as usize
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
