//! The server `live-vlm`: live video from many browsers, each answered by a Vision Language Model
//! (VLM) in a session of its own.
//!
//! A request comes in through `live-vlm-listen` and `routes`, reaches its [`session`], and the
//! session has its video received by a process of `live-vlm-media-processes`, and asks a VLM about
//! it by `live-vlm-ask`. What page and server say to each other is in `protocol`. Who may come in
//! and do what is decided in `live-vlm-access`, and what happens is counted in `live-vlm-observe`.
//! [`app`] names the parts of a running server, [`run`] puts them together, and [`config`] what
//! they are told.

pub mod addresses;
pub mod app;
pub mod choices;
pub mod config;
#[cfg(test)]
mod fuzzing;
mod live;
pub mod log;
mod media;
mod media_address;
pub mod memory;
mod network;
mod protocol;
mod refusal;
mod refusal_log;
pub mod relay;
pub mod reload;
mod requester;
mod routes;
pub mod run;
pub mod session;
mod stun;
pub mod times;
