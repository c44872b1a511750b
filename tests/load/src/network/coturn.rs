//! Debian's coturn on the third host, with the configuration that docs/turn.md prints.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use live_vlm_network::{Host, Namespace, Signal, coturn};
use rcgen::PublicKeyData as _;
use ring::digest::{SHA256, digest};
use tokio::{process::Child, time::sleep};

use super::addresses::{STUN_PORT, TURNS_PORT};
use crate::Failure;

const SECRET: &str = "of-relay-and-server-on-a-bad-network";
const START: Duration = Duration::from_secs(10);

/// A relay that runs until this is dropped.
pub(crate) struct Relay {
    /// By which Chromium knows the key of its certificate, which nobody has signed.
    pub(crate) key: String,
    _process: Child,
}

/// What a server is told of it.
pub(crate) fn arguments() -> [String; 4] {
    let host = Host::Third.address();
    let relays = [
        format!("turn:{host}:{STUN_PORT}"),
        format!("turn:{host}:{STUN_PORT}?transport=tcp"),
        format!("turns:{host}:{TURNS_PORT}"),
    ];
    let [udp, tcp, tls] = relays.map(|relay| format!("--turn-server={relay}"));
    [udp, tcp, tls, format!("--turn-secret={SECRET}")]
}

/// Starts it, and waits until it listens. It lets pages reach `server`.
pub(crate) async fn start(
    namespace: &Namespace,
    server: Ipv4Addr,
    home: &Path,
    log: File,
) -> Result<Relay, Failure> {
    let address = server.to_string();
    let files = coturn::Relay { home, secret: SECRET, server: &address, more: "" };
    let arguments = files.write()?;
    let made = rcgen::generate_simple_self_signed([Host::Third.address().to_string()])?;
    fs::write(home.join("fullchain.pem"), made.cert.pem())?;
    fs::write(home.join("privkey.pem"), made.signing_key.serialize_pem())?;
    let key = digest(&SHA256, &made.signing_key.subject_public_key_info());
    let key = BASE64_STANDARD.encode(key);
    let mut command = namespace.command("turnserver", Signal::KILL)?;
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let child = command.spawn();
    let mut child =
        child.map_err(|error| format!("turnserver, of Debian's package coturn: {error}"))?;
    let until = Instant::now() + START;
    let listens =
        |port| namespace.run(|| TcpStream::connect((Host::Third.address(), port)).is_ok());
    while !(listens(STUN_PORT)? && listens(TURNS_PORT)?) {
        if let Some(ended) = child.try_wait()? {
            return Err(format!("turnserver, of Debian's package coturn: {ended}").into());
        }
        if Instant::now() > until {
            return Err("turnserver does not listen".into());
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(Relay { key, _process: child })
}
