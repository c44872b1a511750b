//! What the session is told of its questions.

use std::sync::Arc;

use live_vlm_ask::{Answer, CANCELLED, Told};

use super::AskEvent;
use crate::session::answers::{AnswerError, Piece};

/// Tells the session something. It does not block.
pub(super) type Report = Arc<dyn Fn(AskEvent) + Send + Sync>;

/// Tells the session what becomes of its questions. What an answer costs here grows with its
/// length, however many pieces it comes in.
pub(super) struct Telling {
    tell: Report,
    /// An answer of which something was told, and not the end: its text as far as it was told.
    begun: Option<Answer>,
    /// So many UTF-16 units were told of it.
    units: u64,
}

impl Telling {
    /// `tell` must not block.
    pub(super) fn new(tell: impl Fn(AskEvent) + Send + Sync + 'static) -> Self {
        Self { tell: Arc::new(tell), begun: None, units: 0 }
    }

    /// For telling something beside this.
    pub(super) fn reporter(&self) -> Report {
        Arc::clone(&self.tell)
    }

    pub(super) fn report(&self, event: AskEvent) {
        (self.tell)(event);
    }

    /// The question was dropped. Whoever has seen its answer's beginning is told that no end will
    /// come.
    pub(super) fn cancelled(&mut self) {
        if let Some(begun) = self.begun.take() {
            let finish_reason = CANCELLED.to_owned();
            let cancelled = Answer { done: true, finish_reason, ..begun };
            self.report(AskEvent::Answer(Box::new(cancelled)));
        }
    }

    /// Something has become of a question.
    pub(super) fn tell(&mut self, answer: &Answer, told: Told<'_>) {
        if let Told::SoFar = told {
            return self.tell_so_far(answer);
        }
        self.begun = None;
        match told {
            Told::Complete => self.report(AskEvent::Answer(Box::new(answer.clone()))),
            Told::Cancelled if answer.is_begun() => {
                self.report(AskEvent::Answer(Box::new(answer.clone())));
            }
            Told::Worthless(failure) => self.report(AskEvent::Failed(AnswerError {
                seq: answer.seq,
                kind: failure.kind,
                message: failure.message.clone(),
                retry_in_ms: 0,
                limit: None,
            })),
            Told::Asked | Told::SoFar | Told::Cancelled | Told::Missed => {}
        }
    }

    fn tell_so_far(&mut self, answer: &Answer) {
        let begun = self.begun.get_or_insert_with(|| {
            self.units = 0;
            Answer {
                seq: answer.seq,
                model: answer.model.clone(),
                api_base: answer.api_base.clone(),
                prompt: answer.prompt.clone(),
                ..Answer::default()
            }
        });
        if answer.retracted {
            begun.text.clear();
            self.units = 0;
        }
        begun.text.push_str(&answer.delta);
        begun.age_ms = answer.age_ms;
        begun.first_token_ms = answer.first_token_ms;
        begun.latency_ms = answer.latency_ms;
        begun.tokens_out = answer.tokens_out;
        if answer.delta.is_empty() && !answer.retracted {
            return;
        }
        let offset = self.units;
        self.units += answer.delta.encode_utf16().count() as u64;
        self.report(AskEvent::Piece(Piece {
            seq: answer.seq,
            offset,
            delta: answer.delta.clone(),
            model: answer.model.clone(),
            age_ms: answer.age_ms,
            first_token_ms: answer.first_token_ms,
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    type AllTold = Arc<Mutex<Vec<AskEvent>>>;

    fn telling() -> (Telling, AllTold) {
        let told = AllTold::default();
        let to = Arc::clone(&told);
        (Telling::new(move |event| to.lock().unwrap().push(event)), told)
    }

    fn piece(text: &str, delta: &str) -> Answer {
        Answer { seq: 1, text: text.into(), delta: delta.into(), ..Answer::default() }
    }

    /// Offset and text of each piece that was told.
    fn pieces(told: &AllTold) -> Vec<(u64, String)> {
        let told = told.lock().unwrap();
        let pieces = told.iter().map(|event| match event {
            AskEvent::Piece(piece) => (piece.offset, piece.delta.clone()),
            other => panic!("{other:?}"),
        });
        pieces.collect()
    }

    #[test]
    fn pieces_carry_their_place_in_utf16() {
        let (mut telling, told) = telling();
        telling.tell(&piece("a 🦀", "a 🦀"), Told::SoFar);
        telling.tell(&piece("a 🦀", ""), Told::SoFar);
        telling.tell(&piece("a 🦀 cr", " cr"), Told::SoFar);
        assert_eq!(pieces(&told), [(0, "a 🦀".into()), (4, " cr".into())]);
        telling.tell(&piece("", ""), Told::Missed);
        told.lock().unwrap().clear();
        telling.tell(&piece("b", "b"), Told::SoFar);
        assert_eq!(pieces(&told), [(0, "b".into())]);
    }

    #[test]
    fn what_is_taken_back_is_told_even_if_nothing_takes_its_place() {
        let (mut telling, told) = telling();
        telling.tell(&piece("Let me", "Let me"), Told::SoFar);
        telling.tell(&Answer { retracted: true, ..piece("", "") }, Told::SoFar);
        telling.tell(&piece("A cat", "A cat"), Told::SoFar);
        let expected = [(0, "Let me".into()), (0, String::new()), (0, "A cat".into())];
        assert_eq!(pieces(&told), expected);
    }

    #[test]
    fn whoever_has_seen_the_beginning_is_told_that_no_end_will_come() {
        let (mut telling, told) = telling();
        telling.cancelled();
        assert!(told.lock().unwrap().is_empty());
        telling.tell(&piece("A c", "A c"), Told::SoFar);
        telling.tell(&piece("A cat", "at"), Told::SoFar);
        telling.cancelled();
        telling.cancelled();
        let told = told.lock().unwrap();
        let [.., AskEvent::Piece(_), AskEvent::Answer(whole)] = &told[..] else {
            panic!("{told:?}")
        };
        assert_eq!((whole.text.as_str(), whole.finish_reason.as_str()), ("A cat", CANCELLED));
    }

    #[test]
    fn an_answer_in_many_pieces_costs_as_much_as_it_is_long() {
        const PIECES: u64 = 200_000;
        let mut telling = Telling::new(|_| {});
        // Looking at all of the text with each piece would be 400 GB.
        let mut answer = Answer { seq: 1, ..piece("", "a 🦀 runs. ") };
        for _ in 0..PIECES {
            let delta = answer.delta.clone();
            answer.text.push_str(&delta);
            telling.tell(&answer, Told::SoFar);
        }
        assert_eq!(telling.units, PIECES * 11);
        let begun = telling.begun.unwrap();
        assert_eq!(begun.text, answer.text);
    }
}
