//! The server inside the test's own process, with its media processes as tasks of it.

use std::net::SocketAddr;

use clap::Parser;
use live_vlm::{
    app::App,
    config::{Cli, Config},
    run::{Overrides, Server as Prepared},
    session::Sessions,
    times::Times,
};
use live_vlm_access::limits::Limits;
use live_vlm_backends::own::OwnEndpoints;
use live_vlm_media_link::SandboxParts;
use live_vlm_media_processes::{
    Config as MediaConfig, MediaProcesses, launcher::InProcess, placement::Bounds,
};
use live_vlm_observe::metrics::Format;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{client::Client, within};

/// A server that runs until it is dropped or [stopped](Self::stop).
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    app: App,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// Arguments without which a host with many clients, as a test is, meets limits.
pub const UNLIMITED: &[&str] = &[
    "--connections-per-address",
    "0",
    "--sessions-per-user",
    "0",
    "--questions-per-minute",
    "0",
    "--offers-per-minute",
    "0",
];

/// The configuration that a command line gives, for a server on any free port, and of this host
/// only unless it says otherwise. Limits of sessions and connections are off unless they are among
/// the arguments.
///
/// # Panics
/// When the command line is wrong.
pub fn config(arguments: &[&str]) -> Config {
    let given = |flag: &[&str]| arguments.contains(&flag[0]);
    let defaults = [["--host", "127.0.0.1"], ["--port", "0"], ["--usage-db", "off"]];
    let defaults = defaults.iter().map(|pair| &pair[..]);
    let defaults = defaults.chain(UNLIMITED.chunks(2)).filter(|pair| !given(pair)).flatten();
    match Cli::try_parse_from(["live-vlm"].iter().chain(defaults).chain(arguments)) {
        Ok(cli) => {
            // A file of the developer's own does not count.
            let config = match cli.serve.config {
                Some(_) => Config::load(&cli.serve),
                None => Config::without_file(&cli.serve),
            };
            config.unwrap_or_else(|error| panic!("{error}"))
        }
        Err(error) => panic!("{error}"),
    }
}

impl Server {
    /// A server for plain HTTP with these further arguments.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, Overrides::default()).await
    }

    /// As [`start`](Self::start), with other times than a user's server has.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_with_times(arguments: &[&str], times: Times) -> Self {
        Self::start_with(arguments, Overrides { times, ..Overrides::default() }).await
    }

    /// As [`start`](Self::start), and with these rules for the VLM servers that people bring,
    /// though the server is for this host only.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_with_own_endpoints(arguments: &[&str], own: OwnEndpoints) -> Self {
        let overrides = Overrides { own_endpoints: Some(own), ..Overrides::default() };
        Self::start_with(arguments, overrides).await
    }

    async fn start_with(arguments: &[&str], overrides: Overrides) -> Self {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--no-ssl"]).collect();
        let overrides = Overrides { media: Some(in_this_process()), ..overrides };
        match Prepared::prepare_with(&config(&arguments), overrides).await {
            Ok(server) => Self::run(server),
            Err(error) => panic!("the server does not start: {error}"),
        }
    }

    fn run(server: Prepared) -> Self {
        let mut address = server.local_addr();
        if address.ip().is_unspecified() {
            address.set_ip([127, 0, 0, 1].into());
        }
        let metrics_address = server.metrics_addr();
        let app = server.app().clone();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.serve(async {
            // An error is a sender that was dropped, which means the same.
            let _ = stopped.await;
        }));
        Self { address, metrics_address, app, stop: Some(stop), task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where only its metrics are served, if anywhere.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Its sessions.
    pub fn sessions(&self) -> &Sessions {
        &self.app.sessions
    }

    /// Its parts.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// How many pages are connected by WebSocket, as its metrics say.
    ///
    /// # Panics
    /// When they do not.
    pub fn connections(&self) -> u64 {
        let figures = self.app.observer.metrics.exposition(Format::Prometheus);
        let mut lines = figures.lines();
        let line = lines.find_map(|line| line.strip_prefix("live_vlm_websocket_connections "));
        match line.and_then(|count| count.trim().parse().ok()) {
            Some(count) => count,
            None => panic!("no figure of connections: {figures}"),
        }
    }

    /// What its users have open.
    pub fn limits(&self) -> &Limits {
        &self.app.limits
    }

    /// A browser that has opened the page.
    pub async fn browser(&self) -> Client {
        Client::browser(&format!("http://{}", self.address)).await
    }

    /// A script, which keeps no cookie.
    pub fn script(&self) -> Client {
        Client::script(&format!("http://{}", self.address))
    }

    /// Ends it as a signal would.
    ///
    /// # Panics
    /// When it does not end, or ended by a panic.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        if let Err(error) = within("the server's end", &mut self.task).await {
            panic!("the server ended badly: {error}");
        }
    }
}

/// Media processes that are tasks of this process, one for each user.
fn in_this_process() -> MediaProcesses {
    const MOST: usize = 10_000;
    let bounds = Bounds { wanted: MOST, most: MOST, connections: 8 };
    let config = MediaConfig { keeps_spare: false, ..MediaConfig::new(bounds) };
    let serve = async |link| {
        if let Err(error) = live_vlm_pipelines::serve(link, |_| SandboxParts::default()).await {
            tracing::error!(%error, "video cannot be received any more");
        }
    };
    MediaProcesses::new(config, InProcess::new(serve))
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
