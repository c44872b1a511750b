//! The command line and the environment. Each group of flags is a table of the file, too: one
//! definition for both, so that every flag has its key. A value that nobody gave is `None`; the
//! default stands where the table is resolved.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use live_vlm_config::{
    Address, AllowedBase, Base, Cidr, Given, GivenFields, GivenHeaders, GivenKey, Interval,
    LogFilter, Name, Prompt, Slots, StunUrl, TurnUrl, Whole,
};
use serde::{Deserialize, Serialize};

use crate::{
    observe,
    sign_in::{KeysCommand, SignInTable},
    turn::GivenTurnSecret,
    usage::UsageCommand,
};

/// Point cameras at a Vision Language Model and read what it sees, live, for many people at once.
#[derive(Debug, Parser)]
#[command(
    name = "live-vlm",
    version,
    after_help = "Without --api-base, Ollama, vLLM, SGLang and llama.cpp are looked for on this \
                  host; if none has a vision model, a built-in stand-in answers. Every flag has a \
                  key in the configuration file, too: docs/configuration.md.",
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
    /// Make, list and revoke the keys by which people and programs sign in
    Keys(KeysCommand),
}

/// What can be done with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Say what is in force, or what is wrong and where
    Check(Box<Options>),
}

/// How to serve, as flags and environment say it.
#[derive(Debug, Clone, Default, Args)]
pub struct Options {
    /// Configuration file; without it live-vlm/config.toml in the user's configuration folder, if
    /// there is one
    #[arg(long, env = "LIVE_VLM_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where it listens.
    #[command(flatten)]
    pub server: ServerTable,
    /// Whom it asks.
    #[command(flatten)]
    pub vlm: VlmTable,
    /// How video reaches it.
    #[command(flatten)]
    pub video: VideoTable,
    /// What all may do together.
    #[command(flatten)]
    pub limits: LimitsTable,
    /// What each user may do.
    #[command(flatten)]
    pub rules: RuleTable,
    /// Who may use it.
    #[command(flatten)]
    pub sign_in: SignInTable,
    /// What an operator sees of it.
    #[command(flatten)]
    pub observe: observe::Config,
    /// What it logs.
    #[command(flatten)]
    pub log: LogTable,
}

/// `[server]`: where it listens.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerTable {
    /// Address to listen on; 127.0.0.1 = this host only [default: 0.0.0.0]
    #[arg(long, env = "LIVE_VLM_HOST", value_name = "ADDRESS")]
    pub host: Option<Address>,
    /// Port to listen on; 0 = any free one [default: 8090]
    #[arg(long, env = "LIVE_VLM_PORT")]
    pub port: Option<Whole<0, 65535>>,
    /// Take the next free port if the port is taken
    #[arg(
        long, env = "LIVE_VLM_AUTO_PORT", value_name = "BOOL",
        num_args = 0..=1, require_equals = true, default_missing_value = "true"
    )]
    pub auto_port: Option<bool>,
    /// Whether TLS is spoken; the flag is `--no-ssl`.
    #[arg(skip)]
    pub tls: Option<bool>,
    /// Serve plain HTTP only; browsers then give the camera to pages on localhost alone
    #[arg(
        long, env = "LIVE_VLM_NO_SSL", value_name = "BOOL",
        num_args = 0..=1, require_equals = true, default_missing_value = "true"
    )]
    #[serde(skip)]
    pub no_ssl: Option<bool>,
    /// TLS certificate (PEM); without it one is made and kept
    #[arg(
        long,
        env = "LIVE_VLM_SSL_CERT",
        value_name = "FILE",
        requires = "ssl_key",
        conflicts_with = "no_ssl"
    )]
    pub ssl_cert: Option<PathBuf>,
    /// Private key of the TLS certificate (PEM)
    #[arg(
        long,
        env = "LIVE_VLM_SSL_KEY",
        value_name = "FILE",
        requires = "ssl_cert",
        conflicts_with = "no_ssl"
    )]
    pub ssl_key: Option<PathBuf>,
    /// How long questions in flight may take when the server is told to end, in seconds
    /// [0-300; default: 5]
    #[arg(long, env = "LIVE_VLM_DRAIN_TIMEOUT", value_name = "SECONDS")]
    pub drain_timeout: Option<Whole<0, 300>>,
    /// Address or network of a proxy whose Forwarded and X-Forwarded-For are believed; may be
    /// given several times
    #[arg(
        long = "trusted-proxy",
        env = "LIVE_VLM_TRUSTED_PROXIES",
        value_name = "CIDR",
        value_delimiter = ','
    )]
    pub trusted_proxies: Option<Vec<Cidr>>,
}

