use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr};

use clap::ValueEnum;
use jsonwebtoken::Algorithm;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{SignInError, jwt::TokenRules};

/// `[sign_in]`: who may use the server, as flags, environment or file say it.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[command(next_help_heading = "Sign-in")]
#[serde(default, deny_unknown_fields)]
pub struct SignInTable {
    /// Whether people must sign in [default: auto]
    #[arg(long = "sign-in", env = "LIVE_VLM_SIGN_IN", value_enum, value_name = "WHEN")]
    pub mode: Option<Mode>,
    /// File with the keys that `live-vlm keys` makes [default: keys.toml in the configuration
    /// folder]
    #[arg(long, env = "LIVE_VLM_KEYS_FILE", value_name = "FILE")]
    pub keys_file: Option<PathBuf>,
    /// Public key (PEM) by which tokens (JWT) are verified; KID= when tokens name their key; may be
    /// given several times
    #[arg(
        long = "jwt-key",
        env = "LIVE_VLM_JWT_KEYS",
        value_name = "[KID=]FILE",
        value_delimiter = ',',
        conflicts_with = "jwt_jwks_url"
    )]
    pub jwt_keys: Option<Vec<PublicKeyFile>>,
    /// Address at which the issuer of tokens publishes its keys (JWKS)
    #[arg(long, env = "LIVE_VLM_JWT_JWKS_URL", value_name = "URL")]
    pub jwt_jwks_url: Option<String>,
    /// The issuer (`iss`) that tokens must name
    #[arg(long, env = "LIVE_VLM_JWT_ISSUER", value_name = "NAME")]
    pub jwt_issuer: Option<String>,
    /// The audience (`aud`) that tokens must name
    #[arg(long, env = "LIVE_VLM_JWT_AUDIENCE", value_name = "NAME")]
    pub jwt_audience: Option<String>,
    /// Algorithms by which tokens may be signed [default: RS256]
    #[arg(
        long,
        env = "LIVE_VLM_JWT_ALGORITHMS",
        value_name = "NAMES",
        value_enum,
        value_delimiter = ',',
        hide_possible_values = true
    )]
    pub jwt_algorithms: Option<Vec<TokenAlgorithm>>,
    /// Claim that names the user; dots reach into objects [default: sub]
    #[arg(long, env = "LIVE_VLM_JWT_USER_CLAIM", value_name = "NAME")]
    pub jwt_user_claim: Option<String>,
    /// Claim that lists the user's groups; dots reach into objects [default: groups]
    #[arg(long, env = "LIVE_VLM_JWT_GROUPS_CLAIM", value_name = "NAME")]
    pub jwt_groups_claim: Option<String>,
}

/// Who may use the server.
#[derive(Debug, Clone, Serialize)]
pub struct SignInOptions {
    /// Whether people sign in.
    pub mode: Mode,
    /// The file of keys; none = the one beside the certificate.
    pub keys_file: Option<PathBuf>,
    /// Public keys by which tokens are verified.
    pub jwt_keys: Vec<PublicKeyFile>,
    /// Where such keys are published.
    pub jwt_jwks_url: Option<String>,
    /// The issuer that tokens must name.
    pub jwt_issuer: Option<String>,
    /// The audience that tokens must name.
    pub jwt_audience: Option<String>,
    /// How tokens may be signed; one at least.
    pub jwt_algorithms: Vec<TokenAlgorithm>,
    /// The claim that names the user.
    pub jwt_user_claim: String,
    /// The claim that lists the user's groups.
    pub jwt_groups_claim: String,
}

