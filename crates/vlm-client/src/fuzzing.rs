//! What `cargo fuzz` calls; see `docs/fuzzing.md`. The tests replay its corpus.

use std::sync::Arc;

use crate::{
    Allowed, AnswerEvent, ChatRequest, Endpoint, Reach, Summary,
    adapt::Adaptation,
    models,
    reading::{
        fault::Fault,
        reader::Reader,
        thinking::{Piece, Thinking},
    },
};

fn endpoint() -> Endpoint {
    Endpoint::new("http://vlm.invalid/v1", None).expect("it is an address")
}

/// The body of an answer. The first byte says in pieces of how many bytes it arrives, which must
/// make no difference.
///
/// # Panics
/// When it does make one, or anything follows an answer's end.
pub fn answer(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let in_pieces = read(body.chunks(usize::from(first >> 1) + 1));
    assert_eq!(in_pieces, read(std::iter::once(body)));
}

/// What has come of an answer. How it is cut into pieces is the network's affair, and in which order
/// thoughts are told that were taken back.
#[derive(Debug, Default, PartialEq)]
struct Came {
    text: String,
    thought_bytes: usize,
    summary: Option<Summary>,
    has_failed: bool,
}

impl Came {
    fn take(&mut self, event: AnswerEvent) {
        assert!(self.summary.is_none(), "something follows the end");
        match event {
            AnswerEvent::Text(text) => self.text += &text,
            AnswerEvent::Reasoning(text) => self.thought_bytes += text.len(),
            AnswerEvent::TakenBack => self.thought_bytes += std::mem::take(&mut self.text).len(),
            AnswerEvent::Done(summary) => {
                assert!(!self.text.trim().is_empty(), "an answer has a text");
                self.summary = Some(summary);
            }
        }
    }
}

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Came {
    let mut reader = Reader::new(endpoint(), "m".into());
    let mut came = Came::default();
    for piece in pieces {
        came.has_failed |= reader.feed(piece).is_err();
        std::iter::from_fn(|| reader.next()).for_each(|event| came.take(event));
    }
    came.has_failed |= reader.end().is_err();
    std::iter::from_fn(|| reader.next()).for_each(|event| came.take(event));
    assert_eq!(came.summary.is_none(), came.has_failed, "{came:?}");
    assert!(reader.has_ended());
    came
}

/// What a model writes, with its thoughts and marks, in pieces of as many characters as the first
/// byte says, which must make no difference.
///
/// # Panics
/// When it does make one, or more is said than was written.
pub fn thoughts(data: &[u8]) {
    let Some((first, text)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(text);
    let characters: Vec<char> = text.chars().collect();
    let pieces = characters.chunks(usize::from(first >> 3) + 1);
    let in_pieces = think(pieces.map(|piece| piece.iter().collect()));
    assert_eq!(in_pieces, think(std::iter::once(text.clone().into_owned())));
    assert!(in_pieces.0.len() + in_pieces.1 <= text.len());
}

/// The answer, and how much was thought.
fn think(pieces: impl Iterator<Item = String>) -> (String, usize) {
    let (mut answer, mut thought) = (String::new(), 0);
    let mut give = |piece| match piece {
        Piece::Answer(text) => {
            assert!(!text.is_empty());
            answer += &text;
        }
        Piece::Reasoning(text) => thought += text.len(),
        Piece::TakenBack => thought += std::mem::take(&mut answer).len(),
    };
    let mut thinking = Thinking::default();
    pieces.for_each(|piece| thinking.feed(&piece, &mut give));
    thinking.end(&mut give);
    (answer, thought)
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
    let error = error.into_error(&endpoint(), Some("m"), 400, None);
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
        replay("thoughts", super::thoughts);
        replay("pattern", super::pattern);
        replay("refusal", super::refusal);
    }
}
