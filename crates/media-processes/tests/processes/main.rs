//! Media processes that crash and lie, and what becomes of the others.

mod blame;
mod crashes;
mod leftovers;
mod lies;
mod log;
mod peers;
mod support;
mod usage;
