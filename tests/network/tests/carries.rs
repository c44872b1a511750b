//! The network with real sockets in it. Without the right to make namespaces nothing is tried, and
//! that is said.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use live_vlm_network::{
    Access, Counts, Host, Impairment, Nat, Network, Plan, Rule, Side, Signal, lacking,
};
use tokio::io::AsyncReadExt as _;

const PORT: u16 = 7000;
const SERVER: (Ipv4Addr, u16) = (Host::Server.address(), PORT);
const CLIENT: (Ipv4Addr, u16) = (Host::Client.address(), PORT);
const OUTER: Ipv4Addr = Ipv4Addr::new(10, 86, 4, 1);
const MS: Duration = Duration::from_millis(1);
/// Much longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(5);

#[expect(clippy::print_stdout, reason = "why nothing was tried")]
fn possible() -> bool {
    lacking().inspect(|lacks| println!("skipped: {lacks}")).is_none()
}

fn network(access: Access) -> Network {
    Network::new(Plan { mtu: 1500, access, seed: 1 }).unwrap()
}

fn socket(network: &Network, host: Host, address: (Ipv4Addr, u16)) -> UdpSocket {
    let socket = network.of(host).run(move || UdpSocket::bind(address)).unwrap().unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn received(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2000];
    let (length, from) = socket.recv_from(&mut buffer).unwrap();
    (buffer[..length].to_vec(), from)
}

/// What has become of that many packets of the client's, once that is known.
fn decided(network: &Network, sent: u64) -> Counts {
    let until = Instant::now() + PATIENCE;
    loop {
        let counts = network.counts(Side::Up);
        if counts.carried + counts.lost == sent {
            return counts;
        }
        assert!(Instant::now() < until, "{counts:?} of {sent}");
        thread::yield_now();
    }
}

#[test]
fn a_datagram_there_and_back_takes_both_delays() {
    if !possible() {
        return;
    }
    let network = network(Access::default());
    let client = socket(&network, Host::Client, CLIENT);
    let server = socket(&network, Host::Server, SERVER);
    let delay = |delay| Impairment { delay, ..Impairment::default() };
    network.impair(Side::Up, delay(60 * MS));
    network.impair(Side::Down, delay(90 * MS));
    let mut fastest = [PATIENCE; 2];
    for _ in 0..5 {
        let began = Instant::now();
        client.send_to(b"there", SERVER).unwrap();
        let (said, from) = received(&server);
        let there = began.elapsed();
        server.send_to(&said, from).unwrap();
        assert_eq!(received(&client), (b"there".to_vec(), SERVER.into()));
        let both = began.elapsed();
        assert!(there >= 60 * MS && both >= 150 * MS, "{there:?} {both:?}");
        fastest = [fastest[0].min(there), fastest[1].min(both)];
    }
    // A busy machine may take longer at times.
    assert!(fastest[0] < 120 * MS && fastest[1] < 240 * MS, "{fastest:?}");
}

#[test]
fn what_is_lost_does_not_arrive_and_all_else_does() {
    if !possible() {
        return;
    }
    let network = network(Access::default());
    let client = socket(&network, Host::Client, CLIENT);
    let server = socket(&network, Host::Server, SERVER);
    network.impair(Side::Up, Impairment { loss: 0.1, ..Impairment::default() });
    const SENT: u64 = 2000;
    let mut arrived = 0;
    for sent in 1..=SENT {
        client.send_to(&[1; 1000], SERVER).unwrap();
        // No more at once than a socket holds.
        if sent % 20 == 0 {
            let decided = decided(&network, sent);
            while arrived < decided.carried {
                assert_eq!(received(&server).0, [1; 1000]);
                arrived += 1;
            }
        }
    }
    let counts = network.counts(Side::Up);
    assert_eq!((counts.lost, counts.longest), (SENT - arrived, 1028));
    server.set_nonblocking(true).unwrap();
    assert!(server.recv_from(&mut [0; 100]).is_err());
    assert!((1740..1860).contains(&arrived), "{arrived} of {SENT}");
}

#[test]
fn a_rate_takes_as_long_as_it_should_for_a_stream() {
    if !possible() {
        return;
    }
    let network = network(Access::default());
    let listener = network.of(Host::Server).run(|| TcpListener::bind(SERVER)).unwrap().unwrap();
    network.impair(Side::Up, Impairment { rate: Some(1_000_000), ..Impairment::default() });
    let connected = network.of(Host::Client).run(|| TcpStream::connect(SERVER));
    let mut client = connected.unwrap().unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let began = Instant::now();
    thread::spawn(move || client.write_all(&[7; 125_000]));
    let mut got = Vec::new();
    server.read_to_end(&mut got).unwrap();
    let took = began.elapsed();
    assert_eq!(got.len(), 125_000);
    // 1 s of data, 40 bytes of headers a packet, and what was thrown away once more.
    assert!((1000 * MS..3000 * MS).contains(&took), "{took:?}");
}

