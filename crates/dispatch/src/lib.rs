//! Who is asked next: shares the slots of VLM servers fairly among users and their sessions.
//!
//! [`core`] decides, and is pure: time is an argument, and it neither waits nor sends. [`Dispatcher`]
//! is the thin asynchronous part around it: it owns the queue, tells members of their turns, and
//! knows backends by address.
//!
//! ## Driving the core
//!
//! Whoever drives a [`Core`](core::Core) tells it what happens and when, and then takes its decisions:
//! after every change, and whenever [`next_timeout`](core::Core::next_timeout) has come,
//! [`next`](core::Core::next) is called until it gives `None`. Times never go back.
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use live_vlm_dispatch::core::{Core, CoreConfig, Event, Slots, Verdict};
//!
//! // One server that answers one question at a time, and two people who each have a session.
//! let mut core = Core::new(CoreConfig::default());
//! let backend = core.add_backend(Slots::Fixed(1));
//! let route = core.add_route(&[backend], "llava");
//! let (ann, bob) = (core.add_user(), core.add_user());
//! let anns = core.join(ann, 1, route).expect("there is room");
//! let bobs = core.join(bob, 1, route).expect("there is room");
//!
//! // Both want to ask. The first has the slot, the second waits.
//! let start = Instant::now();
//! core.want(anns, false, None, start);
//! core.want(bobs, false, None, start);
//! assert_eq!(core.next(start), Some(Event::Turn(anns, backend)));
//! assert_eq!(core.next(start), None);
//!
//! // A second later the answer is there, and the slot goes on.
//! let answered = start + Duration::from_secs(1);
//! core.rest(anns, Verdict::Good, None, answered);
//! core.want(anns, false, None, answered);
//! assert_eq!(core.next(answered), Some(Event::Turn(bobs, backend)));
//! assert_eq!(core.next(answered), None);
//!
//! // Answers take a second here. So shortly before the next one is complete, whoever is next hears
//! // that it is time to have a fresh picture ready.
//! let near = core.next_timeout().expect("somebody waits");
//! assert_eq!(near, answered + Duration::from_millis(850));
//! assert_eq!(core.next(near), Some(Event::Near(anns)));
//! ```
//!
//! Locking order: the lists of models, the state, then a member's notices. The state's mutex is held
//! for the length of a decision only, never across an await or a call out; members are woken, and
//! accounts called, after it is released.

mod account;
mod backoff;
pub mod core;
mod dispatcher;
mod health;
mod lock;
mod notices;
mod pool;
mod report;
mod scope;
mod server;
mod shared;
mod tasks;
mod turn;

pub use self::{
    account::{Account, Denied},
    backoff::doubled,
    core::{BackendId, BackendState, CoreConfig, MOST_NEAR, Slots},
    dispatcher::{Dispatcher, Full},
    pool::BackendSnapshot,
    report::{QuestionOutcome, QuestionReport},
    server::Backend,
    shared::DispatcherConfig,
    turn::{Member, NoTurn, Turn, UrgencyHandle, Want},
};
