use live_vlm_config::Whole;
use serde::{Deserialize, Serialize};

const MAX_SESSIONS: u32 = 200;
const CONNECTIONS_PER_ADDRESS: u32 = 10;

/// `[limits]`: what all may do together. 0 = off.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[group(skip)]
#[command(next_help_heading = "Limits")]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Most sessions at once; 0 = any number [default: 200]
    #[arg(long, env = "LIVE_VLM_MAX_SESSIONS", value_name = "N")]
    pub max_sessions: Option<Whole<0, 100_000>>,
    /// Most WebSockets at once from one address, and most sessions of people there who have not
    /// signed in; 0 = any number [default: 10]
    #[arg(long, env = "LIVE_VLM_CONNECTIONS_PER_ADDRESS", value_name = "N")]
    pub connections_per_address: Option<Whole<0, 100_000>>,
}

/// What all may do together. 0 = no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ServerLimits {
    /// Most sessions at once (200).
    pub max_sessions: u32,
    /// Most WebSockets at once from one address (10).
    pub connections_per_address: u32,
}

impl Config {
    /// What these flags say, or else the file, or else the default.
    pub fn over(&self, file: &Self) -> ServerLimits {
        let connections = self.connections_per_address.or(file.connections_per_address);
        let sessions = self.max_sessions.or(file.max_sessions);
        ServerLimits {
            max_sessions: sessions.map_or(MAX_SESSIONS, |most| most.get() as u32),
            connections_per_address: connections
                .map_or(CONNECTIONS_PER_ADDRESS, |most| most.get() as u32),
        }
    }
}
