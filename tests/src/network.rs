//! Several hosts in one test: network namespaces, joined by a bridge.
//!
//! They are the test's process' own and end with it, whichever way it ends. Root can make them;
//! others can where the kernel gives them user namespaces.

use std::{
    env, fs,
    future::Future,
    process::{Command, Stdio},
    sync::Arc,
};

use live_vlm_network::Namespace;

use crate::process::Process;

/// Set in a test's program that runs on a host of its own.
const INSIDE: &str = "TEST_HAS_OWN_NETWORK";

/// Runs the test of this name, which must be one that is otherwise ignored, on a host of its own:
/// the test's program is started once more for it. What it prints, this prints.
///
/// # Panics
/// When the test fails, or this host allows no namespaces.
#[expect(clippy::print_stdout, reason = "what a test has measured")]
pub fn on_own_host<T: Future<Output = ()>>(name: &str, test: impl FnOnce() -> T) {
    if env::var_os(INSIDE).is_some() {
        match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(test()),
            Err(error) => panic!("{error}"),
        }
        return;
    }
    let program = env::current_exe().unwrap_or_else(|error| panic!("{error}"));
    let again = Command::new("unshare")
        .args(namespaces())
        .arg(program)
        .args([name, "--exact", "--ignored", "--nocapture"])
        .env(INSIDE, "1")
        .output();
    match again {
        Ok(again) => {
            let said = String::from_utf8_lossy(&again.stdout);
            let errors = String::from_utf8_lossy(&again.stderr);
            let passed = again.status.success() && said.contains("1 passed");
            assert!(passed, "{name}: {}\n{said}{errors}", again.status);
            print!("{said}");
        }
        Err(error) => panic!("unshare: {error}"),
    }
}

/// What makes namespaces here.
fn namespaces() -> &'static [&'static str] {
    const WAYS: [&[&str]; 2] = [&["--net"], &["--net", "--user", "--map-root-user"]];
    let works = |way: &&&[&str]| {
        let tried = Command::new("unshare").args(**way).arg("true").stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    match WAYS.iter().find(works) {
        Some(way) => way,
        None => panic!("this host allows no network namespaces"),
    }
}

/// A network with the test's own host in it, and others. It ends when it is dropped.
#[derive(Debug)]
pub struct Network {
    bridge: Host,
}

/// What comes through a NAT from outside, beside answers.
#[derive(Debug, Clone, Copy)]
pub enum Forwarded {
    /// Connections to one TCP port.
    Port(u16),
    /// TCP and UDP.
    Everything,
}

/// One of the others. Cheap to clone; a clone is the same host.
#[derive(Debug, Clone)]
pub struct Host {
    name: &'static str,
    namespace: Arc<Namespace>,
    /// That of the router before it.
    _router: Option<Arc<Namespace>>,
}

impl Network {
    /// The network, with the test's own host in it at these addresses, such as `203.0.113.2/24`.
    ///
    /// # Panics
    /// Unless the test runs [on a host of its own](on_own_host).
    pub fn new(addresses: &[&str]) -> Self {
        assert!(env::var_os(INSIDE).is_some(), "the test does not run on a host of its own");
        let network = Self { bridge: Host::new("bridge") };
        network.bridge.inside(|| {
            run("ip link add bridge type bridge");
            run("ip link set bridge up");
        });
        run("ip link set lo up");
        network.plug("own", addresses);
        network
    }

    /// One more host, at these addresses.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn host(&self, name: &'static str, addresses: &[&str]) -> Host {
        let host = Host::new(name);
        host.inside(|| self.plug(name, addresses));
        host
    }

    /// One more host at `inner` that is behind NAT, at `outer`, which passes on to it what is
    /// `forwarded`.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn host_behind_nat(
        &self,
        name: &'static str,
        [outer, inner]: [&str; 2],
        forwarded: Forwarded,
    ) -> Host {
        const GATEWAY: &str = "10.0.0.1";
        let router = self.host(name, &[outer]);
        let host = Host::new(name);
        host.inside(|| {
            cable("inner", &router, &[&format!("{inner}/24")]);
            run(&format!("ip route add default via {GATEWAY}"));
        });
        let what = match forwarded {
            Forwarded::Port(port) => format!("tcp dport {port}"),
            Forwarded::Everything => "meta l4proto { tcp, udp }".to_owned(),
        };
        router.inside(|| {
            run(&format!("ip addr add {GATEWAY}/24 dev inner"));
            run("ip link set inner up");
            let forwards = fs::write("/proc/sys/net/ipv4/ip_forward", "1");
            forwards.unwrap_or_else(|error| panic!("the router does not route: {error}"));
            run("nft add table ip nat");
            run("nft add chain ip nat out { type nat hook postrouting priority srcnat ; }");
            run("nft add rule ip nat out oifname outer masquerade");
            run("nft add chain ip nat into { type nat hook prerouting priority dstnat ; }");
            run(&format!("nft add rule ip nat into iifname outer {what} dnat to {inner}"));
        });
        Host { _router: Some(router.namespace), ..host }
    }

    /// Plugs the host that this runs on into the bridge, where its cable has this name.
    fn plug(&self, name: &str, addresses: &[&str]) {
        cable(name, &self.bridge, addresses);
        self.bridge.inside(|| run(&format!("ip link set {name} master bridge up")));
    }
}

impl Host {
    fn new(name: &'static str) -> Self {
        match Namespace::new() {
            Ok(namespace) => Self { name, namespace: Arc::new(namespace), _router: None },
            Err(error) => panic!("{name}: {error}"),
        }
    }

    /// Runs this on the host. A socket that is opened there stays there.
    ///
    /// # Panics
    /// When it does.
    pub fn inside<T: Send>(&self, run: impl FnOnce() -> T + Send) -> T {
        self.namespace.run(run).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Starts a program on it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(&self, program: &str, arguments: &[&str]) -> Process {
        let enter = format!("--net={}", self.namespace.path());
        Process::start("nsenter", &[&[&enter, program], arguments].concat())
    }
}

/// Connects the host that this runs on, by its interface `outer` at these addresses, to the
/// interface `other` of another.
fn cable(other: &str, host: &Host, addresses: &[&str]) {
    run(&format!("ip link add outer type veth peer name {other} netns {}", host.namespace.path()));
    for address in addresses {
        run(&format!("ip addr add {address} dev outer nodad"));
    }
    run("ip link set outer up");
}

fn run(line: &str) {
    let mut words = line.split_whitespace();
    let program = words.next().unwrap_or_default();
    match Command::new(program).args(words).output() {
        Ok(done) if done.status.success() => {}
        Ok(done) => panic!("{line}: {}", String::from_utf8_lossy(&done.stderr)),
        Err(error) => panic!("{line}: {error}. ./test.sh installs what it needs"),
    }
}
