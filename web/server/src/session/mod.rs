//! A session is one viewer with one video. Each is a task that owns everything of it: settings,
//! pipeline, WebSocket. Others reach it by messages only, so nothing of it is locked or shared.

mod account;
mod actor;
mod answers;
mod asking;
mod command;
mod frames;
mod id;
mod outbox;
mod pictures;
mod prepare;
mod presence;
mod registry;
mod services;
mod settings;
mod wanted_pictures;

pub(crate) use command::{Handle, Offer, OfferReply, SentPicture};
pub(crate) use outbox::{Inbound, Outbox, WeakOutbox};
pub(crate) use prepare::Decoders;
pub(crate) use presence::Offerer;
pub use registry::Sessions;
pub(crate) use services::Services;
pub(crate) use settings::Defaults;
