//! The configuration: one TOML file, the environment, and flags; each overrides the one before.
//!
//! [`Options`] is what flags and environment say, [`FileConfig`] what the file says, and [`Config`]
//! what is in force.

mod backends;
mod check;
mod cli;
mod file;
mod resolve;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use live_vlm_config::{BadConfig, LogFilter, Problem, Slots, Source};
use live_vlm_pipelines::NetworkOptions;
use serde::{Serialize, Serializer};
use vlm_client::Allowed;

pub use backends::BackendConfig;
pub use cli::{
    Cli, Command, ConfigCommand, LimitsTable, LogFormat, LogTable, Options, RuleTable, ServerTable,
    VideoTable, VlmTable,
};
pub use file::{BackendTable, FileConfig};

use crate::{
    forwarded::TrustedProxies, observe, policy::Policy, protocol::NOMINAL_FRAME_RATE,
    sign_in::SignInOptions, turn::Turn,
};

/// What is in force.
#[derive(Debug, Clone, Serialize)]
pub struct Config {
    /// The file that was read, if there is one.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// What is to be said of it, although it can be used.
    #[serde(skip)]
    pub warnings: Vec<String>,
    /// Where the server listens.
    pub server: ServerConfig,
    /// What it asks.
    pub vlm: VlmConfig,
    /// Whom it asks, in order of preference; none = what is found on this host.
    pub backends: Vec<BackendConfig>,
    /// How video reaches it.
    pub video: VideoConfig,
    /// What all may do together.
    pub limits: ServerLimits,
    /// What each user may do.
    #[serde(flatten)]
    pub policy: Policy,
    /// Who may use it.
    pub sign_in: SignInOptions,
    /// What an operator sees of it.
    #[serde(flatten)]
    pub observe: observe::Config,
    /// What it logs.
    pub log: LogConfig,
}

/// Where the server listens.
#[derive(Debug, Clone, Serialize)]
pub struct ServerConfig {
    /// The address.
    pub host: IpAddr,
    /// The port; 0 = any free one.
    pub port: u16,
    /// Whether the next free port is taken if that one is not.
    pub auto_port: bool,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// The certificate and its key; without them one is made and kept.
    #[serde(flatten)]
    pub certificate: Option<Certificate>,
    /// How long questions in flight may take when the server ends, 0 to 300 s (5).
    #[serde(serialize_with = "seconds")]
    pub drain_timeout: Duration,
    /// Proxies that are believed about whom they speak for.
    pub trusted_proxies: TrustedProxies,
}

/// A TLS certificate, in files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// The certificate.
    #[serde(rename = "ssl_cert")]
    pub cert: PathBuf,
    /// Its private key.
    #[serde(rename = "ssl_key")]
    pub key: PathBuf,
}

/// What sessions begin with, unless the user's rules say otherwise.
#[derive(Debug, Clone, Serialize)]
pub struct VlmConfig {
    /// The model; none = the first vision model.
    pub model: Option<String>,
    /// What is asked.
    pub prompt: String,
    /// About every n-th frame, at [`NOMINAL_FRAME_RATE`].
    pub process_every: u32,
    /// The longest answer, in tokens.
    pub max_tokens: u32,
    /// Slots of a VLM server that was found and not named; none = by its kind.
    pub slots: Option<Slots>,
    /// What people may ask themselves beside public addresses.
    pub allowed_api_bases: Vec<Allowed>,
}

/// How video reaches the server.
#[derive(Debug, Clone, Serialize)]
pub struct VideoConfig {
    /// Where it learns its address from, as `stun://host:port`.
    pub stun_server: Option<String>,
    /// Relays for browsers that do not reach it.
    #[serde(flatten)]
    pub turn: Turn,
    /// Lowest UDP port.
    pub min_rtp_port: Option<u16>,
    /// Highest UDP port.
    pub max_rtp_port: Option<u16>,
}

/// What all may do together. 0 = no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ServerLimits {
    /// Most sessions at once (200).
    pub max_sessions: u32,
    /// Most WebSockets at once from one address (10).
    pub connections_per_address: u32,
}

/// What the server logs.
#[derive(Debug, Clone, Serialize)]
pub struct LogConfig {
    /// How much.
    pub level: LogFilter,
    /// In which form.
    pub format: LogFormat,
}

impl Config {
    /// What is in force, with the file that the options name, or else the user's own.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(options: &Options) -> Result<Self, BadConfig> {
        match source(options.config.as_deref())? {
            Some(source) => Self::from_source(options, &source),
            None => Self::without_file(options),
        }
    }

    /// What the file says that is named, or else the user's own; nothing if there is none.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn file(named: Option<&Path>) -> Result<FileConfig, BadConfig> {
        source(named)?.map_or_else(|| Ok(FileConfig::default()), |source| source.parse())
    }

    /// What is in force without a file.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn without_file(options: &Options) -> Result<Self, BadConfig> {
        resolve::resolve(options, FileConfig::default(), None)
    }

    /// What is in force with this file.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn from_source(options: &Options, source: &Source) -> Result<Self, BadConfig> {
        resolve::resolve(options, source.parse()?, Some(source))
    }

    /// The time between two questions.
    pub fn interval(&self) -> Duration {
        let seconds = f64::from(self.vlm.process_every) / NOMINAL_FRAME_RATE;
        Duration::from_secs_f64(seconds.max(0.1))
    }

    /// How peers reach us.
    pub fn network(&self) -> NetworkOptions {
        let host = self.server.host;
        NetworkOptions {
            bind: host.is_loopback().then_some(host),
            also_bind: None,
            min_port: self.video.min_rtp_port,
            max_port: self.video.max_rtp_port,
            stun_server: self.video.stun_server.clone(),
        }
    }
}

fn seconds<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(time.as_secs())
}

fn source(named: Option<&Path>) -> Result<Option<Source>, BadConfig> {
    match named {
        Some(path) => read(path).map(Some),
        None => match own_file() {
            Some(path) if path.exists() => read(&path).map(Some),
            _ => Ok(None),
        },
    }
}

fn read(path: &Path) -> Result<Source, BadConfig> {
    Source::read(path).map_err(|error| {
        let message = format!("the configuration cannot be read: {error}");
        Problem { file: Some(path.to_owned()), line: None, message }.into()
    })
}

/// The user's own configuration file, whether there is one or not.
fn own_file() -> Option<PathBuf> {
    let folders = directories::ProjectDirs::from("", "", "live-vlm")?;
    Some(folders.config_dir().join("config.toml"))
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
