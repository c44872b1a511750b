//! Where the page can be opened.

use std::net::{IpAddr, SocketAddr};

use secrecy::{ExposeSecret, SecretString};

/// The addresses of this host on the network.
pub fn of_this_host() -> Vec<IpAddr> {
    if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .filter(|interface| !interface.is_loopback() && !interface.is_link_local())
        .map(|interface| interface.ip())
        .collect()
}

/// What to tell whoever started the server. With a `key`, the addresses sign in whoever opens
/// them.
pub(crate) fn invitation(
    bound: SocketAddr,
    tls: bool,
    hosts: &[IpAddr],
    key: Option<&SecretString>,
) -> String {
    // After the mark, as browsers send that part to nobody.
    let path = key.map_or_else(String::new, |key| format!("/#key={}", key.expose_secret()));
    let port = bound.port();
    let ip = bound.ip();
    if !ip.is_unspecified() {
        let scheme = if tls && !ip.is_loopback() { "https" } else { "http" };
        return format!("  Open:    {scheme}://{}{path}\n", SocketAddr::new(ip, port));
    }
    let mut text = format!("  Here:    http://localhost:{port}{path}\n");
    let reachable = |host: &&IpAddr| ip.is_ipv6() || host.is_ipv4();
    for host in hosts.iter().filter(reachable) {
        let scheme = if tls { "https" } else { "http" };
        text += &format!("  Network: {scheme}://{}{path}\n", SocketAddr::new(*host, port));
    }
    if tls {
        text += "           (the certificate is our own: let the browser go on past its warning)\n";
    } else {
        text += "           (without TLS, browsers give the camera to pages on localhost only)\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_for_all_names_this_host_and_its_addresses() {
        let hosts = ["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()];
        let text = invitation("0.0.0.0:8090".parse().unwrap(), true, &hosts, None);
        assert!(text.contains("http://localhost:8090\n"), "{text}");
        assert!(text.contains("https://192.0.2.7:8090\n"), "{text}");
        assert!(!text.contains("2001:db8"), "{text}");
    }

    #[test]
    fn a_server_for_this_host_names_nothing_else() {
        let text = invitation("127.0.0.1:9".parse().unwrap(), true, &[], None);
        assert_eq!(text, "  Open:    http://127.0.0.1:9\n");
    }

    #[test]
    fn a_key_stands_where_browsers_send_it_to_nobody() {
        let hosts = ["192.0.2.7".parse().unwrap()];
        let key = SecretString::from("lvk_abc");
        let text = invitation("0.0.0.0:8090".parse().unwrap(), true, &hosts, Some(&key));
        assert!(text.contains("http://localhost:8090/#key=lvk_abc\n"), "{text}");
        assert!(text.contains("https://192.0.2.7:8090/#key=lvk_abc\n"), "{text}");
        let one = invitation("127.0.0.1:9".parse().unwrap(), true, &[], Some(&key));
        assert_eq!(one, "  Open:    http://127.0.0.1:9/#key=lvk_abc\n");
    }
}
