//! The server's life: from options to serving, and from a signal to the end of every session.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};
use vlm_client::{
    Backend, Client, CoreConfig, Dispatcher, DispatcherConfig, Endpoint, Slots, choose_model,
};

use crate::{
    addresses,
    config::{BadOptions, Options},
    discover,
    listen::{self, Security},
    reach::{Askers, OwnEndpoints},
    routes::{self, App},
    session::{Defaults, Sessions, SessionsConfig},
    tls::{self, TlsError},
};

/// How long a session waits for its page to come back.
const GRACE: Duration = Duration::from_secs(15);
/// SIGTERM to the end takes at most the sum of these.
const SESSIONS_END: Duration = Duration::from_secs(4);
const CONNECTIONS_END: Duration = Duration::from_millis(500);
/// How long the warm-up may go on after everything else has ended.
const WARM_UP_END: Duration = Duration::from_secs(3);
const MODELS_TIMEOUT: Duration = Duration::from_secs(5);
/// How many ports `--auto-port` tries.
const AUTO_PORTS: u16 = 20;

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The options make no sense together.
    #[error(transparent)]
    Options(#[from] BadOptions),
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
    /// GStreamer or one of its plugins.
    #[error("GStreamer: {0}; run ./run.sh once, or install the packages that README.md names")]
    GStreamer(String),
    /// The HTTP client.
    #[error(transparent)]
    Client(#[from] vlm_client::Error),
    /// The stand-in.
    #[error("the built-in demo-vlm does not start: {0}")]
    StandIn(io::Error),
}

/// A server that listens, and is ready to serve.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    security: Security,
    app: App,
    stand_in: Option<StandIn>,
    summary: String,
}

/// The demo-vlm that answers when no VLM was found; it ends with the server.
struct StandIn {
    stop: watch::Sender<bool>,
    task: JoinHandle<io::Result<()>>,
}

struct Vlm {
    endpoint: Endpoint,
    model: String,
    slots: usize,
    stand_in: Option<StandIn>,
    summary: String,
}

impl Server {
    /// Gets everything ready: GStreamer, certificate, port, VLM.
    ///
    /// # Errors
    /// When any of it is not to be had; what to do is in the message.
    pub async fn prepare(options: &Options) -> Result<Self, StartError> {
        let named = options.endpoint()?;
        live_vlm_pipelines::init().map_err(|error| StartError::GStreamer(error.to_string()))?;
        let hosts = addresses::of_this_host();
        let security = match (&options.ssl_cert, &options.ssl_key) {
            _ if options.no_ssl => Security::Plain,
            (Some(cert), Some(key)) => Security::Tls(tls::load(cert, key)?),
            _ => Security::Tls(tls::load_or_make(&tls::own_folder()?, tls::own_names(&hosts))?),
        };
        let listener = bind(options).await?;
        let client = Client::new()?;
        let vlm = find_vlm(options, named, &client).await?;

        let config = DispatcherConfig {
            core: CoreConfig { max_members: options.max_sessions, ..CoreConfig::default() },
            ..DispatcherConfig::default()
        };
        let runtime = tokio::runtime::Handle::current();
        let dispatcher = Dispatcher::new(config, client.clone(), &runtime);
        let slots = Slots::Fixed(options.slots.map_or(vlm.slots, usize::from));
        dispatcher.add_backend(Backend::new(vlm.endpoint.clone(), slots));
        let tls = matches!(security, Security::Tls(_));
        let address = local_address(&listener, options);
        let summary = format!(
            "\n  live-vlm {}\n\n{}\n  {}\n\n  Stop with Ctrl-C.\n\n",
            env!("CARGO_PKG_VERSION"),
            addresses::invitation(address, tls, &hosts),
            vlm.summary,
        );
        let own_endpoints =
            OwnEndpoints::new(Askers::of(options.host, false, false), &options.allow_api_base)
                .knowing(vlm.endpoint.base());
        let sessions = Sessions::new(SessionsConfig {
            own_endpoints,
            defaults: Defaults {
                endpoint: vlm.endpoint,
                model: vlm.model,
                stand_in: vlm.stand_in.is_some(),
                prompt: options.prompt.clone(),
                max_tokens: options.max_tokens,
                interval: options.interval(),
            },
            dispatcher,
            network: options.network(),
            max_sessions: options.max_sessions,
            grace: GRACE,
        });
        let app = App { sessions, client };
        Ok(Self { listener, address, security, app, stand_in: vlm.stand_in, summary })
    }

    /// What to tell whoever started the server: where to open it, and which VLM answers.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Its sessions; none yet.
    pub fn sessions(&self) -> &Sessions {
        &self.app.sessions
    }

