use std::{path::PathBuf, time::Duration};

use live_vlm_config::{
    AllowedBase, Base, GivenFields, GivenHeaders, GivenKey, NOMINAL_FRAME_RATE, Prompt, Slots,
    Whole,
};
use serde::{Deserialize, Serialize};
use vlm_client::Allowed;

const PROMPT: &str = "Describe what you see in this image in one sentence.";
const PROCESS_EVERY: u32 = 30;
const MAX_TOKENS: u32 = 512;

/// `[vlm]`: whom it asks, and what until somebody changes it.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[group(skip)]
#[command(next_help_heading = "VLM")]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Base address of the OpenAI-compatible VLM server, such as http://localhost:8000/v1
    #[arg(long, env = "LIVE_VLM_API_BASE", value_name = "URL")]
    pub api_base: Option<Base>,
    /// Key for the server at --api-base, sent nowhere else. Better use --api-key-file or the
    /// environment, because others can see command lines
    #[arg(long, env = "LIVE_VLM_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub api_key: Option<GivenKey>,
    /// Name of the environment variable that has the key.
    #[arg(skip)]
    pub api_key_env: Option<String>,
    /// File that has the key for the server at --api-base
    #[arg(long, env = "LIVE_VLM_API_KEY_FILE", value_name = "FILE", conflicts_with = "api_key")]
    pub api_key_file: Option<PathBuf>,
    /// File with the certificate of the authority that signed the server's certificate, in addition
    /// to the authorities that this host trusts
    #[arg(long = "api-ca-file", env = "LIVE_VLM_API_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Headers for each request to that server.
    #[arg(skip)]
    pub headers: Option<GivenHeaders>,
    /// Fields for each request to that server.
    #[arg(skip)]
    pub extra_body: Option<GivenFields>,
    /// VLM servers that people may use in addition to those at public addresses: a network, an
    /// address, a host name or a wildcard, with a port if only that port is meant: 10.0.0.0/8,
    /// 192.168.1.7:8000, vlm.example, *.example; may be given several times
    #[arg(
        long = "allow-api-base",
        env = "LIVE_VLM_ALLOW_API_BASE",
        value_name = "PATTERN",
        value_delimiter = ','
    )]
    pub allowed_api_bases: Option<Vec<AllowedBase>>,
    /// Model to ask [default: the first vision model that the VLM server lists]
    #[arg(long, env = "LIVE_VLM_DEFAULT_MODEL", value_name = "NAME")]
    pub model: Option<String>,
    /// Question that a session begins with
    #[arg(long, env = "LIVE_VLM_PROMPT")]
    pub prompt: Option<Prompt>,
    /// Time between two questions of a session, in thirtieths of a second [1-3600; default: 30]
    #[arg(long, env = "LIVE_VLM_PROCESS_EVERY", value_name = "FRAMES")]
    pub process_every: Option<Whole<1, 3600>>,
    /// The longest answer, in tokens [1-32768; default: 512]
    #[arg(long, env = "LIVE_VLM_MAX_TOKENS", value_name = "TOKENS")]
    pub max_tokens: Option<Whole<1, 32768>>,
    /// Questions that the VLM server takes at once, or "auto" to find that out by what it answers
    /// [default: auto]
    #[arg(long, env = "LIVE_VLM_SLOTS", value_name = "N")]
    pub slots: Option<Slots>,
}

/// What sessions begin with, unless the user's rules say otherwise.
#[derive(Debug, Clone, Serialize)]
pub struct Options {
    /// The model; none = the first vision model.
    pub model: Option<String>,
    /// What is asked.
    pub prompt: String,
    /// The time between two questions, in frames at [`NOMINAL_FRAME_RATE`].
    pub process_every: u32,
    /// The longest answer, in tokens.
    pub max_tokens: u32,
    /// Slots of a VLM server that was found and not named; none = found out.
    pub slots: Option<Slots>,
    /// What people may ask themselves beside public addresses.
    pub allowed_api_bases: Vec<Allowed>,
}

impl Config {
    /// What these flags say, or else the file, or else the default.
    pub fn over(&self, file: &Self) -> Options {
        let number = |number: Option<u64>, default| number.map_or(default, |number| number as u32);
        let process_every = self.process_every.or(file.process_every).map(|frames| frames.get());
        let max_tokens = self.max_tokens.or(file.max_tokens).map(|tokens| tokens.get());
        let allowed = self.allowed_api_bases.as_ref().or(file.allowed_api_bases.as_ref());
        let prompt = self.prompt.as_ref().or(file.prompt.as_ref());
        Options {
            model: self
                .model
                .clone()
                .or_else(|| file.model.clone())
                .filter(|name| !name.is_empty()),
            prompt: prompt.map_or_else(|| PROMPT.to_owned(), |prompt| prompt.get().to_owned()),
            process_every: number(process_every, PROCESS_EVERY),
            max_tokens: number(max_tokens, MAX_TOKENS),
            slots: self.slots.or(file.slots),
            allowed_api_bases: allowed
                .into_iter()
                .flatten()
                .map(|base| base.get().clone())
                .collect(),
        }
    }
}

impl Options {
    /// The time between two questions.
    pub fn interval(&self) -> Duration {
        let seconds = f64::from(self.process_every) / NOMINAL_FRAME_RATE;
        Duration::from_secs_f64(seconds.max(0.1))
    }
}
