//! Finding a VLM on this host.

use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;
use vlm_client::{Client, Endpoint, Error, ErrorKind, Listed, Model, ServerKind, choose_model};

const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Where a VLM server may listen on this host, and what that is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Service {
    /// What it is called: by what it says of itself, or else by whoever uses this port by default.
    pub name: &'static str,
    /// The base address of its API.
    pub url: &'static str,
    /// Its port.
    pub port: u16,
    /// Where it lists its models.
    pub path: &'static str,
}

/// The services that are looked for, in order of preference.
pub const SERVICES: [Service; 4] = [
    service("Ollama", "http://localhost:11434/v1", 11434),
    service("vLLM", "http://localhost:8000/v1", 8000),
    service("SGLang", "http://localhost:30000/v1", 30000),
    service("llama.cpp", "http://localhost:8080/v1", 8080),
];

const fn service(name: &'static str, url: &'static str, port: u16) -> Service {
    Service { name, url, port, path: "/v1/models" }
}

/// A service that answers, and what it lists.
#[derive(Debug, Clone)]
pub struct Found {
    /// Which.
    pub service: Service,
    /// What it says that it is.
    pub kind: Option<ServerKind>,
    /// Its models.
    pub models: Vec<Model>,
}

impl Found {
    fn new(service: Service, listed: Listed, kind: Option<ServerKind>) -> Self {
        // Somebody else may be at a port that one is known for.
        let name = kind.map_or("a VLM server", ServerKind::name);
        Self { service: Service { name, ..service }, kind, models: listed.models }
    }
}

/// Asks all services at once; those that answer, in order of preference.
pub async fn detect(client: &Client) -> Vec<Found> {
    let probes = SERVICES.map(|service| async move {
        let endpoint = Endpoint::new(service.url, None).ok()?;
        let listed = match client.listed(&endpoint, PROBE_TIMEOUT).await {
            Ok(listed) => listed,
            // Mostly there is nobody.
            Err(Error { kind: ErrorKind::Refused, .. }) => return None,
            Err(error) => {
                tracing::warn!(%error, "there is something at {}, which is not asked", service.url);
                return None;
            }
        };
        let kind = match listed.kind {
            Some(kind) => Some(kind),
            None => client.figures(&endpoint, PROBE_TIMEOUT).await.and_then(|says| says.kind),
        };
        Some(Found::new(service, listed, kind))
    });
    join_all(probes).await.into_iter().flatten().collect()
}

/// The service and model to use: the first with a vision model.
pub fn choose(found: &[Found]) -> Option<(&Found, &Model)> {
    found.iter().find_map(|found| {
        let model = choose_model(&found.models).filter(|model| model.vision)?;
        Some((found, model))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(at: usize, models: &[(&str, bool)]) -> Found {
        let models =
            models.iter().map(|(id, vision)| Model { id: (*id).into(), vision: *vision }).collect();
        Found { service: SERVICES[at], kind: None, models }
    }

    #[test]
    fn a_vision_model_anywhere_is_preferred_to_a_text_model_of_the_first_service() {
        let all = [found(0, &[("llama3", false)]), found(1, &[("x", false), ("qwen-vl", true)])];
        let (found, model) = choose(&all).unwrap();
        assert_eq!((found.service.port, model.id.as_str()), (8000, "qwen-vl"));
    }

    #[test]
    fn text_models_alone_are_no_vlm() {
        assert!(choose(&[found(0, &[("llama3", false)])]).is_none());
        assert!(choose(&[]).is_none());
    }

    #[test]
    fn a_service_is_called_what_it_says_and_not_what_its_port_is_known_for() {
        let at_8000 = |kind| Found::new(SERVICES[1], Listed::default(), kind).service.name;
        assert_eq!(at_8000(Some(ServerKind::LlamaCpp)), "llama.cpp");
        assert_eq!(at_8000(None), "a VLM server");
    }
}
