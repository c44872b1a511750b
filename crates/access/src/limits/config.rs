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
    /// Most sessions at once; 0 = no limit [default: 200]
    #[arg(long, env = "LIVE_VLM_MAX_SESSIONS", value_name = "N")]
    pub max_sessions: Option<Whole<0, 100_000>>,
    /// Most WebSockets at once from one address, and most sessions of people there who have not
    /// signed in; 0 = no limit [default: 10]
    #[arg(long, env = "LIVE_VLM_CONNECTIONS_PER_ADDRESS", value_name = "N")]
    pub connections_per_address: Option<Whole<0, 100_000>>,
}

/// What all may do together. 0 = no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ServerLimits {
    /// Most sessions at once.
    pub max_sessions: u32,
    /// Most WebSockets at once from one address.
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

#[cfg(test)]
mod tests {
    use clap::{Args, Command};

    use super::*;

    #[test]
    fn the_help_names_the_defaults() {
        let defaults = Config::default().over(&Config::default());
        let help = Config::augment_args(Command::new("")).render_long_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for (flag, default) in [
            ("--max-sessions", defaults.max_sessions),
            ("--connections-per-address", defaults.connections_per_address),
        ] {
            let (_, of_flag) = help.split_once(flag).expect(flag);
            let (_, named) = of_flag.split_once("[default: ").expect(flag);
            assert!(named.starts_with(&format!("{default}]")), "{flag} {named}");
        }
    }
}
