use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    time::Duration,
};

use live_vlm_config::{Address, Cidr, Problems, Whole};
use serde::{Deserialize, Serialize, Serializer};

use crate::forwarded::TrustedProxies;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const PORT: u16 = 8090;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// `[server]`: where it listens.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[group(skip)]
#[command(next_help_heading = "Server")]
#[serde(default, deny_unknown_fields)]
pub struct Config {
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
    /// Serve plain HTTP only. Browsers then give the camera only to pages from localhost
    #[arg(
        long, env = "LIVE_VLM_NO_SSL", value_name = "BOOL",
        num_args = 0..=1, require_equals = true, default_missing_value = "true"
    )]
    #[serde(skip)]
    pub no_ssl: Option<bool>,
    /// TLS certificate (PEM). Without it, the server makes one and keeps it
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
    /// Seconds that questions in flight may still take when the server is told to stop
    /// [0-300; default: 5]
    #[arg(long, env = "LIVE_VLM_DRAIN_TIMEOUT", value_name = "SECONDS")]
    pub drain_timeout: Option<Whole<0, 300>>,
    /// Address or network of a proxy. The server believes its Forwarded and X-Forwarded-For. May be
    /// given several times
    #[arg(
        long = "trusted-proxy",
        env = "LIVE_VLM_TRUSTED_PROXIES",
        value_name = "CIDR",
        value_delimiter = ','
    )]
    pub trusted_proxies: Option<Vec<Cidr>>,
}

/// Where the server listens.
#[derive(Debug, Clone, Serialize)]
pub struct Options {
    /// The address.
    pub host: IpAddr,
    /// The port; 0 = any free one.
    pub port: u16,
    /// Whether the next free port is taken if that one is not.
    pub auto_port: bool,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// The certificate and its key; without them one is made and kept.
    #[serde(flatten)]
    pub certificate: Option<Certificate>,
    /// How long questions in flight may take when the server ends, 0 to 300 s (5).
    #[serde(serialize_with = "seconds")]
    pub drain_timeout: Duration,
    /// Proxies that are believed about whom they speak for.
    pub trusted_proxies: TrustedProxies,
}

/// A TLS certificate, in files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// The certificate.
    #[serde(rename = "ssl_cert")]
    pub cert: PathBuf,
    /// Its private key.
    #[serde(rename = "ssl_key")]
    pub key: PathBuf,
}

impl Config {
    /// What these flags say, or else the file, or else the default.
    pub fn over(&self, file: &Self, problems: &mut Problems<'_>) -> Options {
        let mut refuse = |key, message| problems.in_table("server", key, message);
        let pair = |table: &Self| match (&table.ssl_cert, &table.ssl_key) {
            (Some(cert), Some(key)) => Some(Certificate { cert: cert.clone(), key: key.clone() }),
            _ => None,
        };
        match (&file.ssl_cert, &file.ssl_key) {
            (Some(_), None) => refuse("ssl_cert", "needs ssl_key beside it"),
            (None, Some(_)) => refuse("ssl_key", "needs ssl_cert beside it"),
            (Some(_), Some(_)) if file.tls == Some(false) => {
                refuse("ssl_cert", "contradicts tls = false");
            }
            _ => {}
        }
        let given = pair(self);
        // A certificate on the command line says that TLS is wanted.
        let tls = match (self.no_ssl, &given) {
            (Some(no_ssl), _) => !no_ssl,
            (None, Some(_)) => true,
            (None, None) => file.tls.unwrap_or(true),
        };
        let drain_timeout = self.drain_timeout.or(file.drain_timeout);
        let proxies = self.trusted_proxies.as_ref().or(file.trusted_proxies.as_ref());
        Options {
            host: self.host.or(file.host).map_or(HOST, Address::get),
            port: self.port.or(file.port).map_or(PORT, |port| port.get() as u16),
            auto_port: self.auto_port.or(file.auto_port).unwrap_or_default(),
            tls,
            certificate: given.or_else(|| pair(file)).filter(|_| tls),
            drain_timeout: drain_timeout.map_or(DRAIN_TIMEOUT, |s| Duration::from_secs(s.get())),
            trusted_proxies: TrustedProxies::new(
                proxies.into_iter().flatten().map(|network| network.get()).collect(),
            ),
        }
    }
}

fn seconds<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(time.as_secs())
}