#[test]
fn an_outage_lets_nothing_through_until_it_ends() {
    if !possible() {
        return;
    }
    let network = network(Access::default());
    let client = socket(&network, Host::Client, CLIENT);
    let server = socket(&network, Host::Server, SERVER);
    network.rule(vec![Rule::All]);
    client.send_to(b"lost", SERVER).unwrap();
    server.set_read_timeout(Some(300 * MS)).unwrap();
    assert!(server.recv_from(&mut [0; 100]).is_err());
    network.rule(vec![]);
    client.send_to(b"here", SERVER).unwrap();
    assert_eq!(received(&server).0, b"here");
    assert_eq!(network.counts(Side::Up).blocked, 1);
}

#[test]
fn the_client_is_reached_at_its_new_address_and_no_more_at_its_old_one() {
    if !possible() {
        return;
    }
    let network = network(Access::default());
    let server = socket(&network, Host::Server, SERVER);
    let client = socket(&network, Host::Client, (Ipv4Addr::UNSPECIFIED, PORT));
    let new = Ipv4Addr::new(10, 86, 9, 2);
    network.add_address(new).unwrap();
    network.remove_address(CLIENT.0).unwrap();
    server.send_to(b"old", CLIENT).unwrap();
    server.send_to(b"new", (new, PORT)).unwrap();
    assert_eq!(received(&client).0, b"new");
    client.send_to(b"back", SERVER).unwrap();
    assert_eq!(received(&server), (b"back".to_vec(), (new, PORT).into()));
}

#[test]
fn a_server_behind_address_translation_is_connected_to_at_its_outer_address() {
    if !possible() {
        return;
    }
    let nat = Nat { outer: OUTER, tcp: vec![PORT], udp: Some(8000..=8001) };
    let network = network(Access { firewall: true, nat: Some(nat) });
    let listener = network.of(Host::Server).run(|| TcpListener::bind(SERVER)).unwrap().unwrap();
    let connected = network.of(Host::Client).run(|| TcpStream::connect((OUTER, PORT)));
    let mut client = connected.unwrap().unwrap();
    let (mut server, from) = listener.accept().unwrap();
    assert_eq!(from.ip(), CLIENT.0);
    // The kernel drops what has a wrong checksum.
    client.write_all(b"hello").unwrap();
    let mut got = [0; 5];
    server.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"hello");

    let [forwarded, other] =
        [8000, 8002].map(|port| socket(&network, Host::Server, (SERVER.0, port)));
    let client = socket(&network, Host::Client, CLIENT);
    client.send_to(b"not this", (OUTER, 8002)).unwrap();
    client.send_to(b"this", (OUTER, 8000)).unwrap();
    let (said, from) = received(&forwarded);
    assert_eq!(said, b"this");
    forwarded.send_to(b"answer", from).unwrap();
    assert_eq!(received(&client), (b"answer".to_vec(), (OUTER, 8000).into()));
    let third = socket(&network, Host::Third, (Host::Third.address(), PORT));
    for n in 0..100_u8 {
        let said = vec![n; 1 + usize::from(n) * 7];
        other.send_to(&said, (Host::Third.address(), PORT)).unwrap();
        assert_eq!(received(&third), (said.clone(), (OUTER, 8002).into()));
        third.send_to(&said, (OUTER, 8002)).unwrap();
        assert_eq!(received(&other).0, said);
    }
    other.set_nonblocking(true).unwrap();
    assert!(other.recv_from(&mut [0; 100]).is_err());
}

#[tokio::test]
async fn what_runs_in_a_namespace_ends_with_it() {
    if !possible() {
        return;
    }
    let network = network(Access::default());
    let mut command = network.of(Host::Client).command("sh", Signal::KILL).unwrap();
    // With a child that has left its parent.
    command.args(["-c", "setsid sleep 1000 & echo started; exec sleep 1000"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = [0; 8];
    child.stdout.take().unwrap().read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"started\n");
    let id = child.id().unwrap();
    let of_namespace = std::fs::read_link(format!("/proc/{id}/ns/net")).unwrap();
    assert_ne!(of_namespace, std::fs::read_link("/proc/self/ns/net").unwrap());
    drop(network);
    assert!(!child.wait().await.unwrap().success());
    let left: Vec<_> = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|process| {
            std::fs::read_link(process.path().join("ns/net")).is_ok_and(|ns| ns == of_namespace)
        })
        .map(|process| process.path())
        .collect();
    assert_eq!(left, Vec::<std::path::PathBuf>::new());
    assert!(Path::new("/proc/self").exists());
}
