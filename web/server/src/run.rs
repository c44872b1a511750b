//! The server's life: from its configuration to serving, and from a signal to the end of every session.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use live_vlm_access::{
    limits::{Limits, Now},
    listings::Listings,
    sign_in::{SignIn, SignInError},
};
use live_vlm_backends::{
    self as backends, StandIn, StandInError, Vlm,
    own::{Askers, OwnEndpoints},
};
use live_vlm_dispatch::{CoreConfig, Dispatcher, DispatcherConfig};
use live_vlm_listen::{
    self as listen, PerAddress, Security,
    tls::{self, TlsError},
};
use live_vlm_media_processes::{Cause, MediaProcesses};
use live_vlm_observe::metrics::MetricsToken;
use live_vlm_observe::{ObserveError, Observer};
use tokio::{
    net::TcpListener,
    runtime::Handle,
    time::{MissedTickBehavior, interval},
};
use tokio_util::task::AbortOnDropHandle;
use vlm_client::Client;

pub use crate::routes::CannotServeMetrics;
use crate::{
    addresses,
    app::App,
    config::{Config, Options},
    live::Live,
    media::{NoProgram, figures},
    refusal_log::RefusalLog,
    reload::Reloader,
    routes::{self, MetricsListener},
    session::{Decoders, Defaults, Services, Sessions},
    times::Times,
};

