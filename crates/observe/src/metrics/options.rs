use std::{fs, io, net::SocketAddr, path::PathBuf, str::FromStr};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use subtle::ConstantTimeEq;

/// `[metrics]`: who may read the metrics, and what they show.
#[derive(Debug, Clone, Default, clap::Args, Deserialize, Serialize)]
#[group(skip)]
#[command(next_help_heading = "Metrics")]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port that serve only /metrics, over plain HTTP, such as 127.0.0.1:9090
    #[arg(long, env = "LIVE_VLM_METRICS_LISTEN", value_name = "ADDR:PORT")]
    #[serde(rename = "listen")]
    pub metrics_listen: Option<SocketAddr>,
    /// Token that readers of /metrics must send. With it, the main port serves /metrics too. Better
    /// use --metrics-token-file or the environment, because others can see command lines
    #[arg(
        long,
        env = "LIVE_VLM_METRICS_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        conflicts_with = "metrics_token_file"
    )]
    #[serde(rename = "token", skip_deserializing)]
    pub metrics_token: Option<MetricsToken>,
    /// File with that token
    #[arg(long, env = "LIVE_VLM_METRICS_TOKEN_FILE", value_name = "FILE")]
    #[serde(rename = "token_file")]
    pub metrics_token_file: Option<PathBuf>,
    /// Show questions, tokens and VLM time of each user, for the first 200 users by name
    #[arg(
        long, env = "LIVE_VLM_METRICS_BY_USER", value_name = "BOOL",
        num_args = 0..=1, require_equals = true, default_missing_value = "true"
    )]
    #[serde(rename = "by_user")]
    pub metrics_by_user: Option<bool>,
}

/// A token that cannot be printed. It has at least 16 characters, none of them blank.
#[derive(Clone)]
pub struct MetricsToken(SecretString);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadToken {
    /// It could be guessed, or does not fit in a header.
    #[error(
        "the token for /metrics must have 16 to 256 visible ASCII characters, such as \
         `openssl rand -hex 32` gives"
    )]
    Form,
    /// The file.
    #[error("cannot read the token for /metrics from {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Config {
    /// The same with what the file says where the command line and environment say nothing.
    #[must_use]
    pub fn or(self, file: Self) -> Self {
        let given = self.metrics_token.is_some() || self.metrics_token_file.is_some();
        let token_file = file.metrics_token_file.filter(|_| !given);
        Self {
            metrics_listen: self.metrics_listen.or(file.metrics_listen),
            metrics_token: self.metrics_token,
            metrics_token_file: self.metrics_token_file.or(token_file),
            metrics_by_user: self.metrics_by_user.or(file.metrics_by_user),
        }
    }

    /// The token that readers must bring, if any.
    ///
    /// # Errors
    /// When its file cannot be read or holds none.
    pub fn token(&self) -> Result<Option<MetricsToken>, BadToken> {
        match &self.metrics_token_file {
            Some(path) => {
                let text = fs::read_to_string(path)
                    .map_err(|source| BadToken::File { path: path.clone(), source })?;
                text.trim().parse().map(Some)
            }
            None => Ok(self.metrics_token.clone()),
        }
    }
}

impl MetricsToken {
    const LENGTHS: std::ops::RangeInclusive<usize> = 16..=256;

    /// Whether this is the token. Takes as long for one that is nearly right as for any other of
    /// its length.
    pub fn is(&self, brought: &[u8]) -> bool {
        self.0.expose_secret().as_bytes().ct_eq(brought).into()
    }
}

impl FromStr for MetricsToken {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let fits =
            Self::LENGTHS.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(text.into())) } else { Err(BadToken::Form) }
    }
}

impl PartialEq for MetricsToken {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.0.expose_secret().as_bytes())
    }
}

/// That it is set, and no more.
impl Serialize for MetricsToken {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("(set)")
    }
}

impl std::fmt::Debug for MetricsToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MetricsToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef-secret";

    #[test]
    fn only_the_token_itself_is_the_token_and_it_is_not_printed() {
        let token: MetricsToken = TOKEN.parse().unwrap();
        assert!(token.is(TOKEN.as_bytes()));
        for wrong in ["", "0123456789abcdef-secreT", "0123456789abcdef-secret ", "0123456789abcdef"]
        {
            assert!(!token.is(wrong.as_bytes()), "{wrong}");
        }
        assert!(!format!("{token:?}").contains("secret"));
    }

    #[test]
    fn tokens_that_can_be_guessed_or_not_be_sent_are_refused() {
        for bad in ["", "short", "has a blank in the middle", "ümläut-in-a-longer-token"] {
            assert!(bad.parse::<MetricsToken>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_tokens_file_may_end_with_a_line_break_and_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let options = Config { metrics_token_file: Some(path.clone()), ..Config::default() };
        assert!(matches!(options.token(), Err(BadToken::File { .. })));
        fs::write(&path, format!("{TOKEN}\n")).unwrap();
        assert!(options.token().unwrap().unwrap().is(TOKEN.as_bytes()));
        fs::write(&path, "\n").unwrap();
        assert!(matches!(options.token(), Err(BadToken::Form)));
    }

    #[test]
    fn the_command_line_goes_before_the_file() {
        let file: Config =
            toml::from_str("listen = '127.0.0.1:1'\ntoken_file = 'from-file'\nby_user = true")
                .unwrap();
        let options = Config::default().or(file.clone());
        assert_eq!(options.metrics_token_file.as_deref(), Some("from-file".as_ref()));
        assert_eq!(options.metrics_by_user, Some(true));
        assert_eq!(options.metrics_listen, file.metrics_listen);
        let given = Config {
            metrics_token: Some(TOKEN.parse().unwrap()),
            metrics_listen: Some(([127, 0, 0, 1], 2).into()),
            ..Config::default()
        }
        .or(file);
        assert_eq!(given.metrics_token_file, None);
        assert_eq!(given.metrics_listen.unwrap().port(), 2);
    }

    #[test]
    fn a_token_does_not_stand_in_the_file() {
        let error = toml::from_str::<Config>(&format!("token = '{TOKEN}'")).unwrap_err();
        assert!(error.message().contains("unknown field `token`"), "{error}");
    }
}
