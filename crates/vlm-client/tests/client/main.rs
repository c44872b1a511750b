//! The client against servers that say exactly what a test wants.

mod adapt;
mod exchange;
mod foreign;
mod hostile;
mod kept;
mod real_servers;
mod support;
mod tls;
