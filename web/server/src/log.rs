//! How much the server logs, and in which form.

use live_vlm_config::LogFilter;
use serde::{Deserialize, Serialize};

/// `[log]`: what it logs.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[group(skip)]
#[command(next_help_heading = "Log")]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How much to log: error, warn, info, debug or trace, or a filter such as live_vlm=debug
    /// [default: info]
    #[arg(id = "log", long = "log", env = "LIVE_VLM_LOG", value_name = "LEVEL")]
    pub level: Option<LogFilter>,
    /// Form of the log [default: text]
    #[arg(
        id = "log_format",
        long = "log-format",
        env = "LIVE_VLM_LOG_FORMAT",
        value_name = "FORMAT",
        value_enum
    )]
    pub format: Option<Format>,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What the server logs.
#[derive(Debug, Clone, Serialize)]
pub struct Options {
    /// How much.
    pub level: LogFilter,
    /// In which form.
    pub format: Format,
}

impl Config {
    /// What these flags say, or else the file, or else the default.
    pub fn over(&self, file: &Self) -> Options {
        let level = self.level.as_ref().or(file.level.as_ref());
        Options {
            level: level.cloned().unwrap_or_else(LogFilter::info),
            format: self.format.or(file.format).unwrap_or(Format::Text),
        }
    }
}
