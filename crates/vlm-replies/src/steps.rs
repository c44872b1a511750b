//! The steps of an answer that are known and not taken yet. Pure.

use std::{collections::VecDeque, mem};

use super::{
    event::{AnswerEvent, Summary},
    thinking::Piece,
};

/// The steps that are known.
#[derive(Default)]
pub(super) struct Steps {
    ready: VecDeque<AnswerEvent>,
    /// How many of them are texts.
    texts: usize,
    /// Whether there is anything to be seen of an answer, and any thought.
    pub(super) has_text: bool,
    pub(super) has_thought: bool,
    /// Whether any text of the answer was taken.
    is_taken: bool,
}

impl Steps {
    /// The next one.
    pub(super) fn next(&mut self) -> Option<AnswerEvent> {
        let step = self.ready.pop_front();
        if let Some(AnswerEvent::Text(_)) = step {
            self.texts -= 1;
            self.is_taken = true;
        }
        step
    }

    /// Adds the last one.
    pub(super) fn end(&mut self, summary: Summary) {
        self.ready.push_back(AnswerEvent::Done(summary));
    }

    /// Adds a piece of what the model writes.
    pub(super) fn give(&mut self, piece: Piece) {
        // C strings end at a zero.
        let plain =
            |text: String| if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text };
        let step = match piece {
            Piece::Answer(text) => {
                self.has_text = self.has_text || text.chars().any(|c| !c.is_whitespace());
                self.texts += 1;
                AnswerEvent::Text(plain(text))
            }
            Piece::Reasoning(text) => {
                self.has_thought = true;
                AnswerEvent::Reasoning(plain(text))
            }
            Piece::TakenBack => {
                (self.has_text, self.has_thought) = (false, true);
                // What nobody has seen yet needs not be taken back.
                for step in self.ready.iter_mut().rev() {
                    if self.texts == 0 {
                        break;
                    }
                    if let AnswerEvent::Text(text) = step {
                        *step = AnswerEvent::Reasoning(mem::take(text));
                        self.texts -= 1;
                    }
                }
                if mem::take(&mut self.is_taken) {
                    self.ready.push_front(AnswerEvent::TakenBack);
                }
                return;
            }
        };
        self.ready.push_back(step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> AnswerEvent {
        AnswerEvent::Text(text.into())
    }

    #[test]
    fn only_what_was_taken_is_taken_back() {
        let mut steps = Steps::default();
        steps.give(Piece::Answer("a\0".into()));
        steps.give(Piece::TakenBack);
        assert!(!steps.has_text && steps.has_thought);
        assert_eq!(steps.next(), Some(AnswerEvent::Reasoning("a\u{FFFD}".into())));
        steps.give(Piece::Answer("b".into()));
        assert_eq!(steps.next(), Some(text("b")));
        steps.give(Piece::TakenBack);
        steps.give(Piece::Answer("c".into()));
        assert_eq!(steps.next(), Some(AnswerEvent::TakenBack));
        assert_eq!((steps.next(), steps.has_text), (Some(text("c")), true));
        steps.end(Summary::default());
        assert!(matches!(steps.next(), Some(AnswerEvent::Done(_))));
        assert_eq!(steps.next(), None);
    }
}
