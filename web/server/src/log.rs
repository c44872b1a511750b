//! How much the server logs, and in which form.

use std::env;

use live_vlm_config::{LogFilter, NotAllowed};
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

/// What lines of media processes are called in filters.
const MEDIA: &str = "media";
/// What judges certificates of VLM servers.
const VERIFIER: &str = "rustls_platform_verifier";
/// By these, an operator asks for more of native libraries.
const NATIVE_DEBUGGING: [&str; 2] = ["GST_DEBUG", "G_MESSAGES_DEBUG"];

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

/// The filter that `level` is. Media processes have the same filter, so their lines are let through
/// wherever it is about single parts of the program, or where an operator asks for more by
/// `GST_DEBUG` or `G_MESSAGES_DEBUG`, unless it says something about them.
///
/// # Errors
/// Never for a filter that was read.
pub fn filter(level: &LogFilter) -> Result<EnvFilter, NotAllowed> {
    let asked_for = NATIVE_DEBUGGING.iter().any(|name| env::var_os(name).is_some());
    let mut filter = level.to_env_filter()?;
    if lets_media_through(level.text(), asked_for)
        && let Ok(directive) = format!("{MEDIA}=trace").parse()
    {
        filter = filter.add_directive(directive);
    }
    // It logs each certificate that it refuses, and not whose that is. Whoever asked says that.
    let quiet = format!("{VERIFIER}=off").parse().ok();
    Ok(match quiet.filter(|_| !level.text().contains(VERIFIER)) {
        Some(quiet) => filter.add_directive(quiet),
        None => filter,
    })
}

fn lets_media_through(filter: &str, asked_for: bool) -> bool {
    let mut directives = filter.split(',').map(str::trim);
    let names_them = directives.clone().any(|one| one.split('=').next() == Some(MEDIA));
    !names_them && (asked_for || directives.any(|directive| directive.contains('=')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_media_processes_pass_where_they_were_filtered_before() {
        for (filter, asked_for, expected) in [
            ("info", false, false),
            ("error", false, false),
            ("live_vlm=debug", false, true),
            ("live_vlm=debug,warn", false, true),
            ("info", true, true),
            ("info,media=off", true, false),
            ("info, media=debug", false, false),
        ] {
            assert_eq!(lets_media_through(filter, asked_for), expected, "{filter}");
        }
    }
}
