//! What `cargo fuzz` calls; see `docs/security.md`. The tests replay its corpus.

use std::sync::Arc;

use crate::{
    Allowed, AnswerEvent, ChatRequest, Endpoint, Reach, adapt::Adaptation, models::ModelList,
    reader::Reader,
};

/// The body of an answer. The first byte says whether it is streamed, and in pieces of how many
/// bytes it arrives, which must make no difference.
///
/// # Panics
/// When it does make one, or anything follows an answer's end.
pub fn answer(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let streamed = first & 1 == 0;
    let in_pieces = read(streamed, body.chunks(usize::from(first >> 1) + 1));
    assert_eq!(in_pieces, read(streamed, std::iter::once(body)));
}

fn read<'a>(streamed: bool, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<AnswerEvent>, bool) {
    let Ok(endpoint) = Endpoint::new("http://vlm.invalid/v1", None) else { return (vec![], false) };
    let mut reader = if streamed { Reader::streamed(endpoint) } else { Reader::whole(endpoint) };
    let mut events = Vec::new();
    let mut failed = false;
    for piece in pieces {
        failed |= reader.feed(piece).is_err();
        events.extend(std::iter::from_fn(|| reader.next()));
    }
    failed |= reader.end().is_err();
    events.extend(std::iter::from_fn(|| reader.next()));
    let ends = events.iter().filter(|event| matches!(event, AnswerEvent::Done(_))).count();
    assert_eq!(ends, usize::from(!failed), "{events:?}");
    assert!(reader.has_ended());
    (joined(events), failed)
}

/// The same with the texts joined: how an answer is cut into pieces is the network's affair.
fn joined(events: Vec<AnswerEvent>) -> Vec<AnswerEvent> {
    let mut joined: Vec<AnswerEvent> = Vec::new();
    for event in events {
        match (joined.last_mut(), event) {
            (Some(AnswerEvent::Text(text)), AnswerEvent::Text(more))
            | (Some(AnswerEvent::Reasoning(text)), AnswerEvent::Reasoning(more)) => {
                text.push_str(&more);
            }
            (_, event) => joined.push(event),
        }
    }
    joined
}

/// The list of a server's models, and the text of an error.
pub fn models(data: &[u8]) {
    if let Ok(list) = serde_json::from_slice::<ModelList>(data) {
        crate::choose_model(&list.into_models());
    }
    assert!(crate::wire::error_text(data).chars().count() <= 301);
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
    use std::{fs, path::Path};

    fn replay(target: &str, run: impl Fn(&[u8])) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
        let files: Vec<_> =
            fs::read_dir(corpus).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(!files.is_empty());
        files.iter().for_each(|file| run(&fs::read(file).unwrap()));
    }

    #[test]
    fn the_corpus_is_read_as_it_should_be() {
        replay("answer", super::answer);
        replay("models", super::models);
        replay("pattern", super::pattern);
        replay("refusal", super::refusal);
    }
}
