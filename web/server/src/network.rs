//! How video reaches the server: ports, a STUN server, relays.

use std::{fs, path::PathBuf};

use live_vlm_config::{Given, IceUrl, Problems, StunUrl, TurnUrl, Whole};
use serde::{Deserialize, Serialize};

use crate::relay::{GivenRelaySecret, RelaySecret, Relays};

/// `[video]`: how video reaches it.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[group(skip)]
#[command(next_help_heading = "Video")]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// How pages send video: auto (by WebRTC, and as single pictures over the WebSocket where no UDP
    /// gets through), webrtc or pictures [default: auto]
    #[arg(
        id = "video_mode",
        long = "video-mode",
        env = "LIVE_VLM_VIDEO_MODE",
        value_name = "MODE",
        value_enum
    )]
    pub(crate) mode: Option<VideoMode>,
    /// Largest single picture that a page may send, in KB [default: 2048]
    #[arg(long = "max-picture-kb", env = "LIVE_VLM_MAX_PICTURE_KB", value_name = "KB")]
    pub(crate) max_picture_kb: Option<Whole<64, 16384>>,
    /// STUN server for a server behind NAT, such as stun:stun.example.org:3478
    #[arg(long, env = "LIVE_VLM_STUN_SERVER", value_name = "URL")]
    pub(crate) stun_server: Option<Given<StunUrl>>,
    /// Relay (TURN) for browsers that cannot reach this server by UDP, such as
    /// turns:turn.example:5349; may be given several times
    #[arg(
        long = "turn-server",
        env = "LIVE_VLM_TURN_SERVERS",
        value_name = "URL",
        value_delimiter = ','
    )]
    pub(crate) turn_servers: Option<Vec<Given<TurnUrl>>>,
    /// User name at the relays. Without it, each page gets a name of its own, which is valid for 12
    /// hours
    #[arg(long, env = "LIVE_VLM_TURN_USERNAME", value_name = "NAME")]
    pub(crate) turn_username: Option<String>,
    /// The relays' shared secret (coturn: static-auth-secret), or with --turn-username that user's
    /// password. Better use --turn-secret-file or the environment
    #[arg(
        long,
        env = "LIVE_VLM_TURN_SECRET",
        value_name = "SECRET",
        hide_env_values = true,
        conflicts_with = "turn_secret_file"
    )]
    #[serde(skip)]
    pub(crate) turn_secret: Option<GivenRelaySecret>,
    /// File with the relays' secret
    #[arg(long, env = "LIVE_VLM_TURN_SECRET_FILE", value_name = "FILE")]
    pub(crate) turn_secret_file: Option<PathBuf>,
    /// Lowest UDP port for video [default: any]
    #[arg(long, env = "LIVE_VLM_MIN_RTP_PORT", value_name = "PORT", requires = "max_rtp_port")]
    pub(crate) min_rtp_port: Option<Whole<1, 65535>>,
    /// Highest UDP port for video [default: any]
    #[arg(long, env = "LIVE_VLM_MAX_RTP_PORT", value_name = "PORT", requires = "min_rtp_port")]
    pub(crate) max_rtp_port: Option<Whole<1, 65535>>,
}

/// How pages send video.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum VideoMode {
    /// By WebRTC, or as single pictures, as the page likes.
    #[default]
    Auto,
    /// By WebRTC only.
    Webrtc,
    /// As single pictures only.
    Pictures,
}

/// What pages may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct VideoOptions {
    /// How they send video.
    pub(crate) mode: VideoMode,
    /// The largest single picture, in KB.
    pub(crate) max_picture_kb: u32,
}

impl Default for VideoOptions {
    fn default() -> Self {
        Self { mode: VideoMode::default(), max_picture_kb: 2048 }
    }
}

impl VideoOptions {
    /// The largest single picture, in bytes.
    pub(crate) fn max_picture(self) -> usize {
        self.max_picture_kb as usize * 1024
    }
}

/// How video reaches the server.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Options {
    /// What pages may send.
    #[serde(flatten)]
    pub(crate) pages: VideoOptions,
    /// Where it learns its address from, as `stun://host:port`.
    pub(crate) stun_server: Option<String>,
    /// Relays for browsers that do not reach it.
    #[serde(flatten)]
    pub(crate) relays: Relays,
    pub(crate) min_rtp_port: Option<u16>,
    pub(crate) max_rtp_port: Option<u16>,
}

