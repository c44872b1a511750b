//! Connections on 127.0.0.1, from the offer to the end.

mod colours;
#[path = "../common/mod.rs"]
mod common;
mod connect;
mod decode;
mod loss;
mod network;
mod offers;
mod on_demand;
mod refuse;
mod sizes;
