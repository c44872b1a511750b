//! The VLM servers that sessions ask: those that the operator names, one found on this host, or the
//! stand-in.

use std::{io, time::Duration};

use tokio::{sync::watch, task::JoinHandle};
use vlm_client::{Backend, Client, Endpoint, Slots, choose_model};

use crate::{
    config::{self, BackendConfig, Config},
    discover,
};

const MODELS_TIMEOUT: Duration = Duration::from_secs(5);

/// What sessions begin with.
pub struct Vlm {
    /// The pool, the first to be preferred; one at least.
    pub backends: Vec<Backend>,
    /// The model to ask for; empty = the first vision model of whichever server is asked.
    pub model: String,
    /// Answers when no VLM was found.
    pub stand_in: Option<StandIn>,
    /// Who answers, for whoever started the server.
    pub summary: String,
}

/// The built-in demo-vlm. Dropping it leaves it running.
pub struct StandIn {
    stop: watch::Sender<bool>,
    task: JoinHandle<io::Result<()>>,
}

/// Why there is no stand-in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StandInError {
    /// Its port.
    #[error("the built-in demo-vlm does not start: {0}")]
    Start(#[from] io::Error),
    /// Its address.
    #[error("the built-in demo-vlm cannot be asked: {0}")]
    Address(#[from] vlm_client::BadEndpoint),
}

impl StandIn {
    /// Ends it.
    pub fn stop(self) {
        let _ = self.stop.send(true);
        self.task.abort();
    }
}

impl Vlm {
    /// The named servers, or the one that is found on this host, or the stand-in.
    ///
    /// # Errors
    /// When it comes to the stand-in, and that does not start.
    pub async fn find(config: &Config, client: &Client) -> Result<Self, StandInError> {
        let named = &config.vlm.model;
        if !config.backends.is_empty() {
            return Ok(Self::named(named.as_deref(), &config.backends, client).await);
        }
        let found = discover::detect(client).await;
        if let Some((service, model)) = discover::choose(&found)
            && let Ok(endpoint) = Endpoint::new(service.url, None)
        {
            let model = named.clone().unwrap_or_else(|| model.id.clone());
            return Ok(Self {
                summary: format!("VLM:     {} at {}, model {model}", service.name, service.url),
                backends: vec![Backend::new(endpoint.clone(), slots(config.vlm.slots, &endpoint))],
                model,
                stand_in: None,
            });
        }
        let text_only: Vec<&str> = found.iter().map(|found| found.service.name).collect();
        Self::stand_in(config, &text_only).await
    }

    /// The server that a session begins with.
    pub fn endpoint(&self) -> &Endpoint {
        &self.backends[0].endpoint
    }

    async fn named(model: Option<&str>, backends: &[BackendConfig], client: &Client) -> Self {
        let backends: Vec<Backend> = backends.iter().map(backend).collect();
        let (model, note) = match model {
            Some(model) => (model.to_owned(), ""),
            None => first_model(&backends, client).await,
        };
        let name = if model.is_empty() { "the first that it lists" } else { &model };
        let bases: Vec<&str> = backends.iter().map(|backend| backend.endpoint.base()).collect();
        let summary = format!("VLM:     {}, model {name}{note}", bases.join("\n           "));
        Self { summary, backends, model, stand_in: None }
    }

    async fn stand_in(config: &Config, text_only: &[&str]) -> Result<Self, StandInError> {
        let demo = demo_vlm::Options {
            port: 0,
            // Asked every second, it must be done well before the next question to be read.
            token_delay: Duration::from_millis(5),
            ..demo_vlm::Options::default()
        };
        let listener = demo.bind().await?;
        let address = listener.local_addr()?;
        let endpoint = Endpoint::new(&format!("http://{address}/v1"), None)?;
        let slots = match config.vlm.slots {
            Some(wanted @ config::Slots::Fixed(_)) => slots(Some(wanted), &endpoint),
            _ => Slots::Fixed(usize::from(demo.slots)),
        };
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(demo_vlm::serve(listener, demo, async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        }));
        let why = if text_only.is_empty() {
            "no VLM was found on this host".to_owned()
        } else {
            format!("{} has no vision model", text_only.join(" and "))
        };
        Ok(Self {
            summary: [
                &format!("VLM:     none; {why}"),
                "         The built-in stand-in answers, which only measures pixels. For a real one:",
                "           ollama pull qwen2.5vl:3b, then start again, or",
                "           --api-base http://HOST:8000/v1 --model NAME",
            ]
            .join("\n  "),
            model: config.vlm.model.clone().unwrap_or_else(|| demo_vlm::MODEL.to_owned()),
            backends: vec![Backend::new(endpoint, slots)],
            stand_in: Some(StandIn { stop, task }),
        })
    }
}

fn backend(config: &BackendConfig) -> Backend {
    Backend {
        endpoint: config.endpoint.clone(),
        models: (!config.models.is_empty()).then(|| config.models.clone()),
        slots: slots(config.slots, &config.endpoint),
        fairness_header: config.fairness_header,
        objective: config.objective.clone(),
    }
}

/// The model of the first server that lists one, and what to add about it.
async fn first_model(backends: &[Backend], client: &Client) -> (String, &'static str) {
    let mut note = " (it lists no model yet)";
    for backend in backends {
        match client.models(&backend.endpoint, MODELS_TIMEOUT).await {
            Ok(mut models) => {
                models.retain(|model| backend.offers(&model.id));
                if let Some(model) = choose_model(&models) {
                    return (model.id.clone(), "");
                }
            }
            // It may come up later; until then each session is told.
            Err(error) => {
                tracing::warn!(%error, "a VLM server does not answer yet");
                note = " (it does not answer yet)";
            }
        }
    }
    (String::new(), note)
}

/// How many questions a VLM server takes at once. What `auto` finds out begins with its kind.
fn slots(wanted: Option<config::Slots>, endpoint: &Endpoint) -> Slots {
    match wanted {
        Some(config::Slots::Fixed(slots)) => Slots::Fixed(slots.get().into()),
        Some(config::Slots::Auto) => Slots::Auto(discover::slots(endpoint)),
        None => Slots::Fixed(discover::slots(endpoint)),
    }
}
