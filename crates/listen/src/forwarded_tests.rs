use super::*;

const PROXY: &str = "10.0.0.1";
const CLIENT: &str = "203.0.113.7";

fn proxies() -> TrustedProxies {
    let networks = ["10.0.0.0/8", "fd00::/8"];
    TrustedProxies::new(networks.iter().map(|network| network.parse().unwrap()).collect())
}

/// Where a request comes from that this peer brings with these headers.
fn origin(peer: &str, headers: &[(&'static str, &str)]) -> (String, bool) {
    let headers =
        headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name, value);
    }
    let peer = Origin { address: peer.parse().unwrap(), tls: false };
    let origin = proxies().origin(peer, &map);
    (origin.address.to_string(), origin.tls)
}

fn address(peer: &str, headers: &[(&'static str, &str)]) -> String {
    origin(peer, headers).0
}

#[test]
fn what_anybody_but_a_trusted_proxy_says_is_ignored() {
    for headers in [
        [("x-forwarded-for", CLIENT), ("x-forwarded-proto", "https")],
        [("forwarded", "for=203.0.113.7;proto=https"), ("x-forwarded-proto", "https")],
    ] {
        assert_eq!(origin("198.51.100.9", &headers), ("198.51.100.9".into(), false));
    }
}

#[test]
fn a_trusted_proxy_is_believed_about_its_client() {
    assert_eq!(address(PROXY, &[("x-forwarded-for", CLIENT)]), CLIENT);
    assert_eq!(address("::ffff:10.0.0.1", &[("x-forwarded-for", CLIENT)]), CLIENT);
    assert_eq!(address("fd00::1", &[("forwarded", "for=203.0.113.7")]), CLIENT);
    assert_eq!(address(PROXY, &[]), PROXY);
}

#[test]
fn the_client_is_the_last_that_no_trusted_proxy_is_whatever_stands_before_it() {
    let spoofed = "127.0.0.1, 10.9.9.9, 203.0.113.7";
    assert_eq!(address(PROXY, &[("x-forwarded-for", spoofed)]), CLIENT);
    let chain = "192.0.2.66, 203.0.113.7, 10.0.0.2, 10.0.0.3";
    assert_eq!(address(PROXY, &[("x-forwarded-for", chain)]), CLIENT);
    let chain = "for=192.0.2.66, for=203.0.113.7;by=10.0.0.2, for=10.0.0.2";
    assert_eq!(address(PROXY, &[("forwarded", chain)]), CLIENT);
    let twice = [("x-forwarded-for", "192.0.2.66"), ("x-forwarded-for", "203.0.113.7, 10.0.0.2")];
    assert_eq!(address(PROXY, &twice), CLIENT);
}

#[test]
fn only_proxies_all_the_way_are_a_client_at_the_first() {
    assert_eq!(address(PROXY, &[("x-forwarded-for", "10.0.0.5, 10.0.0.2")]), "10.0.0.5");
}

#[test]
fn nodes_are_read_in_every_form_of_the_standard() {
    for (node, expected) in [
        ("192.0.2.43", "192.0.2.43"),
        ("\"192.0.2.43:47011\"", "192.0.2.43"),
        ("\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
        ("\"[2001:db8:cafe::17]\"", "2001:db8:cafe::17"),
        ("\"[::ffff:192.0.2.43]\"", "192.0.2.43"),
        ("\"192.0.2.43:_port\"", "192.0.2.43"),
        // Nobody knows further.
        ("unknown", PROXY),
        ("_hidden", PROXY),
        ("\"192.0.2.43", PROXY),
        ("192.0.2.300", PROXY),
        ("\"[2001:db8::1\"", PROXY),
        ("", PROXY),
    ] {
        let header = format!("For={node};Proto=http;by=203.0.113.43");
        assert_eq!(address(PROXY, &[("forwarded", &header)]), expected, "{node}");
    }
}

#[test]
fn what_a_hidden_client_says_is_not_believed() {
    assert_eq!(address(PROXY, &[("x-forwarded-for", "192.0.2.66, unknown")]), PROXY);
    let hidden = "for=192.0.2.66, for=_hidden, for=10.0.0.2";
    assert_eq!(address(PROXY, &[("forwarded", hidden)]), "10.0.0.2");
}

#[test]
fn separators_in_quotes_separate_nothing() {
    let quoted = r#"for=192.0.2.66;x="a,b;for=1.2.3.4\",", for=203.0.113.7"#;
    assert_eq!(address(PROXY, &[("forwarded", quoted)]), CLIENT);
}

#[test]
fn headers_that_contradict_each_other_are_not_believed() {
    let spoofed = [("forwarded", "for=192.0.2.66"), ("x-forwarded-for", CLIENT)];
    assert_eq!(address(PROXY, &spoofed), PROXY);
    let agreeing = [("forwarded", "for=203.0.113.7"), ("x-forwarded-for", CLIENT)];
    assert_eq!(address(PROXY, &agreeing), CLIENT);
}

#[test]
fn the_protocol_is_the_clients_own() {
    let tls = |headers: &[(&'static str, &str)]| origin(PROXY, headers).1;
    assert!(tls(&[("forwarded", "for=203.0.113.7;proto=https, for=10.0.0.2;proto=http")]));
    assert!(!tls(&[("forwarded", "for=192.0.2.1;proto=https, for=203.0.113.7;proto=http")]));
    assert!(tls(&[("x-forwarded-for", CLIENT), ("x-forwarded-proto", "https")]));
    assert!(!tls(&[("x-forwarded-for", CLIENT), ("x-forwarded-proto", "https, http")]));
    let chain =
        [("x-forwarded-for", "203.0.113.7, 10.0.0.2"), ("x-forwarded-proto", "https, http")];
    assert!(tls(&chain));
    assert!(tls(&[("x-forwarded-proto", "https")]));
    assert!(!tls(&[("x-forwarded-for", CLIENT)]));
}

#[test]
fn a_list_without_end_is_read_from_its_end() {
    let long = format!("{}203.0.113.7", "192.0.2.66, ".repeat(10_000));
    assert_eq!(address(PROXY, &[("x-forwarded-for", &long)]), CLIENT);
}
