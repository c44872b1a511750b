//! The command line and the environment, put together of what each feature has. A feature's
//! `Config` is a table of the file, too: one definition for both, so that every flag has its key. A
//! value that nobody gave is `None`; the default stands beside the `Config`.

use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use live_vlm_access::{
    limits,
    rules::RuleTable,
    sign_in::{KeysCommand, SignInTable},
};
use live_vlm_backends as vlm;
use live_vlm_listen as listen;
use live_vlm_observe::usage::UsageCommand;

use crate::{log, media, network};

/// Point cameras at a Vision Language Model and read what it sees, live, for many people at once.
#[derive(Debug, Parser)]
#[command(
    name = "live-vlm",
    version,
    after_help = "These are the most used options. `live-vlm --help` lists all of them.",
    after_long_help = "Without --api-base, the server looks for Ollama, vLLM, SGLang and llama.cpp \
                  on this host. If none of them has a vision model, a built-in stand-in answers. \
                  docs/configuration.md says how to set all this in a file.",
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    /// Something else than serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve.
    #[command(flatten)]
    pub serve: Options,
}

/// The options that `-h` shows.
const MOST_USED: [&str; 13] = [
    "config",
    "host",
    "port",
    "no-ssl",
    "ssl-cert",
    "ssl-key",
    "api-base",
    "api-key",
    "model",
    "prompt",
    "process-every",
    "sign-in",
    "log",
];

impl Cli {
    /// The arguments of this process. Ends it when they are wrong, or ask for help.
    pub fn of_process() -> Self {
        let matches = Self::with_short_help().get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    fn with_short_help() -> clap::Command {
        Self::command().mut_args(|argument| {
            let is_most_used = argument.get_long().is_none_or(|long| MOST_USED.contains(&long));
            argument.hide_short_help(!is_most_used)
        })
    }
}

/// What the program can do besides serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run only the stand-in for a VLM: an OpenAI-compatible server that describes pixels
    DemoVlm(demo_vlm::Options),
    /// Look at the configuration without serving
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Show what users have used, by day
    Usage(UsageCommand),
    /// Make, list and revoke the keys with which people and programs sign in
    Keys(KeysCommand),
}

/// What can be done with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the settings in force, or what is wrong and where
    Check(Box<Options>),
}

/// How to serve, as flags and environment say it.
#[derive(Debug, Clone, Default, Args)]
pub struct Options {
    /// Configuration file [default: live-vlm/config.toml in the user's configuration folder, if it
    /// is there]
    #[arg(long, env = "LIVE_VLM_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where it listens.
    #[command(flatten)]
    pub(crate) server: listen::Config,
    /// Whom it asks.
    #[command(flatten)]
    pub(crate) vlm: vlm::Config,
    /// How video reaches it.
    #[command(flatten)]
    pub(crate) video: network::Config,
    /// What receives it.
    #[command(flatten)]
    pub(crate) media: media::Config,
    /// What all may do together.
    #[command(flatten)]
    pub(crate) limits: limits::Config,
    /// What each user may do.
    #[command(flatten)]
    pub(crate) rules: RuleTable,
    /// Who may use it.
    #[command(flatten)]
    pub(crate) sign_in: SignInTable,
    /// What an operator sees of it.
    #[command(flatten)]
    pub(crate) observe: live_vlm_observe::Config,
    /// What it logs.
    #[command(flatten)]
    pub(crate) log: log::Config,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_help_has_what_is_most_used_and_long_help_has_all_in_groups() {
        let mut command = Cli::with_short_help();
        let (short, long) = (command.render_help().to_string(), command.render_long_help());
        let long = long.to_string();
        for flag in MOST_USED {
            assert!(short.contains(&format!("--{flag}")), "{flag}: {short}");
        }
        assert!(!short.contains("--jwt-issuer") && long.contains("--jwt-issuer"));
        for group in
            ["Server", "VLM", "Video", "Limits", "Sign-in", "Metrics", "Traces", "Usage", "Log"]
        {
            assert_eq!(long.matches(&format!("\n{group}:\n")).count(), 1, "{group}: {long}");
        }
    }
}
