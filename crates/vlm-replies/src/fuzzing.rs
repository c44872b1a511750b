//! What `cargo fuzz` calls; see `docs/security.md`. The tests replay its corpus.

use crate::{
    event::{AnswerEvent, Summary},
    reader::Reader,
    secrets::Secrets,
    thinking::{Piece, Thinking},
};

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
    let mut reader = Reader::new(Secrets::default(), "m".into());
    let mut came = Came::default();
    for piece in pieces {
        came.has_failed |= reader.feed(piece).is_err();
        std::iter::from_fn(|| reader.step()).for_each(|event| came.take(event));
    }
    came.has_failed |= reader.end().is_err();
    std::iter::from_fn(|| reader.step()).for_each(|event| came.take(event));
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

#[cfg(test)]
mod tests {
    use live_vlm_corpus::replay;

    #[test]
    fn the_corpus_is_read_as_it_should_be() {
        replay("answer", super::answer);
        replay("thoughts", super::thoughts);
    }
}
