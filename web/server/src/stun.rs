//! The STUN server's address. Media processes look no names up.

use std::{net::SocketAddr, sync::LazyLock, time::Duration};

use live_vlm_access::log_limit::LogLimit;
use tokio::{net::lookup_host, time::timeout};

/// How long an offer waits for a name.
const PATIENCE: Duration = Duration::from_secs(2);

static LOG: LazyLock<LogLimit<()>> = LazyLock::new(|| LogLimit::new(1));

/// The STUN server `stun://host:port` with an address in the place of its name. `None` if the name
/// has none, which is logged once a minute.
pub(crate) async fn by_address(server: &str) -> Option<String> {
    let host = server.strip_prefix("stun://").unwrap_or(server);
    let why = match timeout(PATIENCE, lookup_host(host)).await {
        Ok(Ok(addresses)) => match first(addresses) {
            Some(address) => return Some(format!("stun://{address}")),
            None => "it has no address".to_owned(),
        },
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("that takes longer than {PATIENCE:?}"),
    };
    if let Some(before) = LOG.due((), std::time::Instant::now()) {
        tracing::warn!(
            stun_server = server,
            before,
            "the STUN server's name cannot be looked up, so a page was not told this server's \
             outer address: {why}"
        );
    }
    None
}

/// IPv4 before IPv6: it is IPv4 that address translation is for.
fn first(addresses: impl IntoIterator<Item = SocketAddr>) -> Option<SocketAddr> {
    let addresses: Vec<SocketAddr> = addresses.into_iter().collect();
    addresses.iter().find(|address| address.is_ipv4()).or_else(|| addresses.first()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_becomes_an_address_and_an_address_stays() {
        for (server, expected) in [
            ("stun://localhost:3478", "stun://127.0.0.1:3478"),
            ("stun://192.0.2.1:5349", "stun://192.0.2.1:5349"),
            ("stun://[2001:db8::1]:3478", "stun://[2001:db8::1]:3478"),
        ] {
            assert_eq!(by_address(server).await.as_deref(), Some(expected));
        }
        assert_eq!(by_address("stun://name.invalid:3478").await, None);
    }

    #[test]
    fn ipv4_comes_first() {
        let [v6, v4] = ["[2001:db8::1]:1", "192.0.2.1:1"].map(|text| text.parse().unwrap());
        assert_eq!(first([v6, v4]), Some(v4));
        assert_eq!(first([v6]), Some(v6));
        assert_eq!(first([]), None);
    }
}
