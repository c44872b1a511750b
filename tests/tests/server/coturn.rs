//! Debian's coturn with the configuration that docs/turn.md prints, each host in a network
//! namespace of its own.

mod probe;

use std::{
    fs, io,
    net::{
        IpAddr, SocketAddr, TcpListener as StdTcpListener, TcpStream as StdTcpStream, UdpSocket,
    },
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use gst::glib;
use live_vlm::relay::{RelaySecret, Relays};
use live_vlm_network::coturn;
use live_vlm_pipelines::NetworkOptions;
use live_vlm_sender::SenderOptions;
use live_vlm_tests::{
    client::{Client, new_id, small_video},
    network::{Forwarded, Host, Network, on_own_host},
    process::Process,
    relay::url_for,
    until,
};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use super::{OFTEN, PROGRAM};
use probe::Probe;

const DOCUMENT: &str = include_str!("../../../docs/turn.md");
const SECRET: &str = "of-relay-and-server-4ac1";
/// Networks for documentation (RFC 5737, RFC 3849): none of them is anybody's.
const PAGE: &str = "203.0.113.2";
const RELAY: &str = "203.0.113.3";
const RELAY_IPV6: &str = "2001:db8::3";
const SERVER: &str = "203.0.113.4";
const SERVER_IPV6: &str = "2001:db8::4";
const BEHIND_NAT: &str = "10.0.0.2";
const OTHER: &str = "203.0.113.5";
const OTHER_IPV6: &str = "2001:db8::5";
const PORT: u16 = 3478;
const TLS_PORT: u16 = 5349;
const PAGE_PORT: u16 = 8090;

/// A relay and its certificate, and the files of whoever runs it and the server.
struct Setup {
    folder: TempDir,
    certificate: rcgen::Certificate,
    _relay: Process,
}

impl Setup {
    /// Starts the relay, which lets through to this address, with `more` in its configuration.
    async fn start(host: &Host, server: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["turn.example".to_owned()]).unwrap();
        fs::write(folder.path().join("fullchain.pem"), made.cert.pem()).unwrap();
        fs::write(folder.path().join("privkey.pem"), made.signing_key.serialize_pem()).unwrap();
        fs::write(folder.path().join("turn-secret"), format!("{SECRET}\n")).unwrap();
        let files = coturn::Relay { home: folder.path(), secret: SECRET, server, more };
        let arguments = files.write().unwrap();
        let relay = host.start("turnserver", &arguments.each_ref().map(String::as_str));
        for port in [PORT, TLS_PORT] {
            let there = || StdTcpStream::connect((RELAY, port)).is_ok();
            until("the relay listening", there).await;
        }
        // It begins with TCP.
        until("the relay listening to UDP", || probe::hears_udp(relay_at(PORT))).await;
        Self { folder, certificate: made.cert, _relay: relay }
    }

    /// Starts a server, and opens its page at this address.
    async fn serve(&self, host: &Host, address: &str) -> (Process, Client) {
        let secret = self.folder.path().join("turn-secret");
        let values =
            [("turn.example", RELAY), ("/etc/live-vlm/turn-secret", secret.to_str().unwrap())];
        let file = self.folder.path().join("live-vlm.toml");
        fs::write(&file, coturn::documented("[video]", &values).unwrap()).unwrap();
        let port = PAGE_PORT.to_string();
        let arguments = ["--config", file.to_str().unwrap(), "--port", &port, "--no-ssl"];
        // Nobody else reaches it here.
        let arguments =
            [&arguments, &["--sign-in", "off", "--usage-db", "off"][..], OFTEN].concat();
        let server = host.start(PROGRAM, &arguments);
        server.address("http").await;
        (server, Client::browser(&format!("http://{address}:{PAGE_PORT}")).await)
    }

    /// An address at which the relay's TLS port is reached without TLS: GStreamer's relays do not
    /// speak it.
    async fn without_tls(&self) -> SocketAddr {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let listener = TcpListener::bind((PAGE, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut plain, _) = listener.accept().await.unwrap();
                let connector = connector.clone();
                tokio::spawn(async move {
                    let relay = TcpStream::connect((RELAY, TLS_PORT)).await.unwrap();
                    let name = ServerName::try_from("turn.example").unwrap();
                    let mut tls = connector.connect(name, relay).await.unwrap();
                    // It ends with either side, by whichever error.
                    let _ = tokio::io::copy_bidirectional(&mut plain, &mut tls).await;
                });
            }
        });
        address
    }
}

/// The page's name and password.
fn credentials(config: &Value) -> (String, String) {
    let text = |field: &str| config["ice_servers"][0][field].as_str().unwrap().to_owned();
    (text("username"), text("credential"))
}