/// `[vlm]`: whom it asks, and what until somebody changes it.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VlmTable {
    /// Base address of the OpenAI-compatible VLM server, such as http://localhost:8000/v1
    #[arg(long, env = "LIVE_VLM_API_BASE", value_name = "URL")]
    pub api_base: Option<Base>,
    /// Key for the server at --api-base; sent nowhere else. Better given by the environment, as
    /// command lines can be seen by others
    #[arg(long, env = "LIVE_VLM_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub api_key: Option<GivenKey>,
    /// Name of the environment variable that has the key.
    #[arg(skip)]
    pub api_key_env: Option<String>,
    /// File that has the key for the server at --api-base
    #[arg(long, env = "LIVE_VLM_API_KEY_FILE", value_name = "FILE", conflicts_with = "api_key")]
    pub api_key_file: Option<PathBuf>,
    /// File with the certificate of the authority that has signed that server's, beside those that
    /// this host trusts
    #[arg(long = "api-ca-file", env = "LIVE_VLM_API_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Headers for each request to that server.
    #[arg(skip)]
    pub headers: Option<GivenHeaders>,
    /// Fields for each request to that server.
    #[arg(skip)]
    pub extra_body: Option<GivenFields>,
    /// VLM servers that people may bring themselves beside those at public addresses: a network,
    /// an address, a host name or a wildcard, and a port if only that one: 10.0.0.0/8,
    /// 192.168.1.7:8000, vlm.example, *.example; may be given several times
    #[arg(
        long = "allow-api-base",
        env = "LIVE_VLM_ALLOW_API_BASE",
        value_name = "PATTERN",
        value_delimiter = ','
    )]
    pub allowed_api_bases: Option<Vec<AllowedBase>>,
    /// Model to ask; without it the first vision model of the VLM server
    #[arg(long, env = "LIVE_VLM_DEFAULT_MODEL", value_name = "NAME")]
    pub model: Option<String>,
    /// What is asked until somebody changes it for their own session
    #[arg(long, env = "LIVE_VLM_PROMPT")]
    pub prompt: Option<Prompt>,
    /// Ask about every n-th frame, at 30 a second [1-3600; default: 30]
    #[arg(long, env = "LIVE_VLM_PROCESS_EVERY", value_name = "FRAMES")]
    pub process_every: Option<Whole<1, 3600>>,
    /// The longest answer, in tokens [1-32768; default: 512]
    #[arg(long, env = "LIVE_VLM_MAX_TOKENS", value_name = "TOKENS")]
    pub max_tokens: Option<Whole<1, 32768>>,
    /// Questions that the VLM server takes at once, or "auto"; without it by its kind: Ollama and
    /// llama.cpp 1, vLLM and SGLang 8, others 4
    #[arg(long, env = "LIVE_VLM_SLOTS", value_name = "N")]
    pub slots: Option<Slots>,
}

/// `[video]`: how video reaches it.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VideoTable {
    /// STUN server for a server behind NAT, such as stun:stun.example.org:3478
    #[arg(long, env = "LIVE_VLM_STUN_SERVER", value_name = "URL")]
    pub stun_server: Option<Given<StunUrl>>,
    /// Relay that browsers use which do not reach this server by UDP, such as
    /// turns:turn.example:5349; may be given several times
    #[arg(
        long = "turn-server",
        env = "LIVE_VLM_TURN_SERVERS",
        value_name = "URL",
        value_delimiter = ','
    )]
    pub turn_servers: Option<Vec<Given<TurnUrl>>>,
    /// User at the relays; without it pages get names that end after 12 hours
    #[arg(long, env = "LIVE_VLM_TURN_USERNAME", value_name = "NAME")]
    pub turn_username: Option<String>,
    /// The relays' shared secret (coturn: static-auth-secret), or with --turn-username that user's
    /// password. Better given by the environment or a file
    #[arg(
        long,
        env = "LIVE_VLM_TURN_SECRET",
        value_name = "SECRET",
        hide_env_values = true,
        conflicts_with = "turn_secret_file"
    )]
    #[serde(skip)]
    pub turn_secret: Option<GivenTurnSecret>,
    /// File that has it
    #[arg(long, env = "LIVE_VLM_TURN_SECRET_FILE", value_name = "FILE")]
    pub turn_secret_file: Option<PathBuf>,
    /// Lowest UDP port for video; any without it
    #[arg(long, env = "LIVE_VLM_MIN_RTP_PORT", value_name = "PORT", requires = "max_rtp_port")]
    pub min_rtp_port: Option<Whole<1, 65535>>,
    /// Highest UDP port for video
    #[arg(long, env = "LIVE_VLM_MAX_RTP_PORT", value_name = "PORT", requires = "min_rtp_port")]
    pub max_rtp_port: Option<Whole<1, 65535>>,
}