impl SignInTable {
    /// What these flags say, or else the file.
    pub fn over(&self, file: &Self) -> SignInOptions {
        let either = |of: fn(&Self) -> &Option<String>| {
            of(self).clone().or_else(|| of(file).clone()).filter(|value| !value.trim().is_empty())
        };
        let named = |of, default: &str| either(of).unwrap_or_else(|| default.to_owned());
        // Keys in files and keys that are published are two ways to say the same.
        let flags_have_keys = self.jwt_keys.is_some() || self.jwt_jwks_url.is_some();
        let keys = if flags_have_keys { self } else { file };
        let algorithms = self.jwt_algorithms.as_ref().or(file.jwt_algorithms.as_ref());
        SignInOptions {
            mode: self.mode.or(file.mode).unwrap_or(Mode::Auto),
            keys_file: self.keys_file.clone().or_else(|| file.keys_file.clone()),
            jwt_keys: keys.jwt_keys.clone().unwrap_or_default(),
            jwt_jwks_url: keys.jwt_jwks_url.clone().filter(|url| !url.trim().is_empty()),
            jwt_issuer: either(|table| &table.jwt_issuer),
            jwt_audience: either(|table| &table.jwt_audience),
            jwt_algorithms: match algorithms {
                Some(given) if !given.is_empty() => given.clone(),
                _ => vec![TokenAlgorithm::Rs256],
            },
            jwt_user_claim: named(|table| &table.jwt_user_claim, "sub"),
            jwt_groups_claim: named(|table| &table.jwt_groups_claim, "groups"),
        }
    }
}

/// Whether people sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Off only if --host is a loopback address and no keys file, --jwt- key or trusted proxy is
    /// given.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// A file with a public key, and what tokens call that key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKeyFile {
    /// The `kid` of tokens that it is for; any without it.
    pub kid: Option<String>,
    /// A PEM file.
    pub path: PathBuf,
}

impl FromStr for PublicKeyFile {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once('=') {
            Some((kid, path)) if !kid.is_empty() => {
                Self { kid: Some(kid.to_owned()), path: path.into() }
            }
            _ => Self { kid: None, path: text.trim_start_matches('=').into() },
        })
    }
}

impl fmt::Display for PublicKeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kid {
            Some(kid) => write!(f, "{kid}={}", self.path.display()),
            None => self.path.display().fmt(f),
        }
    }
}

impl Serialize for PublicKeyFile {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKeyFile {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Ok(file) = String::deserialize(from)?.parse();
        Ok(file)
    }
}

/// How a token may be signed. Only with a private key: what verifies a token must not be enough
/// to make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[value(rename_all = "UPPER")]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are those of RFC 7518 and RFC 8037")]
pub enum TokenAlgorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    #[value(name = "EdDSA")]
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl From<TokenAlgorithm> for Algorithm {
    fn from(algorithm: TokenAlgorithm) -> Self {
        match algorithm {
            TokenAlgorithm::Rs256 => Self::RS256,
            TokenAlgorithm::Rs384 => Self::RS384,
            TokenAlgorithm::Rs512 => Self::RS512,
            TokenAlgorithm::Ps256 => Self::PS256,
            TokenAlgorithm::Ps384 => Self::PS384,
            TokenAlgorithm::Ps512 => Self::PS512,
            TokenAlgorithm::Es256 => Self::ES256,
            TokenAlgorithm::Es384 => Self::ES384,
            TokenAlgorithm::EdDsa => Self::EdDSA,
        }
    }
}

impl SignInOptions {
    /// Whether people sign in at a server that listens on `host`.
    pub fn is_on(&self, host: IpAddr, behind_proxy: bool) -> bool {
        match self.mode {
            Mode::On => true,
            Mode::Off => false,
            // Whoever gives keys means them, even behind a proxy on this host.
            Mode::Auto => {
                !host.to_canonical().is_loopback()
                    || behind_proxy
                    || self.keys_file.is_some()
                    || self.wants_tokens()
            }
        }
    }

    pub(super) fn wants_tokens(&self) -> bool {
        !self.jwt_keys.is_empty() || self.jwt_jwks_url.is_some()
    }