/// Sends video through a relay alone, and reads an answer about it.
async fn answered_through(page: &Client, relay: SocketAddr, transport: &str) {
    let id = new_id();
    let (mut socket, config) = page.open(&id).await;
    let (name, password) = credentials(&config);
    let relay = format!("{}?transport={transport}", url_for(relay, &name, &password));
    let network = NetworkOptions::default();
    let options = SenderOptions { relay: Some(relay), network, ..small_video() };
    let sender = page.send(&id, options).await.unwrap();
    socket.next_of(&["vlm_response"]).await;
    sender.vanish().await;
}

fn relay_at(port: u16) -> SocketAddr {
    SocketAddr::new(ip(RELAY), port)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
#[ignore = "needs coturn and network namespaces; ./test.sh has both"]
fn pages_are_relayed_by_udp_tcp_and_tls() {
    on_own_host("coturn::pages_are_relayed_by_udp_tcp_and_tls", async || {
        // The sender's libnice warns of a relay that has not heard that it is gone.
        glib::log_set_always_fatal(glib::LogLevels::LEVEL_ERROR | glib::LogLevels::LEVEL_CRITICAL);
        let network = Network::new(&[&format!("{PAGE}/24")]);
        let relay = network.host("relay", &[&format!("{RELAY}/24")]);
        let server = network.host("server", &[&format!("{SERVER}/24")]);
        let setup = Setup::start(&relay, SERVER, "").await;
        let (_server, page) = setup.serve(&server, SERVER).await;
        let (_socket, config) = page.open(&new_id()).await;
        let urls = [
            format!("turn:{RELAY}:3478"),
            format!("turn:{RELAY}:3478?transport=tcp"),
            format!("turns:{RELAY}:5349"),
        ];
        assert_eq!(config["ice_servers"][0]["urls"], json!(urls));

        answered_through(&page, relay_at(PORT), "udp").await;
        answered_through(&page, relay_at(PORT), "tcp").await;
        answered_through(&page, setup.without_tls().await, "tcp").await;
    });
}

#[test]
#[ignore = "needs coturn and network namespaces; ./test.sh has both"]
fn a_server_behind_nat_is_reached_without_any_port_forwarded() {
    on_own_host("coturn::a_server_behind_nat_is_reached_without_any_port_forwarded", async || {
        glib::log_set_always_fatal(glib::LogLevels::LEVEL_ERROR | glib::LogLevels::LEVEL_CRITICAL);
        let network = Network::new(&[&format!("{PAGE}/24")]);
        let relay = network.host("relay", &[&format!("{RELAY}/24")]);
        let outer = format!("{SERVER}/24");
        let addresses = [outer.as_str(), BEHIND_NAT];
        let forwarded = Forwarded::Port(PAGE_PORT);
        let server = network.host_behind_nat("server", addresses, forwarded);
        let setup = Setup::start(&relay, SERVER, "").await;
        let (_server, page) = setup.serve(&server, SERVER).await;
        answered_through(&page, relay_at(PORT), "udp").await;
    });
}

#[test]
#[ignore = "needs coturn and network namespaces; ./test.sh has both"]
fn a_relay_behind_nat_is_of_use_and_does_not_lead_to_itself() {
    on_own_host("coturn::a_relay_behind_nat_is_of_use_and_does_not_lead_to_itself", async || {
        glib::log_set_always_fatal(glib::LogLevels::LEVEL_ERROR | glib::LogLevels::LEVEL_CRITICAL);
        const LINE: &str = "external-ip=<its outer address>";
        assert!(DOCUMENT.contains(&format!("`{LINE}`")));
        let network = Network::new(&[&format!("{PAGE}/24")]);
        let outer = format!("{RELAY}/24");
        let addresses = [outer.as_str(), BEHIND_NAT];
        let relay = network.host_behind_nat("relay", addresses, Forwarded::Everything);
        let server = network.host("server", &[&format!("{SERVER}/24")]);
        let more = coturn::filled(LINE, &[("<its outer address>", RELAY)]).unwrap();
        let setup = Setup::start(&relay, SERVER, &more).await;
        let (_server, page) = setup.serve(&server, SERVER).await;
        answered_through(&page, relay_at(PORT), "udp").await;

        let (name, password) = name_and_password(SystemTime::now());
        let mut client = Probe::by_udp(relay_at(PORT), &name, &password);
        assert_eq!(client.allocate(), Ok(()));
        for peer in [RELAY, BEHIND_NAT, "127.0.0.1", OTHER] {
            assert_eq!(client.permit(ip(peer)), Err(403), "{peer}");
        }
        assert_eq!(client.permit(ip(SERVER)), Ok(()));
    });
}

#[test]
#[ignore = "needs coturn and network namespaces; ./test.sh has both"]
fn nothing_but_the_servers_udp_is_reached_through_it() {
    on_own_host("coturn::nothing_but_the_servers_udp_is_reached_through_it", async || {
        let both = |v4: &str, v6: &str| [format!("{v4}/24"), format!("{v6}/64")];
        let network = Network::new(&[&format!("{PAGE}/24")]);
        let host = |name, v4, v6| network.host(name, &both(v4, v6).each_ref().map(String::as_str));
        let relay = host("relay", RELAY, RELAY_IPV6);
        let server = host("server", SERVER, SERVER_IPV6);
        let other = host("other", OTHER, OTHER_IPV6);
        let _setup = Setup::start(&relay, SERVER, "").await;

        let listening = |host: &Host, address: &str| {
            let socket = host.inside(|| UdpSocket::bind((address, 9)).unwrap());
            socket.set_nonblocking(true).unwrap();
            socket
        };
        let reached = listening(&server, SERVER);
        let web = server.inside(|| StdTcpListener::bind((SERVER, PAGE_PORT)).unwrap());
        web.set_nonblocking(true).unwrap();
        let not_reached = [
            listening(&server, SERVER_IPV6),
            listening(&other, OTHER),
            listening(&other, OTHER_IPV6),
            listening(&relay, RELAY),
            listening(&relay, RELAY_IPV6),
            listening(&relay, "127.0.0.1"),
            listening(&relay, "::1"),
        ];
        let nothing_at = |socket: &UdpSocket| {
            let nothing = socket.recv(&mut [0; 9]).unwrap_err();
            assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock, "{socket:?}");
        };

        let (name, password) = name_and_password(SystemTime::now());
        let by_udp = || Probe::by_udp(relay_at(PORT), &name, &password);
        let by_tcp = || Probe::by_tcp(relay_at(PORT), &name, &password);
        let mut client = by_udp();
        assert_eq!(client.allocate(), Ok(()));
        for peer in [OTHER, RELAY, "127.0.0.1", "0.0.0.0", BEHIND_NAT, "224.0.0.1"] {
            assert_eq!(client.permit(ip(peer)), Err(403), "{peer}");
            client.send(SocketAddr::new(ip(peer), 9), b"hello");
        }
        assert_eq!(client.bind(ip(OTHER)), Err(403));

        let mut ipv6 = by_udp();
        assert_eq!(ipv6.allocate_ipv6(), Ok(()));
        let mapped = ["::ffff:203.0.113.4", "::203.0.113.4", "64:ff9b::cb00:7104"];
        for peer in [SERVER_IPV6, OTHER_IPV6, RELAY_IPV6, "::1", "::"].iter().chain(&mapped) {
            assert_eq!(ipv6.permit(ip(peer)), Err(403), "{peer}");
            assert_eq!(ipv6.bind(ip(peer)), Err(403), "{peer}");
            ipv6.send(SocketAddr::new(ip(peer), 9), b"hello");
        }

        assert_eq!(by_tcp().allocate_tcp(), Err(442));
        let mut tcp = by_tcp();
        assert_eq!(tcp.allocate(), Ok(()));
        assert_eq!(tcp.connect(SocketAddr::new(ip(SERVER), PAGE_PORT)), Err(403));

        assert_eq!(client.permit(ip(SERVER)), Ok(()));
        client.send(SocketAddr::new(ip(SERVER), 9), b"hello");
        let mut data = [0; 9];
        until("the server being reached", || reached.recv(&mut data).is_ok()).await;
        assert_eq!(&data[..5], b"hello");
        not_reached.iter().for_each(nothing_at);
        assert_eq!(web.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);

        // And nobody else is let in.
        assert_eq!(Probe::by_udp(relay_at(PORT), &name, "guessed").allocate(), Err(401));
        let (name, password) = name_and_password(UNIX_EPOCH);
        assert_eq!(Probe::by_udp(relay_at(PORT), &name, &password).allocate(), Err(401));
    });
}

/// What the server gives to a page at this time.
fn name_and_password(now: SystemTime) -> (String, String) {
    let urls = vec![format!("turn:{RELAY}:{PORT}")];
    let relays = Relays { urls, username: None, secret: RelaySecret::new(SECRET) };
    let servers = serde_json::to_value(relays.for_page("test", now)).unwrap();
    credentials(&json!({"ice_servers": servers}))
}
