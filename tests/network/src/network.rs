//! The hosts, and the thread that carries packets between them.

use std::{
    cmp::Ordering,
    collections::BinaryHeap,
    fs::{self, File},
    io,
    net::Ipv4Addr,
    process::{Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use tokio::{sync::oneshot, time::sleep_until};

use crate::{
    line::{Counts, Impairment},
    middle::{Access, Host, Middle, Rule, Side},
    namespace::Namespace,
    packet::Packet,
    tun::Tun,
};

/// Whether a namespace speaks IPv6 on interfaces that come.
const IPV6_OFF: [&str; 2] =
    ["/proc/sys/net/ipv6/conf/all/disable_ipv6", "/proc/sys/net/ipv6/conf/default/disable_ipv6"];
/// Packets on the way at once. A line of 100 Mbit/s with 1 s of delay has no more.
const MOST_ON_THE_WAY: usize = 10_000;

/// What a network is like.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Largest packet of the interfaces, in bytes: 1500 for Ethernet.
    pub mtu: u16,
    /// How client and server are connected.
    pub access: Access,
    /// By which chance packets are lost.
    pub seed: u64,
}

/// Three hosts and the network between them, without impairments at first. Everything in it ends
/// when this is dropped.
#[derive(Debug)]
pub struct Network {
    middle: Arc<Mutex<Middle>>,
    stop: Option<oneshot::Sender<()>>,
    carrier: Option<thread::JoinHandle<()>>,
    client: Namespace,
    server: Namespace,
    third: Namespace,
}

/// What this host lacks for such networks, in words; `None` if nothing.
pub fn lacking() -> Option<String> {
    for program in ["ip", "kill"] {
        let mut command = Command::new(program);
        command.arg("-V").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Err(error) = command.status() {
            return Some(format!("{program}: {error}"));
        }
    }
    match Namespace::new() {
        Ok(namespace) => namespace.interface().err().map(|error| error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let user = "unshare --user --map-root-user";
            Some(format!("network namespaces need root, or a user namespace ({user}): {error}"))
        }
        Err(error) => Some(error.to_string()),
    }
}

impl Network {
    /// Makes the hosts and connects them.
    ///
    /// # Errors
    /// When this process may not, or something is missing: what [`lacking`] says.
    pub fn new(plan: Plan) -> io::Result<Self> {
        let middle = Arc::new(Mutex::new(Middle::new(plan.access, plan.seed)));
        let (client, a) = host(Host::Client, plan.mtu)?;
        let (server, b) = host(Host::Server, plan.mtu)?;
        let (third, c) = host(Host::Third, plan.mtu)?;
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::clone(&middle);
        let carrier = thread::Builder::new().name("net-carrier".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    // Devices fail when they are gone, and then the hosts are too.
                    _ = carry([a, b, c], &shared) => {}
                    _ = stopped => {}
                }
            });
        })?;
        let (stop, carrier) = (Some(stop), Some(carrier));
        Ok(Self { middle, stop, carrier, client, server, third })
    }

    /// Where a host's sockets and processes live.
    pub fn of(&self, host: Host) -> &Namespace {
        match host {
            Host::Client => &self.client,
            Host::Server => &self.server,
            Host::Third => &self.third,
        }
    }

    /// From now on a direction of the client's line is so.
    pub fn impair(&self, side: Side, impairment: Impairment) {
        lock(&self.middle).impair(side, impairment);
    }

    /// From now on these rules are in force, and no others.
    pub fn rule(&self, rules: Vec<Rule>) {
        lock(&self.middle).rule(rules);
    }

    /// What has become of packets on the client's line.
    pub fn counts(&self, side: Side) -> Counts {
        lock(&self.middle).counts(side)
    }

    /// Gives the client an address more.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn add_address(&self, address: Ipv4Addr) -> io::Result<()> {
        self.client.ip(&format!("address add {address}/24 dev eth0"))?;
        self.client.ip("route replace default dev eth0")
    }

    /// Takes an address from the client.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn remove_address(&self, address: Ipv4Addr) -> io::Result<()> {
        self.client.ip(&format!("address del {address}/24 dev eth0"))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Whoever carries may have ended already.
        let _ = self.stop.take().map(|stop| stop.send(()));
        if let Some(carrier) = self.carrier.take() {
            let _ = carrier.join();
        }
        for namespace in [&self.client, &self.server, &self.third] {
            namespace.clear();
        }
    }
}

fn host(host: Host, mtu: u16) -> io::Result<(Namespace, File)> {
    let namespace = Namespace::new()?;
    // A kernel without IPv6 has no such files.
    namespace.run(|| IPV6_OFF.map(|file| drop(fs::write(file, "1"))))?;
    let device = namespace.interface()?;
    namespace.ip(&format!("address add {}/24 dev eth0", host.address()))?;
    namespace.ip(&format!("link set eth0 mtu {mtu} up"))?;
    namespace.ip("route add default dev eth0")?;
    Ok((namespace, device))
}

/// The lock is held for one packet, and by nobody who waits.
fn lock(middle: &Mutex<Middle>) -> MutexGuard<'_, Middle> {
    middle.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A packet on the way.
struct OnTheWay {
    arrives: Instant,
    /// Of those that arrive together, the one that was sent first comes first.
    number: u64,
    to: Host,
    packet: Packet,
}

impl Ord for OnTheWay {
    /// The next to arrive is the greatest, as the heap wants it.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.arrives, other.number).cmp(&(self.arrives, self.number))
    }
}

impl PartialOrd for OnTheWay {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for OnTheWay {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for OnTheWay {}

/// Carries packets until a device fails.
async fn carry([a, b, c]: [File; 3], middle: &Mutex<Middle>) -> io::Result<()> {
    let (client, server, third) = (Tun::new(a)?, Tun::new(b)?, Tun::new(c)?);
    let mut way = BinaryHeap::<OnTheWay>::new();
    let mut number = 0;
    loop {
        let now = Instant::now();
        while way.peek().is_some_and(|next| next.arrives <= now) {
            let Some(OnTheWay { to, packet, .. }) = way.pop() else { break };
            match to {
                Host::Client => client.write(&packet),
                Host::Server => server.write(&packet),
                Host::Third => third.write(&packet),
            }
        }
        let next = way.peek().map(|next| next.arrives);
        let due = async {
            match next {
                Some(at) => sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        let (from, packet) = tokio::select! {
            () = due => continue,
            packet = client.read() => (Host::Client, packet?),
            packet = server.read() => (Host::Server, packet?),
            packet = third.read() => (Host::Third, packet?),
        };
        let forwarded = lock(middle).forward(packet, from, Instant::now());
        if let Some((arrives, to, packet)) = forwarded
            && way.len() < MOST_ON_THE_WAY
        {
            number += 1;
            way.push(OnTheWay { arrives, number, to, packet });
        }
    }
}