/// SIGTERM to the end takes at most this and the time that connections have to end, after the
/// questions in flight.
const SESSIONS_END: Duration = Duration::from_secs(4);
/// Sessions of a server without a limit.
const MOST_SESSIONS: usize = 100_000;
/// How many ports `--auto-port` tries.
const AUTO_PORTS: u16 = 20;
/// How often keys and sessions are looked through for those whose time is over.
const SIGN_IN_CHECK: Duration = Duration::from_secs(1);
const RUN_KEY_NOTE: &str = "           (whoever has the key in these addresses may use the server \
                            until it stops)\n";

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The certificate.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// The port.
    #[error("cannot listen on {address}: {source}; choose another --port, or add --auto-port")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// What receives video is not installed.
    #[error(transparent)]
    NoMediaProgram(#[from] NoProgram),
    /// It cannot receive any.
    #[error("{0}; ./run.sh installs what is missing")]
    Media(Arc<Cause>),
    /// Nobody could sign in.
    #[error("sign-in: {0}")]
    SignIn(#[from] SignInError),
    /// The HTTP client.
    #[error(transparent)]
    Client(#[from] vlm_client::Error),
    /// Traces or usage.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The token or the address of `/metrics`.
    #[error(transparent)]
    Metrics(#[from] CannotServeMetrics),
    /// The stand-in.
    #[error(transparent)]
    StandIn(#[from] StandInError),
}

/// A server that listens, and is ready to serve.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    security: Security,
    app: App,
    metrics: MetricsListener,
    stand_in: Option<StandIn>,
    summary: String,
    drain_timeout: Duration,
}

/// What is not configured, and what tests have otherwise.
#[derive(Debug, Default)]
pub struct Overrides {
    /// How long it waits for this and that.
    pub times: Times,
    /// What receives video. Default: media processes, as the configuration says.
    pub media: Option<MediaProcesses>,
    /// Which VLM servers people may bring. Default: as the configuration says.
    pub own_endpoints: Option<OwnEndpoints>,
}

impl Server {
    /// Gets everything ready: GStreamer, certificate, port, VLM.
    ///
    /// # Errors
    /// When any of it is not to be had; what to do is in the message.
    pub async fn prepare(config: &Config) -> Result<Self, StartError> {
        Self::prepare_with(config, Overrides::default()).await
    }

    /// As [`prepare`](Self::prepare), with this in place of what is not configured.
    ///
    /// # Errors
    /// As there.
    pub async fn prepare_with(
        config: &Config,
        mut overrides: Overrides,
    ) -> Result<Self, StartError> {
        if let Some(file) = &config.file {
            tracing::info!(file = %file.display(), "configuration read");
        }
        config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let media = media(config, overrides.media.take())?;
        let hosts = addresses::of_this_host();
        let security = security(&config.server, &hosts)?;
        let listener = bind(&config.server).await?;
        let metrics = MetricsListener::open(&config.observe.metrics).await?;
        let client = Client::new()?;
        let host = config.server.host;
        let behind_proxy = !config.server.trusted_proxies.is_empty();
        let (sign_in, run_key) = SignIn::prepare(&config.sign_in, host, behind_proxy).await?;
        let vlm = Vlm::find(&config.vlm, &config.backends, &client).await?;
        let wanted = SocketAddr::new(host, config.server.port);
        let address = listener.local_addr().unwrap_or(wanted);
        let summary = format!(
            "\n  live-vlm {}\n\n{}{}\n  {}\n\n  Stop with Ctrl-C.\n\n",
            env!("CARGO_PKG_VERSION"),
            addresses::invitation(address, security.is_tls(), &hosts, run_key.as_ref()),
            if run_key.is_some() { RUN_KEY_NOTE } else { "" },
            vlm.summary,
        );
        media.started().await.map_err(StartError::Media)?;
        let app = app(config, overrides, media, &vlm, client, sign_in, metrics.token.clone())?;
        Ok(Self {
            listener,
            address,
            security,
            app,
            metrics,
            stand_in: vlm.stand_in,
            summary,
            drain_timeout: config.server.drain_timeout,
        })
    }

    /// What to tell whoever started the server: where to open it, and which VLM answers.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where only `/metrics` is served, if anywhere.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics.listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Reads the configuration that this server began with again, which those options gave.
    pub fn reloader(&self, options: Options, began: Config) -> Reloader {
        Reloader::new(options, began, self.app.live.clone())
    }

    /// What receives video.
    pub fn media(&self) -> &MediaProcesses {
        &self.app.media
    }

    /// Its parts.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Serves until `shutdown`, then ends every session.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let sessions = self.app.sessions.clone();
        let _checks = self.app.sign_in.is_on().then(|| {
            let (sign_in, sessions) = (self.app.sign_in.clone(), sessions.clone());
            AbortOnDropHandle::new(tokio::spawn(check_sign_ins(sign_in, sessions)))
        });
        let (live, proxies) = (self.app.live.clone(), self.app.trusted_proxies.clone());
        let per_address =
            PerAddress::new(move || live.now().limits.connections_per_address, proxies);
        let (observer, media) = (self.app.observer.clone(), self.app.media.clone());
        let metrics = self.metrics.serve(observer.metrics.clone(), per_address.clone());
        let metrics = AbortOnDropHandle::new(tokio::spawn(metrics));
        let times = self.app.times.connections;
        let router = routes::router(self.app, &self.security);
        let drain_timeout = self.drain_timeout;
        let ending = async {
            shutdown.await;
            tracing::info!(sessions = sessions.count(), "ending every session");
            sessions.drain(drain_timeout).await;
            sessions.close(SESSIONS_END).await;
            media.shut_down().await;
        };
        listen::serve(self.listener, self.security, router, per_address, ending, times).await;
        // Looked at until now: the last figures are those of the end.
        drop(metrics);
        observer.close().await;
        if let Some(stand_in) = self.stand_in {
            stand_in.stop();
        }
        tracing::info!("stopped");
    }
}

/// What receives video.
fn media(config: &Config, given: Option<MediaProcesses>) -> Result<MediaProcesses, NoProgram> {
    match given {
        Some(media) => Ok(media),
        None => {
            let sessions = config.limits.max_sessions as usize;
            config.media.start(sessions, &config.log.level)
        }
    }
}

fn app(
    config: &Config,
    overrides: Overrides,
    media: MediaProcesses,
    vlm: &Vlm,
    client: Client,
    sign_in: SignIn,
    metrics_token: Option<MetricsToken>,
) -> Result<App, StartError> {
    let runtime = Handle::current();
    let times = overrides.times;
    let dispatcher = dispatcher(vlm, &client, &runtime, times);
    let observer = observer(&config.observe, &dispatcher, &media, &runtime)?;
    let trusted_proxies = config.server.trusted_proxies.clone();
    let askers = Askers::of(config.server.host, sign_in.is_on(), !trusted_proxies.is_empty());
    let own_endpoints = overrides
        .own_endpoints
        .unwrap_or_else(|| OwnEndpoints::new(askers, &config.vlm.allowed_api_bases));
    let own_endpoints = knowing_pool(own_endpoints, &dispatcher);
    let defaults = Arc::new(defaults(&config.vlm, vlm));
    let live = Live::new(config.into());
    let limits = Limits::new(Now::read());
    let refusals = RefusalLog::new(observer.metrics.clone());
    let sessions = Sessions::new(Services {
        defaults: Arc::clone(&defaults),
        dispatcher: dispatcher.clone(),
        media: media.clone(),
        own_endpoints: own_endpoints.clone(),
        video: config.video.pages,
        decoders: Decoders::default(),
        network: config.network(),
        relays: config.video.relays.clone(),
        live: live.clone(),
        limits: limits.clone(),
        grace: times.grace,
        observer: observer.clone(),
        refusals: refusals.clone(),
    });
    Ok(App {
        sessions,
        media,
        defaults,
        dispatcher,
        client,
        listings: Listings::default(),
        own_endpoints,
        askers,
        sign_in,
        video: config.video.pages,
        live,
        limits,
        observer,
        refusals,
        metrics_token,
        trusted_proxies,
        times,
    })
}

fn observer(
    config: &live_vlm_observe::Config,
    dispatcher: &Dispatcher,
    media: &MediaProcesses,
    runtime: &Handle,
) -> Result<Observer, ObserveError> {
    let observer = Observer::start(config, runtime)?;
    let pool = dispatcher.clone();
    observer.metrics.watch_pool(move || pool.pool().into_iter().map(Into::into).collect());
    let media = media.clone();
    observer.metrics.watch_media(move || figures(&media));
    Ok(observer)
}

fn defaults(options: &backends::Options, vlm: &Vlm) -> Defaults {
    Defaults {
        endpoint: vlm.endpoint().clone(),
        model: vlm.model.clone(),
        stand_in: vlm.stand_in.is_some(),
        prompt: options.prompt.clone(),
        max_tokens: options.max_tokens,
        interval: options.interval(),
    }
}

fn knowing_pool(own: OwnEndpoints, dispatcher: &Dispatcher) -> OwnEndpoints {
    let pool = dispatcher.pool();
    let servers = pool.iter().filter_map(|backend| dispatcher.pooled(&backend.base));
    servers.fold(own, |own, server| own.knowing(&server))
}

fn dispatcher(vlm: &Vlm, client: &Client, runtime: &Handle, times: Times) -> Dispatcher {
    let config = DispatcherConfig {
        // Sessions are bounded where they are opened, by a limit that may change; it cannot be
        // higher than this, but it can be switched off.
        core: CoreConfig { max_members: MOST_SESSIONS, ..CoreConfig::default() },
        check_every: times.check_every,
        ..DispatcherConfig::default()
    };
    let dispatcher = Dispatcher::new(config, client.clone(), runtime);
    for backend in &vlm.backends {
        dispatcher.add_backend(backend.clone());
    }
    dispatcher
}

fn security(options: &listen::Options, hosts: &[IpAddr]) -> Result<Security, TlsError> {
    Ok(match &options.certificate {
        _ if !options.tls => Security::Plain,
        Some(given) => Security::GivenTls(tls::load(&given.cert, &given.key)?),
        None => Security::OwnTls(tls::load_or_make(&tls::own_folder()?, tls::own_names(hosts))?),
    })
}

/// Ends sessions whose user is not signed in any more, until aborted.
async fn check_sign_ins(sign_in: SignIn, sessions: Sessions) {
    let mut due = interval(SIGN_IN_CHECK);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        sign_in.refresh().await;
        sessions.end_unless(|credential| sign_in.holds(credential));
    }
}

async fn bind(options: &listen::Options) -> Result<TcpListener, StartError> {
    let listen::Options { host, port: first, auto_port, .. } = *options;
    let ports = if auto_port { AUTO_PORTS } else { 1 };
    let mut failed = None;
    for port in (0..ports).filter_map(|more| first.checked_add(more)) {
        let address = SocketAddr::new(host, port);
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(source) => failed = failed.or(Some(StartError::Listen { address, source })),
        }
    }
    Err(failed.unwrap_or(StartError::Listen {
        address: SocketAddr::new(host, first),
        source: io::ErrorKind::AddrNotAvailable.into(),
    }))
}
