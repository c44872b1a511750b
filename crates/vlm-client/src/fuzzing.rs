//! What `cargo fuzz` calls; see `docs/fuzzing.md`. The tests replay its corpus.

use std::sync::Arc;

use vlm_replies::{Fault, Secrets};

use crate::{
    adapt::Adaptation,
    endpoint::Endpoint,
    models,
    question::ChatRequest,
    reach::{Allowed, Reach},
};

fn endpoint() -> Endpoint {
    Endpoint::new("http://vlm.invalid/v1", None).expect("it is an address")
}

/// The list of a server's models, and the text of an error.
///
/// # Panics
/// When a model has an id that nobody can ask for, or an error says too much.
pub fn models(data: &[u8]) {
    if let Ok(models) = models::read(data, &endpoint()) {
        assert!(models.iter().all(|model| (1..=256).contains(&model.id.len())));
        assert_eq!(crate::choose_model(&models).is_none(), models.is_empty());
    }
    let error = Fault::in_body(&String::from_utf8_lossy(data));
    let error = endpoint().error(error.into_failure(&Secrets::default(), Some("m"), 400, None));
    assert!(error.to_string().chars().count() <= 700, "{error}");
}

/// What a server says when it refuses a request.
///
/// # Panics
/// When it could have one question asked in ever new forms.
pub fn refusal(data: &[u8]) {
    let request = ChatRequest {
        max_tokens: 512,
        temperature: Some(0.2),
        response_schema: Some(Arc::new(serde_json::Value::Null)),
        stream: true,
        user: "u".into(),
        ..ChatRequest::default()
    };
    let mut by = Adaptation::default();
    for _ in 0..10 {
        match by.after(400, data, &request) {
            Some(next) => by = next,
            None => return,
        }
    }
    panic!("{by:?}");
}

/// What an operator allows, and the address of an endpoint against it.
///
/// # Panics
/// When nothing is allowed and this host is reached all the same.
pub fn pattern(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.lines();
    let base = lines.next().unwrap_or_default();
    let allowed: Vec<Allowed> = lines.filter_map(|line| line.parse().ok()).collect();
    let none = Arc::new(Reach::Public(Vec::new()));
    if let Ok(endpoint) = Endpoint::foreign(base, None, none) {
        assert!(!endpoint.is_this_host(), "{base:?}");
        // More is never less.
        assert!(Endpoint::foreign(base, None, Arc::new(Reach::Public(allowed))).is_ok());
        assert!(
            Endpoint::new(endpoint.base(), None).is_ok_and(|own| own.base() == endpoint.base())
        );
    }
}

#[cfg(test)]
mod tests {
    use live_vlm_corpus::replay;

    #[test]
    fn the_corpus_is_read_as_it_should_be() {
        replay("models", super::models);
        replay("pattern", super::pattern);
        replay("refusal", super::refusal);
    }
}
