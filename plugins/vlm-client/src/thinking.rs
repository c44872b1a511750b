//! Tells what a model thinks from what it answers, where it writes both into one text: between
//! `<think>` and `</think>` at the beginning. Nothing in here does I/O.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// A piece of what a model writes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Of the answer.
    Answer(String),
    /// Of what goes before it.
    Reasoning(String),
}

/// Splits a text that comes in pieces of any size. It holds back no more than what may be the
/// beginning of a tag.
#[derive(Debug, Default)]
pub(crate) struct Thinking {
    state: State,
    held: String,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing but white space came so far.
    #[default]
    Beginning,
    Inside,
    /// Behind the closing tag: the white space between it and the answer belongs to neither.
    Between,
    Answer,
}

impl Thinking {
    /// Takes a piece of the text; gives what is known of it then.
    pub(crate) fn feed(&mut self, text: &str) -> Vec<Piece> {
        self.held.push_str(text);
        let mut pieces = Vec::new();
        loop {
            let before = self.state;
            self.step(&mut pieces);
            if self.state == before {
                return pieces;
            }
        }
    }

    /// The text has ended.
    pub(crate) fn end(&mut self) -> Option<Piece> {
        let held = std::mem::take(&mut self.held);
        match self.state {
            _ if held.is_empty() => None,
            State::Inside => Some(Piece::Reasoning(held)),
            State::Beginning | State::Answer => Some(Piece::Answer(held)),
            State::Between => None,
        }
    }

    fn step(&mut self, pieces: &mut Vec<Piece>) {
        match self.state {
            State::Beginning => {
                let text = self.held.trim_start();
                if let Some(rest) = text.strip_prefix(OPEN) {
                    self.held = rest.to_owned();
                    self.state = State::Inside;
                } else if !OPEN.starts_with(text) {
                    self.state = State::Answer;
                }
            }
            State::Inside => match self.held.split_once(CLOSE) {
                Some((thought, rest)) => {
                    let (thought, rest) = (thought.to_owned(), rest.to_owned());
                    self.held = rest;
                    self.state = State::Between;
                    give(pieces, Piece::Reasoning, thought);
                }
                None => {
                    let known = self.held.len() - beginning_of_tag(&self.held);
                    let rest = self.held.split_off(known);
                    give(pieces, Piece::Reasoning, std::mem::replace(&mut self.held, rest));
                }
            },
            State::Between => {
                self.held = self.held.trim_start().to_owned();
                if !self.held.is_empty() {
                    self.state = State::Answer;
                }
            }
            State::Answer => give(pieces, Piece::Answer, std::mem::take(&mut self.held)),
        }
    }
}

/// How many bytes at the end of a text may be the beginning of the closing tag.
fn beginning_of_tag(text: &str) -> usize {
    (1..CLOSE.len()).rev().find(|length| text.ends_with(&CLOSE[..*length])).unwrap_or(0)
}

fn give(pieces: &mut Vec<Piece>, kind: fn(String) -> Piece, text: String) {
    if !text.is_empty() {
        pieces.push(kind(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is thought and what is answered, however the text is cut.
    fn split(text: &str) -> (String, String) {
        let mut results: Vec<(String, String)> = (1..=text.len().max(1))
            .map(|size| {
                let mut thinking = Thinking::default();
                let (mut thought, mut answer) = (String::new(), String::new());
                let letters: Vec<char> = text.chars().collect();
                let mut pieces: Vec<Piece> = letters
                    .chunks(size)
                    .flat_map(|chunk| thinking.feed(&chunk.iter().collect::<String>()))
                    .collect();
                pieces.extend(thinking.end());
                for piece in pieces {
                    match piece {
                        Piece::Reasoning(text) => thought += &text,
                        Piece::Answer(text) => answer += &text,
                    }
                }
                (thought, answer)
            })
            .collect();
        results.dedup();
        assert_eq!(results.len(), 1, "{results:?}");
        results.remove(0)
    }

    #[test]
    fn what_is_thought_is_told_from_the_answer_however_it_is_cut() {
        for (text, thought, answer) in [
            ("A cup.", "", "A cup."),
            ("<think>A cup? Yes.</think>\n\nA cup.", "A cup? Yes.", "A cup."),
            ("\n <think>\nHm < 3 </thin </think>A cup.", "\nHm < 3 </thin ", "A cup."),
            ("<think></think>A <think> tag.", "", "A <think> tag."),
            ("A <think>tag</think>.", "", "A <think>tag</think>."),
            ("<think>It never ends", "It never ends", ""),
            ("<think>It is cut </th", "It is cut </th", ""),
            ("<thi", "", "<thi"),
            ("  ", "", "  "),
            ("", "", ""),
            ("<think>ä</think>ö", "ä", "ö"),
        ] {
            assert_eq!(split(text), (thought.to_owned(), answer.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn an_answer_without_thoughts_is_not_held_back() {
        assert_eq!(Thinking::default().feed("A"), [Piece::Answer("A".into())]);
        assert_eq!(Thinking::default().feed("<"), []);
    }
}
