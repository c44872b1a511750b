//! A server process of our own.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{
    Failure,
    process::{self, Look},
    vlm::Vlm,
};

const START: Duration = Duration::from_secs(20);
/// Nobody else reaches the server, which listens on loopback for as long as it is measured.
pub(crate) const METRICS_TOKEN: &str = "live-vlm-load-reads-this";

/// A running server. It is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

impl Server {
    /// Starts the server at `path` with `vlm` as its VLM, and waits until it listens.
    pub(crate) async fn start(path: &Path, vlm: &Vlm) -> Result<Self, Failure> {
        Self::start_with(path, vlm, &[]).await
    }

    /// The same with more arguments.
    pub(crate) async fn start_with(
        path: &Path,
        vlm: &Vlm,
        arguments: &[&str],
    ) -> Result<Self, Failure> {
        let mut command = command(path, vlm);
        command.args(arguments);
        command.stderr(Stdio::inherit());
        let (child, address) = listen(command, path).await?;
        Ok(Self { child, address })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> Result<u32, Failure> {
        Ok(self.child.id().ok_or("the server has ended")?)
    }

    pub(crate) fn look(&self) -> Result<Look, Failure> {
        process::look(self.id()?)
    }
}

/// A server without limits, on any port of loopback.
pub(crate) fn command(path: &Path, vlm: &Vlm) -> Command {
    let mut command = Command::new(path);
    command.args(["--host", "127.0.0.1", "--port", "0", "--no-ssl"]);
    prepare(&mut command, vlm);
    command
}

/// Takes the limits from a server that `command` starts, and gives it its VLM. What the environment
/// says to a server of the user's does not count.
pub(crate) fn prepare(command: &mut Command, vlm: &Vlm) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LIVE_VLM_") {
            command.env_remove(name);
        }
    }
    command
        .args(["--max-sessions", "10000"])
        .args(["--api-base", &vlm.base, "--slots", &vlm.told_slots])
        // Here one host is many people.
        .args(["--connections-per-address=0", "--sessions-per-user=0"])
        .args(["--questions-per-minute=0", "--offers-per-minute=0"])
        .args(["--usage-db", "off"])
        .env("LIVE_VLM_LOG", "warn")
        .env("LIVE_VLM_METRICS_TOKEN", METRICS_TOKEN)
        .stdout(Stdio::piped())
        .kill_on_drop(true);
}

/// Starts a server and waits until it listens: the process, and the host and port of it.
pub(crate) async fn listen(mut command: Command, path: &Path) -> Result<(Child, String), Failure> {
    let mut child = command.spawn().map_err(|error| absent(path, &error))?;
    let port = told(&mut child, "http://127.0.0.1:").await?;
    Ok((child, format!("127.0.0.1:{port}")))
}

/// Waits for the first line of a server's output with `mark` in it, and gives what stands behind
/// that.
pub(crate) async fn told(child: &mut Child, mark: &str) -> Result<String, Failure> {
    let stdout = child.stdout.take().ok_or("the server has no output")?;
    let mut lines = BufReader::new(stdout).lines();
    let told = async {
        while let Some(line) = lines.next_line().await? {
            if let Some((_, rest)) = line.split_once(mark) {
                return Ok(rest.trim().to_owned());
            }
        }
        Err::<_, Failure>("the server ended before it listened".into())
    };
    let told = timeout(START, told).await??;
    // Somebody must read on, or the server's output ends.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok(told)
}

pub(crate) fn absent(path: &Path, error: &std::io::Error) -> Failure {
    let path: PathBuf = path.to_owned();
    format!("{}: {error}; build it with cargo build --release --locked", path.display()).into()
}
