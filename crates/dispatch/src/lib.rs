//! Who is asked next: shares the slots of VLM servers fairly among users and their sessions.
//!
//! [`core`] decides, and is pure: time is an argument, and it neither waits nor sends. [`Dispatcher`]
//! is the thin asynchronous part around it: it owns the queue, tells members of their turns, and
//! knows backends by address.
//!
//! Locking order: the lists of models, the state, then a member's notices. The state's mutex is held
//! for the length of a decision only, never across an await or a call out; members are woken, and
//! accounts called, after it is released.

mod account;
mod backoff;
pub mod core;
mod dispatcher;
mod health;
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
    core::{BackendId, BackendState, CoreConfig, Slots},
    dispatcher::{Dispatcher, Full},
    pool::BackendSnapshot,
    report::{QuestionOutcome, QuestionReport},
    server::Backend,
    shared::DispatcherConfig,
    turn::{Hurry, Member, NoTurn, Turn, Want},
};
