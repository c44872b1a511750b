//! Several hosts in one test: network namespaces, joined by a bridge.
//!
//! They belong to the test's process and end with it, whichever way it ends. Root can make them;
//! others can where the kernel gives them user namespaces.

use std::{
    env, fs,
    future::Future,
    os::fd::AsFd,
    process::{Command, Stdio},
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::process::Process;

/// Set in a test's program that runs on a host of its own.
const INSIDE: &str = "TEST_HAS_OWN_NETWORK";
/// Where everybody is plugged in.
const BRIDGE: &str = "bridge";

/// Runs the test of this name, which must be one that is otherwise ignored, on a host of its own:
/// the test's program is started once more for it.
///
/// # Panics
/// When the test fails, or this host allows no namespaces.
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
        }
        Err(error) => panic!("unshare: {error}"),
    }
}

/// What makes namespaces here.
fn namespaces() -> &'static [&'static str] {
    const WAYS: [&[&str]; 2] =
        [&["--net", "--mount"], &["--net", "--mount", "--user", "--map-root-user"]];
    let works = |way: &&&[&str]| {
        let tried = Command::new("unshare").args(**way).arg("true").stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    match WAYS.iter().find(works) {
        Some(way) => way,
        None => panic!("this host allows no network namespaces"),
    }
}

/// The test's own host, and others on the same network.
#[derive(Debug)]
pub struct Network(());

/// What comes through a NAT from outside, beside answers.
#[derive(Debug, Clone, Copy)]
pub enum Forwarded {
    /// Connections to one TCP port.
    Port(u16),
    /// TCP and UDP.
    Everything,
}

/// One of the others.
#[derive(Debug, Clone, Copy)]
pub struct Host(&'static str);

impl Network {
    /// The network, with the test's own host in it at these addresses, such as `203.0.113.2/24`.
    ///
    /// # Panics
    /// Unless the test runs [on a host of its own](on_own_host).
    pub fn new(addresses: &[&str]) -> Self {
        // ip keeps the names of namespaces in a folder in there, which must not be the machine's.
        run("mount -t tmpfs tmpfs /run");
        run("ip link set lo up");
        run(&format!("ip netns add {BRIDGE}"));
        run(&format!("ip -n {BRIDGE} link add {BRIDGE} type bridge"));
        run(&format!("ip -n {BRIDGE} link set {BRIDGE} up"));
        run(&format!("ip link add outer type veth peer name own netns {BRIDGE}"));
        plug("own");
        for address in addresses {
            run(&format!("ip addr add {address} dev outer nodad"));
        }
        run("ip link set outer up");
        Self(())
    }

    /// One more host, at these addresses.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn host(&self, name: &'static str, addresses: &[&str]) -> Host {
        let host = Host::new(name);
        host.cable("outer", BRIDGE, name, addresses);
        plug(name);
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
        router: &'static str,
        [outer, inner]: [&str; 2],
        forwarded: Forwarded,
    ) -> Host {
        const GATEWAY: &str = "10.0.0.1";
        let router = self.host(router, &[outer]);
        let host = Host::new(name);
        host.cable("outer", router.0, "inner", &[&format!("{inner}/24")]);
        run(&format!("ip -n {name} route add default via {GATEWAY}"));
        run(&format!("ip -n {} addr add {GATEWAY}/24 dev inner", router.0));
        run(&format!("ip -n {} link set inner up", router.0));
        router.inside(|| {
            let forwards = fs::write("/proc/sys/net/ipv4/ip_forward", "1");
            forwards.unwrap_or_else(|error| panic!("the router does not route: {error}"));
            let out = "type nat hook postrouting priority srcnat";
            let into = "type nat hook prerouting priority dstnat";
            run("nft add table ip nat");
            run(&format!("nft add chain ip nat out {{ {out} ; }}"));
            run("nft add rule ip nat out oifname outer masquerade");
            run(&format!("nft add chain ip nat into {{ {into} ; }}"));
            let what = match forwarded {
                Forwarded::Port(port) => format!("tcp dport {port}"),
                Forwarded::Everything => "meta l4proto { tcp, udp }".to_owned(),
            };
            run(&format!("nft add rule ip nat into iifname outer {what} dnat to {inner}"));
        });
        host
    }
}

impl Host {
    fn new(name: &'static str) -> Self {
        run(&format!("ip netns add {name}"));
        run(&format!("ip -n {name} link set lo up"));
        Self(name)
    }

    /// Joins its interface `own` to the interface `other` of another host.
    fn cable(&self, own: &str, host: &str, other: &str, addresses: &[&str]) {
        let name = self.0;
        run(&format!("ip -n {name} link add {own} type veth peer name {other} netns {host}"));
        for address in addresses {
            run(&format!("ip -n {name} addr add {address} dev {own} nodad"));
        }
        run(&format!("ip -n {name} link set {own} up"));
    }

    /// Runs this on the host. A socket that is opened there stays there.
    ///
    /// # Panics
    /// When it does.
    pub fn inside<T: Send>(&self, run: impl FnOnce() -> T + Send) -> T {
        let enter = || {
            let namespace = fs::File::open(self.namespace())?;
            let network = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), network)?;
            Ok::<_, std::io::Error>(())
        };
        let done = thread::scope(|scope| {
            let thread = scope.spawn(|| match enter() {
                Ok(()) => run(),
                Err(error) => panic!("{}: {error}", self.0),
            });
            thread.join()
        });
        match done {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Starts a program on it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(&self, program: &str, arguments: &[&str]) -> Process {
        let enter = format!("--net={}", self.namespace());
        Process::start("nsenter", &[&[&enter, program], arguments].concat())
    }

    fn namespace(&self) -> String {
        format!("/run/netns/{}", self.0)
    }
}

/// Plugs an interface of the bridge's namespace into the bridge.
fn plug(interface: &str) {
    run(&format!("ip -n {BRIDGE} link set {interface} master {BRIDGE} up"));
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
