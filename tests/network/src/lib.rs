//! Hosts in network namespaces of their own, and a bad network between them.
//!
//! Each host has one interface, `eth0`: a TUN device whose other end this process holds. A packet
//! that a host sends is read there, lost, delayed, held up or thrown away as [`Middle`] decides, and
//! written to the device of the host that it is for. So the kernel needs no traffic control, only
//! `/dev/net/tun` and a process that may make namespaces, which mostly is root's.
//!
//! Namespaces have no names and devices no owner but this process: when it ends, however that is,
//! both are gone. [`Network`] has IPv4 only.

pub mod coturn;
mod line;
mod middle;
mod namespace;
mod nat;
mod network;
mod packet;
mod tun;

pub use line::{Counts, Impairment, LATE, QUEUE};
pub use middle::{Access, Host, Middle, Rule, Side};
pub use namespace::Namespace;
pub use nat::Nat;
pub use network::{Network, Plan, lacking};
pub use packet::{Packet, Protocol};
pub use rustix::process::Signal;
