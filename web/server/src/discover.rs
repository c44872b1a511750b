//! Finding a VLM on this host.

use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;
use vlm_client::{Client, Endpoint, Model, choose_model};

const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// A kind of VLM server, and where it listens by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Service {
    /// What it is called.
    pub name: &'static str,
    /// The base address of its API.
    pub url: &'static str,
    /// Its port.
    pub port: u16,
    /// Where it lists its models.
    pub path: &'static str,
    /// Questions that it takes at once, unless it says otherwise.
    #[serde(skip)]
    slots: usize,
}

/// What other servers take at once.
const OTHER_SLOTS: usize = 4;

/// The services that are looked for, in order of preference.
pub const SERVICES: [Service; 4] = [
    service("Ollama", "http://localhost:11434/v1", 11434, 1),
    service("vLLM", "http://localhost:8000/v1", 8000, 8),
    service("SGLang", "http://localhost:30000/v1", 30000, 8),
    service("llama.cpp", "http://localhost:8080/v1", 8080, 1),
];

const fn service(name: &'static str, url: &'static str, port: u16, slots: usize) -> Service {
    Service { name, url, port, path: "/v1/models", slots }
}

/// A service that answers, and what it lists.
#[derive(Debug, Clone)]
pub struct Found {
    /// Which.
    pub service: Service,
    /// Its models.
    pub models: Vec<Model>,
}

/// Asks all services at once; those that answer, in order of preference.
pub async fn detect(client: &Client) -> Vec<Found> {
    let probes = SERVICES.map(|service| async move {
        let endpoint = Endpoint::new(service.url, None).ok()?;
        let models = client.models(&endpoint, PROBE_TIMEOUT).await.ok()?;
        Some(Found { service, models })
    });
    join_all(probes).await.into_iter().flatten().collect()
}

/// The service and model to use: the first with a vision model.
pub fn choose(found: &[Found]) -> Option<(&Service, &Model)> {
    found.iter().find_map(|found| {
        let model = choose_model(&found.models).filter(|model| model.vision)?;
        Some((&found.service, model))
    })
}

/// How many questions the server at `endpoint` takes at once, by its kind.
pub fn slots(endpoint: &Endpoint) -> usize {
    SERVICES
        .iter()
        .find(|service| is_port_of(endpoint, service.port))
        .map_or(OTHER_SLOTS, |service| service.slots)
}

fn is_port_of(endpoint: &Endpoint, port: u16) -> bool {
    url::Url::parse(endpoint.base()).is_ok_and(|url| url.port_or_known_default() == Some(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(at: usize, models: &[(&str, bool)]) -> Found {
        let models =
            models.iter().map(|(id, vision)| Model { id: (*id).into(), vision: *vision }).collect();
        Found { service: SERVICES[at], models }
    }

    #[test]
    fn a_vision_model_anywhere_is_preferred_to_a_text_model_of_the_first_service() {
        let all = [found(0, &[("llama3", false)]), found(1, &[("x", false), ("qwen-vl", true)])];
        let (service, model) = choose(&all).unwrap();
        assert_eq!((service.name, model.id.as_str()), ("vLLM", "qwen-vl"));
    }

    #[test]
    fn text_models_alone_are_no_vlm() {
        assert!(choose(&[found(0, &[("llama3", false)])]).is_none());
        assert!(choose(&[]).is_none());
    }

    #[test]
    fn slots_go_by_the_kind_of_server() {
        let slots = |base| slots(&Endpoint::new(base, None).unwrap());
        assert_eq!(slots("http://gpu:11434/v1"), 1);
        assert_eq!(slots("http://gpu:8000/v1"), 8);
        assert_eq!(slots("https://api.example/v1"), 4);
    }
}