    /// What tokens must be like.
    ///
    /// # Errors
    /// When it is not said whose tokens are meant, and for whom.
    pub(super) fn token_rules(&self) -> Result<TokenRules, SignInError> {
        let given = |value: &Option<String>, flag| {
            let value = value.as_deref().map(str::trim).filter(|value| !value.is_empty());
            value.map(str::to_owned).ok_or(SignInError::Missing { flag })
        };
        Ok(TokenRules {
            issuer: given(&self.jwt_issuer, "--jwt-issuer")?,
            audience: given(&self.jwt_audience, "--jwt-audience")?,
            algorithms: self.jwt_algorithms.iter().copied().map(Algorithm::from).collect(),
            user_claim: self.jwt_user_claim.clone(),
            groups_claim: self.jwt_groups_claim.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        table: SignInTable,
    }

    fn parse(line: &str) -> Result<SignInOptions, clap::Error> {
        let words = std::iter::once("live-vlm").chain(line.split_whitespace());
        Line::try_parse_from(words).map(|line| line.table.over(&SignInTable::default()))
    }

    #[test]
    fn only_a_server_for_this_host_alone_lets_everybody_in_by_itself() {
        let here = "127.0.0.1".parse().unwrap();
        let all = "0.0.0.0".parse().unwrap();
        for (line, at_here, at_all) in [
            ("", false, true),
            ("--sign-in on", true, true),
            ("--sign-in off", false, false),
            ("--keys-file k.toml", true, true),
            ("--jwt-key k.pem", true, true),
            ("--jwt-jwks-url https://id.example/keys", true, true),
        ] {
            let options = parse(line).unwrap();
            let is_on = |host| options.is_on(host, false);
            assert_eq!((is_on(here), is_on(all)), (at_here, at_all), "{line}");
        }
        assert!(!parse("").unwrap().is_on("::1".parse().unwrap(), false));
        // What comes through a proxy comes from anywhere.
        assert!(parse("").unwrap().is_on(here, true));
    }

    #[test]
    fn no_algorithm_can_be_chosen_whose_key_is_no_secret() {
        for bad in ["HS256", "none", "RS256,HS512", ""] {
            assert!(parse(&format!("--jwt-algorithms={bad}")).is_err(), "{bad}");
        }
        let chosen = parse("--jwt-algorithms ES256,EdDSA").unwrap().jwt_algorithms;
        assert_eq!(chosen, [TokenAlgorithm::Es256, TokenAlgorithm::EdDsa]);
    }

    #[test]
    fn tokens_need_an_issuer_and_an_audience() {
        let missing = |line| parse(line).unwrap().token_rules().unwrap_err().to_string();
        assert!(missing("--jwt-key k.pem --jwt-audience us").contains("--jwt-issuer"));
        assert!(missing("--jwt-key k.pem --jwt-issuer id").contains("--jwt-audience"));
        assert!(parse("--jwt-issuer id --jwt-audience us").unwrap().token_rules().is_ok());
    }

    #[test]
    fn flags_go_before_the_file_and_keys_of_one_kind_replace_the_other() {
        let file: SignInTable = toml::from_str(
            "mode = 'on'\njwt_jwks_url = 'https://id.example/keys'\njwt_issuer = 'id'\n\
             jwt_algorithms = ['ES256', 'EdDSA']",
        )
        .unwrap();
        let flags = |line: &str| {
            let words = std::iter::once("live-vlm").chain(line.split_whitespace());
            Line::try_parse_from(words).unwrap().table.over(&file)
        };
        let options = flags("");
        assert_eq!((options.mode, options.jwt_algorithms.len()), (Mode::On, 2));
        assert_eq!(options.jwt_jwks_url.as_deref(), Some("https://id.example/keys"));
        let options = flags("--sign-in off --jwt-key k.pem --jwt-algorithms RS512");
        assert_eq!((options.mode, options.jwt_keys.len()), (Mode::Off, 1));
        assert_eq!((options.jwt_jwks_url, options.jwt_issuer.as_deref()), (None, Some("id")));
        assert_eq!(options.jwt_algorithms, [TokenAlgorithm::Rs512]);
        assert!(toml::from_str::<SignInTable>("jwt_algorithms = ['HS256']").is_err());
    }

    #[test]
    fn a_key_file_may_have_a_name_for_its_key() {
        let file = |text: &str| text.parse::<PublicKeyFile>().unwrap();
        assert_eq!(file("a/k.pem"), PublicKeyFile { kid: None, path: "a/k.pem".into() });
        let named = PublicKeyFile { kid: Some("2026".into()), path: "k.pem".into() };
        assert_eq!(file("2026=k.pem"), named);
    }
}
