//! What a user can set.

use std::num::ParseIntError;
use std::time::Duration;

use tokio::net::TcpListener;

const HOST: &str = "127.0.0.1";
const PORT: u16 = 8100;
const SLOTS: u16 = 2;
const QUEUE: u16 = 64;
const MAX_BODY: usize = 32 * 1024 * 1024;
const TOKEN_DELAY_MS: &str = "15";

/// How the stand-in listens, how fast it answers and how much it takes at once.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Options {
    /// Address or host name to listen on
    #[arg(long, default_value = HOST)]
    pub host: String,

    /// Port to listen on; 0 = any free one
    #[arg(long, default_value_t = PORT)]
    pub port: u16,

    /// Milliseconds that a complete answer takes, at most an hour; 0 answers as fast as possible
    #[arg(long, value_name = "MS", default_value = "0", value_parser = milliseconds)]
    pub latency: Duration,

    /// Milliseconds until the first token [default: 0, or 30% of --latency]
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    pub first_token: Option<Duration>,

    /// Milliseconds between two streamed tokens when --latency is 0
    #[arg(long, value_name = "MS", default_value = TOKEN_DELAY_MS, value_parser = milliseconds)]
    pub token_delay: Duration,

    /// Requests that it answers at once, at least 1
    #[arg(long, default_value_t = SLOTS, value_parser = clap::value_parser!(u16).range(1..))]
    pub slots: u16,

    /// Further requests that may wait; it refuses any beyond that with 429
    #[arg(long, default_value_t = QUEUE)]
    pub queue: u16,

    /// Largest request body, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = MAX_BODY)]
    pub max_body: usize,
}

impl Options {
    /// Listens where [`host`](Self::host) and [`port`](Self::port) say.
    pub async fn bind(&self) -> std::io::Result<TcpListener> {
        TcpListener::bind((self.host.as_str(), self.port)).await
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: HOST.to_owned(),
            port: PORT,
            latency: Duration::ZERO,
            first_token: None,
            token_delay: Duration::from_millis(15),
            slots: SLOTS,
            queue: QUEUE,
            max_body: MAX_BODY,
        }
    }
}

fn milliseconds(text: &str) -> Result<Duration, ParseIntError> {
    text.parse().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn no_arguments_give_the_documented_defaults() {
        let cli = Cli::try_parse_from(["demo-vlm"]).unwrap();
        assert_eq!(cli.options, Options::default());
    }

    #[test]
    fn times_are_read_as_milliseconds() {
        let cli = Cli::try_parse_from(["demo-vlm", "--latency", "800", "--first-token", "200"]);
        let options = cli.unwrap().options;
        assert_eq!(options.latency, Duration::from_millis(800));
        assert_eq!(options.first_token, Some(Duration::from_millis(200)));
    }

    #[test]
    fn no_slots_at_all_is_refused() {
        assert!(Cli::try_parse_from(["demo-vlm", "--slots", "0"]).is_err());
    }
}