    /// The same server with another time that sessions wait for their page.
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        self.with(|config| config.grace = grace)
    }

    /// The same server with other rules for the VLM servers that people bring. Its own is known
    /// to them.
    #[must_use]
    pub fn with_own_endpoints(self, own: OwnEndpoints) -> Self {
        self.with(|config| config.own_endpoints = own.knowing(config.defaults.endpoint.base()))
    }

    fn with(mut self, change: impl FnOnce(&mut SessionsConfig)) -> Self {
        let mut config = self.app.sessions.config().clone();
        change(&mut config);
        self.app.sessions = Sessions::new(config);
        self
    }

    /// Serves until `shutdown`, then ends every session.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        // The first session of a process would otherwise wait for plugins to load.
        let warm_up = tokio::spawn(async {
            if let Err(error) = live_vlm_pipelines::warm_up().await {
                tracing::warn!(%error, "warming up failed; the first session will be slower");
            }
        });
        let sessions = self.app.sessions.clone();
        let tls = matches!(self.security, Security::Tls(_));
        let router = routes::router(self.app, tls);
        let ending = async {
            shutdown.await;
            tracing::info!(sessions = sessions.count(), "ending every session");
            sessions.close(SESSIONS_END).await;
        };
        listen::serve(self.listener, self.security, router, ending, CONNECTIONS_END).await;
        // Libraries clean up when the process exits, which must not happen in the middle of loading
        // them. With a session there was time enough, so this does not add to a session's end.
        if timeout(WARM_UP_END, warm_up).await.is_err() {
            tracing::warn!("the warm-up did not end in time");
        }
        if let Some(stand_in) = self.stand_in {
            let _ = stand_in.stop.send(true);
            stand_in.task.abort();
        }
        tracing::info!("stopped");
    }
}

fn local_address(listener: &TcpListener, options: &Options) -> SocketAddr {
    listener.local_addr().unwrap_or_else(|_| SocketAddr::new(options.host, options.port))
}

async fn bind(options: &Options) -> Result<TcpListener, StartError> {
    let ports = if options.auto_port { AUTO_PORTS } else { 1 };
    let mut failed = None;
    for port in (0..ports).filter_map(|more| options.port.checked_add(more)) {
        let address = SocketAddr::new(options.host, port);
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(source) => failed = failed.or(Some(StartError::Listen { address, source })),
        }
    }
    Err(failed.unwrap_or(StartError::Listen {
        address: SocketAddr::new(options.host, options.port),
        source: io::ErrorKind::AddrNotAvailable.into(),
    }))
}

/// The VLM that sessions begin with: the named one, one found on this host, or the stand-in.
async fn find_vlm(
    options: &Options,
    named: Option<Endpoint>,
    client: &Client,
) -> Result<Vlm, StartError> {
    if let Some(endpoint) = named {
        return Ok(named_vlm(options, endpoint, client).await);
    }
    let found = discover::detect(client).await;
    if let Some((service, model)) = discover::choose(&found)
        && let Ok(endpoint) = Endpoint::new(service.url, None)
    {
        let model = options.model.clone().unwrap_or_else(|| model.id.clone());
        return Ok(Vlm {
            summary: format!("VLM:     {} at {}, model {model}", service.name, service.url),
            slots: discover::slots(&endpoint),
            endpoint,
            model,
            stand_in: None,
        });
    }
    let text_only: Vec<&str> = found.iter().map(|found| found.service.name).collect();
    stand_in(options, &text_only).await
}

async fn named_vlm(options: &Options, endpoint: Endpoint, client: &Client) -> Vlm {
    let (model, note) = match &options.model {
        Some(model) => (model.clone(), String::new()),
        None => match client.models(&endpoint, MODELS_TIMEOUT).await {
            Ok(models) => match choose_model(&models) {
                Some(model) => (model.id.clone(), String::new()),
                None => (String::new(), " (it lists no model yet)".to_owned()),
            },
            // It may come up later; until then each session is told.
            Err(error) => {
                tracing::warn!(%error, "the VLM server does not answer yet");
                (String::new(), " (it does not answer yet)".to_owned())
            }
        },
    };
    let name = if model.is_empty() { "the first that it lists" } else { &model };
    Vlm {
        summary: format!("VLM:     {}, model {name}{note}", endpoint.base()),
        slots: discover::slots(&endpoint),
        endpoint,
        model,
        stand_in: None,
    }
}

async fn stand_in(options: &Options, text_only: &[&str]) -> Result<Vlm, StartError> {
    let demo = demo_vlm::Options {
        port: 0,
        // Asked every second, it must be done well before the next question to be read.
        token_delay: Duration::from_millis(5),
        ..demo_vlm::Options::default()
    };
    let listener = demo.bind().await.map_err(StartError::StandIn)?;
    let address = listener.local_addr().map_err(StartError::StandIn)?;
    let endpoint =
        Endpoint::new(&format!("http://{address}/v1"), None).map_err(BadOptions::from)?;
    let slots = usize::from(demo.slots);
    let (stop, mut stopped) = watch::channel(false);
    let task = tokio::spawn(demo_vlm::serve(listener, demo, async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    }));
    let why = if text_only.is_empty() {
        "no VLM was found on this host".to_owned()
    } else {
        format!("{} has no vision model", text_only.join(" and "))
    };
    Ok(Vlm {
        summary: [
            &format!("VLM:     none; {why}"),
            "         The built-in stand-in answers, which only measures pixels. For a real one:",
            "           ollama pull qwen2.5vl:3b, then start again, or",
            "           --api-base http://HOST:8000/v1 --model NAME",
        ]
        .join("\n  "),
        model: options.model.clone().unwrap_or_else(|| demo_vlm::MODEL.to_owned()),
        endpoint,
        slots,
        stand_in: Some(StandIn { stop, task }),
    })
}
