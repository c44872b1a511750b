use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// How a peer reaches us.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkOptions {
    /// The only address to offer and listen on, `127.0.0.1` say. Default: every interface's.
    pub bind: Option<IpAddr>,
    /// One more address beside `bind`, without which it does not count; if it is not to be had,
    /// the connection is made without it. Default: none.
    pub also_bind: Option<IpAddr>,
    /// The lowest UDP port to use. Default: any.
    pub min_port: Option<u16>,
    /// The highest UDP port to use, inclusive. Default: any. A connection takes one or two ports.
    pub max_port: Option<u16>,
    /// A STUN server as `stun://host:port`, for when the server is behind NAT. Default: none.
    pub stun_server: Option<String>,
}