/// `[limits]`: what all may do together. 0 = off.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsTable {
    /// Most sessions at once; 0 = any number [default: 200]
    #[arg(long, env = "LIVE_VLM_MAX_SESSIONS", value_name = "N")]
    pub max_sessions: Option<Whole<0, 100_000>>,
    /// Most WebSockets at once from one address; 0 = any number [default: 10]
    #[arg(long, env = "LIVE_VLM_CONNECTIONS_PER_ADDRESS", value_name = "N")]
    pub connections_per_address: Option<Whole<0, 100_000>>,
}

/// `[rules]`, `[groups.NAME]`, `[users.NAME]`: what a user may do. 0 = no limit. Only the limits of
/// `[rules]` are flags.
#[derive(Debug, Clone, Default, PartialEq, Args, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleTable {
    /// The user's groups; for users only.
    #[arg(skip)]
    pub groups: Option<Vec<String>>,
    /// Share of the VLM against others'.
    #[arg(skip)]
    pub weight: Option<Whole<1, 1000>>,
    /// Patterns of the models that may be asked.
    #[arg(skip)]
    pub models: Option<Vec<Name>>,
    /// Whether VLM servers of their own may be asked.
    #[arg(skip)]
    pub own_api_base: Option<bool>,
    /// Questions a minute of one user; 0 = any number [default: 60]
    #[arg(long, env = "LIVE_VLM_QUESTIONS_PER_MINUTE", value_name = "N")]
    pub questions_per_minute: Option<Whole<0, 60_000>>,
    /// Times a minute that one user may start a video; 0 = any number [default: 60]
    #[arg(long, env = "LIVE_VLM_OFFERS_PER_MINUTE", value_name = "N")]
    pub offers_per_minute: Option<Whole<0, 60_000>>,
    /// Sessions at once of one user; 0 = any number [default: 4]
    #[arg(
        id = "sessions_per_user",
        long = "sessions-per-user",
        env = "LIVE_VLM_SESSIONS_PER_USER",
        value_name = "N"
    )]
    pub sessions: Option<Whole<0, 100_000>>,
    /// Questions a day (UTC) of one user; 0 = any number [default: 0]
    #[arg(long, env = "LIVE_VLM_QUESTIONS_PER_DAY", value_name = "N")]
    pub questions_per_day: Option<Whole<0, 1_000_000_000_000>>,
    /// Tokens a day (UTC) of one user, asked and answered; 0 = any number [default: 0]
    #[arg(long, env = "LIVE_VLM_TOKENS_PER_DAY", value_name = "N")]
    pub tokens_per_day: Option<Whole<0, 1_000_000_000_000>>,
    /// What a session begins to ask.
    #[arg(skip)]
    pub prompt: Option<Prompt>,
    /// The model that a session begins with.
    #[arg(skip)]
    pub model: Option<Name>,
    /// The longest answer that a session begins with.
    #[arg(skip)]
    pub max_tokens: Option<Whole<1, 32768>>,
    /// The time between questions that a session begins with.
    #[arg(skip)]
    pub interval: Option<Interval>,
}

/// `[log]`: what it logs.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogTable {
    /// How much to log: error, warn, info, debug or trace, or a filter such as live_vlm=debug
    /// [default: info]
    #[arg(id = "log", long = "log", env = "LIVE_VLM_LOG", value_name = "LEVEL")]
    pub level: Option<LogFilter>,
    /// Form of the log [default: text]
    #[arg(id = "log_format", long = "log-format", env = "LIVE_VLM_LOG_FORMAT", value_enum)]
    pub format: Option<LogFormat>,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