impl Config {
    /// What these flags say, or else the file, or else the default.
    pub(crate) fn over(&self, file: &Self, problems: &mut Problems<'_>) -> Options {
        let mut refuse = |key, message| problems.in_table("video", key, message);
        match (file.min_rtp_port, file.max_rtp_port) {
            (Some(_), None) => refuse("min_rtp_port", "needs max_rtp_port beside it"),
            (None, Some(_)) => refuse("max_rtp_port", "needs min_rtp_port beside it"),
            (Some(min), Some(max)) if min.get() > max.get() => {
                refuse("max_rtp_port", "must be at least min_rtp_port");
            }
            _ => {}
        }
        if let (Some(min), Some(max)) = (self.min_rtp_port, self.max_rtp_port)
            && min.get() > max.get()
        {
            problems.in_flags("--max-rtp-port must be at least --min-rtp-port");
        }
        let default = VideoOptions::default();
        let max_picture_kb = self.max_picture_kb.or(file.max_picture_kb);
        let pages = VideoOptions {
            mode: self.mode.or(file.mode).unwrap_or_default(),
            max_picture_kb: max_picture_kb.map_or(default.max_picture_kb, |kb| kb.get() as u32),
        };
        let from = if self.min_rtp_port.is_some() { self } else { file };
        let (by_flag, by_file) = (self.stun_server.as_slice(), file.stun_server.as_slice());
        let mut stun = addresses("--stun-server", by_flag, by_file, problems);
        Options {
            pages,
            stun_server: stun.pop().map(|url| url.get().to_owned()),
            relays: self.relays(file, problems),
            min_rtp_port: from.min_rtp_port.map(|port| port.get() as u16),
            max_rtp_port: from.max_rtp_port.map(|port| port.get() as u16),
        }
    }

    fn relays(&self, file: &Self, problems: &mut Problems<'_>) -> Relays {
        let by_flag = self.turn_servers.as_deref().unwrap_or_default();
        let by_file = file.turn_servers.as_deref().unwrap_or_default();
        let named_by_flag = by_flag.iter().any(|given| given.get() != Ok(None));
        let urls = addresses("--turn-server", by_flag, by_file, problems);
        let urls: Vec<String> = urls.iter().map(|url| url.get().to_owned()).collect();
        let given = self.turn_secret.as_ref().and_then(GivenRelaySecret::get).cloned();
        let (path, by_flag) = match (&given, &self.turn_secret_file) {
            (Some(_), _) => (None, true),
            (None, Some(path)) => (Some(path), true),
            (None, None) => (file.turn_secret_file.as_ref(), false),
        };
        let secret = match path.map(|path| (path, fs::read_to_string(path))) {
            None => given,
            Some((_, Ok(text))) => RelaySecret::new(&text),
            Some((path, Err(error))) => {
                let message = format!("{} cannot be read: {error}", path.display());
                match by_flag {
                    true => problems.in_flags(format!("--turn-secret-file: {message}")),
                    false => problems.in_table("video", "turn_secret_file", &message),
                }
                return Relays::default();
            }
        };
        if !urls.is_empty() && secret.is_none() {
            let message = "relays need a secret: --turn-secret-file, or LIVE_VLM_TURN_SECRET";
            match named_by_flag {
                true => problems.in_flags(format!("--turn-server: {message}")),
                false => problems.in_table("video", "turn_servers", message),
            }
        }
        let username = self.turn_username.clone().or_else(|| file.turn_username.clone());
        Relays { urls, username: username.filter(|name| !name.trim().is_empty()), secret }
    }
}

/// The addresses that a flag gives, or else the file. What is wrong in a file was told when it was
/// read.
fn addresses<T: IceUrl + Clone>(
    flag: &str,
    by_flag: &[Given<T>],
    in_file: &[Given<T>],
    problems: &mut Problems<'_>,
) -> Vec<T> {
    let mut read = |given: &[Given<T>]| -> Vec<T> {
        let mut urls = Vec::new();
        for given in given {
            match given.get() {
                Ok(url) => urls.extend(url.cloned()),
                Err(bad) => problems.in_flags(format!("{flag}: {bad}")),
            }
        }
        urls
    };
    let urls = read(by_flag);
    if urls.is_empty() { read(in_file) } else { urls }
}
