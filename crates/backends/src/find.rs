//! The VLM servers that sessions ask: those that the operator names, one found on this host, or the
//! stand-in.

use std::{io, time::Duration};

use futures_util::future::join_all;
use live_vlm_config::Slots as GivenSlots;
use live_vlm_dispatch::{Backend, Slots};
use tokio::{sync::watch, task::JoinHandle};
use vlm_client::{
    Client, Endpoint, Error, ErrorKind, Failure, Model, ServerKind, Trouble, choose_model,
};

use crate::{config::Options, discover, pool::BackendConfig};

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
    pub async fn find(
        options: &Options,
        backends: &[BackendConfig],
        client: &Client,
    ) -> Result<Self, StandInError> {
        let named = &options.model;
        if !backends.is_empty() {
            return Ok(Self::named(named.as_deref(), backends, client).await);
        }
        let found = discover::detect(client).await;
        if let Some((found, model)) = discover::choose(&found)
            && let Ok(endpoint) = Endpoint::new(found.service.url, None)
        {
            let service = found.service;
            let model = named.clone().unwrap_or_else(|| model.id.clone());
            let slots = slots(options.slots, &endpoint, found.kind);
            let backend = Backend::new(endpoint, slots);
            return Ok(Self {
                summary: format!("VLM:     {} at {}, model {model}", service.name, service.url),
                backends: vec![backend],
                model,
                stand_in: None,
            });
        }
        let text_only: Vec<&str> = found.iter().map(|found| found.service.name).collect();
        Self::stand_in(options, &text_only).await
    }

    /// The server that a session begins with.
    pub fn endpoint(&self) -> &Endpoint {
        &self.backends[0].endpoint
    }

    async fn named(model: Option<&str>, backends: &[BackendConfig], client: &Client) -> Self {
        let backends: Vec<Backend> = backends.iter().map(backend).collect();
        let looked = join_all(backends.iter().map(|backend| look(backend, client))).await;
        let model = model.map_or_else(|| first_model(&looked), str::to_owned);
        let name = if model.is_empty() { "the first that it lists" } else { &model };
        let lines = backends.iter().zip(&looked).map(|(backend, looked)| {
            format!("{}{}", backend.endpoint.base(), note(looked, model.is_empty()))
        });
        let lines: Vec<String> = lines.collect();
        let summary = format!("VLM:     {}, model {name}", lines.join("\n           "));
        Self { summary, backends, model, stand_in: None }
    }

    async fn stand_in(options: &Options, text_only: &[&str]) -> Result<Self, StandInError> {
        let demo = demo_vlm::Options {
            port: 0,
            // Asked every second, it must be done well before the next question to be read.
            token_delay: Duration::from_millis(5),
            ..demo_vlm::Options::default()
        };
        let listener = demo.bind().await?;
        let address = listener.local_addr()?;
        let endpoint = Endpoint::new(&format!("http://{address}/v1"), None)?;
        let slots = match options.slots {
            Some(GivenSlots::Fixed(slots)) => Slots::Fixed(slots.get().into()),
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
            model: options.model.clone().unwrap_or_else(|| demo_vlm::MODEL.to_owned()),
            backends: vec![Backend::new(endpoint, slots)],
            stand_in: Some(StandIn { stop, task }),
        })
    }
}

fn backend(config: &BackendConfig) -> Backend {
    Backend {
        extra: config.extra_body.clone(),
        models: (!config.models.is_empty()).then(|| config.models.clone()),
        fairness_header: config.fairness_header,
        objective: config.objective.clone(),
        ..Backend::new(config.endpoint.clone(), slots(config.slots, &config.endpoint, None))
    }
}

/// What a server lists of what it is to be asked for, or why it does not.
async fn look(backend: &Backend, client: &Client) -> Result<Vec<Model>, Error> {
    let mut looked = client.models(&backend.endpoint, MODELS_TIMEOUT).await;
    match &mut looked {
        Ok(models) => models.retain(|model| backend.offers(&model.id)),
        Err(Error { kind: ErrorKind::Reply(Failure::NoApi { .. }), .. })
            if client.takes_questions(&backend.endpoint, MODELS_TIMEOUT).await =>
        {
            looked = Ok(Vec::new());
        }
        // It may come up later. Until then each session is told, and the log by whoever watches.
        Err(error) => tracing::debug!(%error, "a VLM server does not answer yet"),
    }
    looked
}

/// The model of the first server that lists one; empty if none does.
fn first_model(looked: &[Result<Vec<Model>, Error>]) -> String {
    let mut lists = looked.iter().flatten();
    let chosen = lists.find_map(|models| choose_model(models));
    chosen.map(|model| model.id.clone()).unwrap_or_default()
}

/// What to add about a server.
fn note(looked: &Result<Vec<Model>, Error>, wants_list: bool) -> String {
    match looked {
        Ok(models) if models.is_empty() && wants_list => " (it lists no model yet)".to_owned(),
        Ok(_) => String::new(),
        Err(error) => {
            let words = error.trouble().map_or("it does not answer yet", Trouble::words);
            format!(" ({words})")
        }
    }
}

/// How many questions a VLM server takes at once: as many as somebody says, or else found. It says
/// what kind it is when it is first asked.
fn slots(wanted: Option<GivenSlots>, endpoint: &Endpoint, kind: Option<ServerKind>) -> Slots {
    match wanted {
        Some(GivenSlots::Fixed(slots)) => Slots::Fixed(slots.get().into()),
        Some(GivenSlots::Auto) | None => Slots::Auto(endpoint.first_slots(kind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_server_from_being_asked_is_told_apart() {
        let (reason, status) = (String::new, 401);
        let notes = [
            ErrorKind::Refused,
            ErrorKind::Tls { reason: reason() },
            ErrorKind::NoKey { status, reason: reason() },
            Failure::Unauthorized { status, reason: reason() }.into(),
            Failure::NoApi { status, reason: reason() }.into(),
        ]
        .map(|kind| note(&Err(Error::new("", kind)), true));
        for (at, text) in notes.iter().enumerate() {
            assert!(!notes[..at].contains(text), "{text}");
        }
        assert_eq!(note(&Ok(Vec::new()), true), " (it lists no model yet)");
        assert_eq!(note(&Ok(Vec::new()), false), "");
    }
}
