//! The configuration: one TOML file, the environment, and flags; each overrides the one before.
//!
//! [`Options`] is what flags and environment say, [`FileConfig`] what the file says, and [`Config`]
//! what is in force.

mod check;
mod cli;
mod file;
mod resolve;

use std::path::{Path, PathBuf};

use live_vlm_config::{BadConfig, Problem, Source};
use live_vlm_media_processes::NetworkOptions;
use serde::Serialize;

pub use cli::{Cli, Command, ConfigCommand, Options};
pub use file::FileConfig;
use live_vlm_access::{limits::ServerLimits, rules::AllRules, sign_in::SignInOptions};
use live_vlm_backends::{self as vlm, BackendConfig};
use live_vlm_listen as listen;

use crate::{log, network};

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
    pub(crate) server: listen::Options,
    /// What it asks.
    pub(crate) vlm: vlm::Options,
    /// Whom it asks, in order of preference; none = what is found on this host.
    pub(crate) backends: Vec<BackendConfig>,
    /// How video reaches it.
    pub(crate) video: network::Options,
    /// What all may do together.
    pub(crate) limits: ServerLimits,
    /// What each user may do.
    #[serde(flatten)]
    pub(crate) all_rules: AllRules,
    /// Who may use it.
    pub(crate) sign_in: SignInOptions,
    /// What an operator sees of it.
    #[serde(flatten)]
    pub(crate) observe: live_vlm_observe::Config,
    /// What it logs.
    pub log: log::Options,
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
    pub(crate) fn from_source(options: &Options, source: &Source) -> Result<Self, BadConfig> {
        resolve::resolve(options, source.parse()?, Some(source))
    }

    /// How peers reach us.
    pub(crate) fn network(&self) -> NetworkOptions {
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
