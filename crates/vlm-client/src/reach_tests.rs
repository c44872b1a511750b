use super::*;

fn gate(allowed: &[&str], port: u16) -> Gate {
    let allowed = allowed.iter().map(|text| text.parse().unwrap()).collect();
    Reach::Public(allowed).at_port(port).unwrap()
}

/// What is reached of these addresses, through a name if there is one.
fn reached<'a>(gate: &Gate, name: Option<&str>, addresses: &[&'a str]) -> Vec<&'a str> {
    let open = |text: &&str| gate.check(name, text.parse().unwrap()).is_ok();
    addresses.iter().copied().filter(open).collect()
}

const INSIDE: [&str; 45] = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::2",
    "::127.0.0.1",
    "::10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:192.168.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::a9fe:a9fe",
    "fec0::1",
    "ff02::1",
];

const OUTSIDE: [&str; 11] = [
    "1.1.1.1",
    "9.255.255.255",
    "100.63.255.255",
    "100.128.0.1",
    "172.32.0.1",
    "192.0.1.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
];

#[test]
fn only_public_addresses_are_reached_by_default() {
    let gate = gate(&[], 443);
    assert_eq!(reached(&gate, None, &INSIDE), [] as [&str; 0]);
    assert_eq!(reached(&gate, Some("evil.example"), &INSIDE), [] as [&str; 0]);
    assert_eq!(reached(&gate, None, &OUTSIDE), OUTSIDE);
}

#[test]
fn an_allowed_network_is_reached_in_every_form_of_its_addresses() {
    let gate = gate(&["10.0.0.0/8", "fd00:7::/32"], 80);
    assert_eq!(reached(&gate, None, &INSIDE), ["10.0.0.1", "::10.0.0.1", "64:ff9b::10.0.0.1"]);
    assert_eq!(reached(&gate, None, &["fd00:7::1", "fd00:8::1"]), ["fd00:7::1"]);
}

#[test]
fn a_metadata_service_must_be_named_by_itself() {
    let all = gate(&["0.0.0.0/0", "::/0"], 80);
    let metadata = [
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
    ];
    assert_eq!(reached(&all, None, &metadata), [] as [&str; 0]);
    assert_eq!(reached(&gate(&["100.100.100.200"], 80), None, &metadata), ["100.100.100.200"]);
}

#[test]
fn an_allowed_name_opens_the_addresses_it_leads_to_and_no_metadata() {
    let inside = ["10.0.0.1", "127.0.0.1", "169.254.169.254", "169.254.0.1"];
    let named = gate(&["vlm.example"], 80);
    assert_eq!(reached(&named, Some("vlm.example"), &inside), ["10.0.0.1", "127.0.0.1"]);
    assert_eq!(reached(&named, Some("VLM.example."), &inside), ["10.0.0.1", "127.0.0.1"]);
    assert_eq!(reached(&named, Some("xvlm.example"), &inside), [] as [&str; 0]);
    assert_eq!(reached(&named, None, &inside), [] as [&str; 0]);

    let below = gate(&["*.example"], 80);
    assert_eq!(reached(&below, Some("vlm.example"), &inside), ["10.0.0.1"]);
    for other in ["example", "vlmexample", "vlm.example.evil"] {
        assert_eq!(reached(&below, Some(other), &inside), [] as [&str; 0], "{other}");
    }
}

#[test]
fn an_allowed_port_is_that_port_alone() {
    let allowed = ["192.168.1.7:8000", "[fd00::7]:8000", "localhost:11434"];
    let addresses = ["192.168.1.7", "fd00::7", "127.0.0.1"];
    assert_eq!(reached(&gate(&allowed, 8000), None, &addresses), ["192.168.1.7", "fd00::7"]);
    assert_eq!(reached(&gate(&allowed, 22), None, &addresses), [] as [&str; 0]);
    let localhost = Host::Domain("localhost");
    assert!(gate(&allowed, 11434).check_host(&localhost).is_ok());
    assert!(gate(&allowed, 22).check_host(&localhost).is_err());
}

#[test]
fn names_of_this_host_are_known_without_asking_for_their_addresses() {
    let gate = gate(&[], 80);
    for name in ["localhost", "localhost.", "a.localhost"] {
        assert_eq!(
            gate.check_host(&Host::Domain(name)),
            Err(Blocked(AddressKind::ThisHost)),
            "{name}"
        );
    }
    assert!(gate.check_host(&Host::Domain("localhost.example")).is_ok());
}

#[test]
fn what_cannot_be_allowed_is_refused_with_examples() {
    for bad in [
        "",
        "*",
        "*.",
        "*.*.example",
        "10.0.0.0/33",
        "10.0.0.0/8/8",
        "host:0",
        "host:99999",
        "host:x",
        "[::1",
        "[::1]8000",
        "http://host",
        "a b",
    ] {
        let error = bad.parse::<Allowed>().unwrap_err();
        assert!(error.to_string().contains("10.0.0.0/8"), "{error}");
    }
    for good in ["10.0.0.0/8", "10.1.2.3", "fd00::/8", "[fd00::/8]:80", "::1", "Vlm.Example:80"] {
        assert!(good.parse::<Allowed>().is_ok(), "{good}");
    }
}
