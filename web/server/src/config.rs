//! The command line and the environment.

use std::{convert::Infallible, net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};
use live_vlm_pipelines::NetworkOptions;
use vlm_client::{Allowed, ApiKey, BadEndpoint, Endpoint};

use crate::protocol::NOMINAL_FRAME_RATE;

/// Point cameras at a Vision Language Model and read what it sees, live, for many people at once.
#[derive(Debug, Parser)]
#[command(
    name = "live-vlm",
    version,
    after_help = "Without --api-base, Ollama, vLLM, SGLang and llama.cpp are looked for on this \
                  host; if none has a vision model, a built-in stand-in answers.",
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
}

/// How to serve.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Address to listen on; 127.0.0.1 = this host only
    #[arg(long, default_value = "0.0.0.0")]
    pub host: IpAddr,
    /// Port to listen on; 0 = any free one
    #[arg(long, default_value_t = 8090)]
    pub port: u16,
    /// Take the next free port if the port is taken
    #[arg(long)]
    pub auto_port: bool,
    /// Model to ask; without it the first vision model of the VLM server
    #[arg(long, env = "LIVE_VLM_DEFAULT_MODEL", value_name = "NAME")]
    pub model: Option<String>,
    /// Base address of the OpenAI-compatible VLM server, such as http://localhost:8000/v1
    #[arg(long, env = "LIVE_VLM_API_BASE", value_name = "URL")]
    pub api_base: Option<String>,
    /// Key for the server at --api-base; sent nowhere else. Better given by the environment, as
    /// command lines can be seen by others
    #[arg(long, env = "LIVE_VLM_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub api_key: Option<GivenKey>,
    /// VLM servers that people may bring themselves beside those at public addresses: a network,
    /// an address, a host name or a wildcard, and a port if only that one: 10.0.0.0/8,
    /// 192.168.1.7:8000, vlm.example, *.example. Can be given several times
    #[arg(long, env = "LIVE_VLM_ALLOW_API_BASE", value_name = "PATTERN", value_delimiter = ',')]
    pub allow_api_base: Vec<Allowed>,
    /// What is asked until somebody changes it for their own session
    #[arg(long, default_value = "Describe what you see in this image in one sentence.")]
    pub prompt: String,
    /// Ask about every n-th frame, at 30 a second [1-3600]
    #[arg(
        long, env = "LIVE_VLM_PROCESS_EVERY", value_name = "FRAMES", default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(1..=3600)
    )]
    pub process_every: u32,
    /// The longest answer, in tokens
    #[arg(
        long, value_name = "TOKENS", default_value_t = 512,
        value_parser = clap::value_parser!(u32).range(1..=32768)
    )]
    pub max_tokens: u32,
    /// Questions that the VLM server takes at once; without it by its kind: Ollama and
    /// llama.cpp 1, vLLM and SGLang 8, others 4
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub slots: Option<u16>,
    /// Most sessions at once
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub max_sessions: usize,
    /// TLS certificate (PEM); without it one is made and kept
    #[arg(long, value_name = "FILE", requires = "ssl_key", conflicts_with = "no_ssl")]
    pub ssl_cert: Option<PathBuf>,
    /// Private key of the TLS certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "ssl_cert", conflicts_with = "no_ssl")]
    pub ssl_key: Option<PathBuf>,
    /// Serve plain HTTP only; browsers then give the camera to pages on localhost alone
    #[arg(long)]
    pub no_ssl: bool,
    /// STUN server for a server behind NAT, such as stun://host:3478
    #[arg(long, value_name = "URL")]
    pub stun_server: Option<String>,
    /// Lowest UDP port for video; any without it
    #[arg(long, value_name = "PORT", requires = "max_rtp_port")]
    pub min_rtp_port: Option<u16>,
    /// Highest UDP port for video
    #[arg(long, value_name = "PORT", requires = "min_rtp_port")]
    pub max_rtp_port: Option<u16>,
    /// How much to log: error, warn, info, debug or trace, or a filter such as live_vlm=debug
    #[arg(long, env = "LIVE_VLM_LOG", value_name = "LEVEL", default_value = "info")]
    pub log: String,
    /// Form of the log
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// A key as it was given, empty ones included. Its `Debug` form does not show it.
#[derive(Debug, Clone)]
pub struct GivenKey(Option<ApiKey>);

impl FromStr for GivenKey {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(ApiKey::new(text)))
    }
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why the options make no sense together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadOptions {
    /// Not an address.
    #[error("--api-base: {0}")]
    ApiBase(#[from] BadEndpoint),
    /// A key belongs to one server.
    #[error("--api-key needs --api-base: say which server the key is for")]
    KeyWithoutBase,
}

impl Options {
    /// The VLM server that the user named, if any.
    ///
    /// # Errors
    /// When it is no address, or only a key was given.
    pub fn endpoint(&self) -> Result<Option<Endpoint>, BadOptions> {
        let key = self.api_key.as_ref().and_then(|given| given.0.clone());
        match self.api_base.as_deref().filter(|base| !base.trim().is_empty()) {
            Some(base) => Ok(Some(Endpoint::new(base, key)?)),
            None if key.is_some() => Err(BadOptions::KeyWithoutBase),
            None => Ok(None),
        }
    }

    /// The time between two questions.
    pub fn interval(&self) -> Duration {
        let seconds = f64::from(self.process_every) / NOMINAL_FRAME_RATE;
        Duration::from_secs_f64(seconds.max(0.1))
    }

    /// How peers reach us.
    pub fn network(&self) -> NetworkOptions {
        NetworkOptions {
            bind: self.host.is_loopback().then_some(self.host),
            min_port: self.min_rtp_port,
            max_port: self.max_rtp_port,
            stun_server: self.stun_server.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, clap::Error> {
        Cli::try_parse_from(line.split_whitespace()).map(|cli| cli.serve)
    }

    #[test]
    fn the_command_line_of_live_vlm_webui_is_understood() {
        let options = parse(
            "live-vlm --host 127.0.0.1 --port 9000 --auto-port --model m --api-base \
             http://localhost:8000/v1 --api-key EMPTY --prompt hello --process-every 60 --no-ssl",
        )
        .unwrap();
        assert_eq!(options.port, 9000);
        assert_eq!(options.interval(), Duration::from_secs(2));
        let endpoint = options.endpoint().unwrap().unwrap();
        assert_eq!(endpoint.base(), "http://localhost:8000/v1");
        assert!(!endpoint.has_key());
        assert!(parse("live-vlm --ssl-cert c.pem --ssl-key k.pem").is_ok());
    }

    #[test]
    fn a_key_for_no_server_is_refused() {
        let options = parse("live-vlm --api-key sk-1").unwrap();
        assert_eq!(options.endpoint().unwrap_err(), BadOptions::KeyWithoutBase);
    }

    #[test]
    fn a_certificate_without_its_key_and_bad_numbers_are_refused() {
        assert!(parse("live-vlm --ssl-cert c.pem").is_err());
        assert!(parse("live-vlm --process-every 0").is_err());
        assert!(parse("live-vlm --ssl-cert c --ssl-key k --no-ssl").is_err());
    }

    #[test]
    fn only_a_server_for_this_host_alone_keeps_video_on_it() {
        assert_eq!(parse("live-vlm").unwrap().network().bind, None);
        let local = parse("live-vlm --host 127.0.0.1").unwrap().network();
        assert_eq!(local.bind, Some([127, 0, 0, 1].into()));
    }
}
