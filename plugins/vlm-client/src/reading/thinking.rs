//! Tells what a model thinks from what it answers, where it writes both into one text with
//! [marks](super::marks) between them, and takes those and the marks of its answer's end out. Nothing in here
//! does I/O.

use super::marks::{Found, Mark, at_beginning, next_place};

/// A piece of what a model writes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Of the answer.
    Answer(String),
    /// Of what goes before it.
    Reasoning(String),
    /// All pieces of the answer so far were thought: a late mark shows it.
    TakenBack,
}

/// Splits a text that comes in pieces of any size. It holds back no more than what may be the
/// beginning of a mark, or what is to be left out at the end of the text.
#[derive(Debug, Default)]
pub(crate) struct Thinking {
    state: State,
    held: String,
    /// What is left out at the end of the text, and said if more follows.
    tail: String,
    /// Whether anything that can be seen was answered.
    has_answered: bool,
    /// The last character that was answered, and that was thought.
    last: Option<char>,
    last_thought: Option<char>,
    /// Whether thoughts came between two marks.
    has_thought: bool,
    /// Whether what was answered is taken back once more is answered.
    takes_back: bool,
    /// Whether it is kept if nothing more is answered.
    keeps: bool,
    /// Whether `<answer>` has come.
    in_answer: bool,
    /// Tags for thoughts that were read as text.
    tags_as_text: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing but white space came so far.
    #[default]
    Beginning,
    /// Thoughts.
    Inside,
    /// The same, where all that is left of gpt-oss' marks are their words.
    InsideWords,
    /// So many bytes of the first of these words were answered.
    Word(usize),
    /// Behind a mark: the white space between it and the answer belongs to neither.
    Between,
    Answer,
    /// The answer is over, unless more parts may follow.
    Over {
        for_good: bool,
    },
}

/// What is left of `<|channel|>analysis<|message|>`, and of what ends it.
const WORD_OPEN: &str = "analysis";
const WORD_FINAL: &str = "assistantfinal";

impl Thinking {
    /// Takes a piece of the text; gives what is known of it then.
    pub(crate) fn feed(&mut self, text: &str, give: &mut impl FnMut(Piece)) {
        let is_plain = self.state == State::Answer
            && self.held.is_empty()
            && self.tail.is_empty()
            && !self.in_answer
            && next_place(text).is_none();
        if is_plain {
            self.say(text, give);
            return;
        }
        self.held.push_str(text);
        while self.step(false, give) {}
    }

    /// The text has ended.
    pub(crate) fn end(&mut self, give: &mut impl FnMut(Piece)) {
        while self.step(true, give) {}
        let held = std::mem::take(&mut self.held);
        if self.state == State::Beginning && !held.is_empty() {
            give(Piece::Answer(held));
        }
        if std::mem::take(&mut self.takes_back) && !self.keeps {
            give(Piece::TakenBack);
        }
        self.tail.clear();
    }

    /// Goes one mark further; false if that takes more text.
    fn step(&mut self, is_all: bool, give: &mut impl FnMut(Piece)) -> bool {
        match self.state {
            State::Beginning | State::Between => self.step_before(is_all, give),
            State::Inside => self.step_inside(is_all, give),
            State::InsideWords => self.step_inside_words(is_all, give),
            State::Word(known) => self.step_word(known, is_all, give),
            State::Answer => self.step_answer(0, is_all, give),
            State::Over { for_good } => self.step_over(for_good, is_all),
        }
    }

    fn step_before(&mut self, is_all: bool, give: &mut impl FnMut(Piece)) -> bool {
        let text = self.held.trim_start();
        let space = self.held.len() - text.len();
        if text.is_empty() {
            return false;
        }
        let mark = match at_beginning(text, is_all) {
            Found::Perhaps => return false,
            Found::Nothing => None,
            Found::Mark(_, Mark::AnswerOpen { after_thoughts: true }) if !self.has_thought => None,
            Found::Mark(length, mark) => Some((length, mark)),
        };
        if let Some((length, mark)) = mark {
            self.held.drain(..space + length);
            self.pass(mark);
            return true;
        }
        if self.state == State::Beginning && space == 0 && text.starts_with(&WORD_OPEN[..1]) {
            self.state = State::Word(0);
            return true;
        }
        if std::mem::take(&mut self.takes_back) {
            self.take_back(give);
        }
        // Between two parts of an answer there is white space on one side at least.
        let is_apart = self.last.is_none_or(char::is_whitespace);
        if self.state == State::Between && is_apart {
            self.held.drain(..space);
        }
        self.state = State::Answer;
        // What is no mark here is none.
        let first = self.held.len() - self.held.trim_start().len();
        self.step_answer(self.after(first), is_all, give)
    }

    fn take_back(&mut self, give: &mut impl FnMut(Piece)) {
        give(Piece::TakenBack);
        (self.last, self.has_answered) = (None, false);
        self.tail.clear();
    }

    /// A first word that may be all that is left of a mark is answered, and taken back if it is.
    fn step_word(&mut self, known: usize, is_all: bool, give: &mut impl FnMut(Piece)) -> bool {
        let same = self.held.bytes().zip(WORD_OPEN[known..].bytes());
        let same = same.take_while(|(said, word)| said == word).count();
        let is_word = known + same == WORD_OPEN.len();
        match self.held[same..].chars().next() {
            None if !is_all => {
                self.say_held(same, give);
                self.state = State::Word(known + same);
                return false;
            }
            Some(c) if is_word && c.is_uppercase() => {
                self.say_held(same, give);
                self.take_back(give);
                self.state = State::InsideWords;
            }
            _ => self.state = State::Answer,
        }
        true
    }

    /// Where the character behind that at `at` is.
    fn after(&self, at: usize) -> usize {
        at + self.held[at..].chars().next().map_or(1, char::len_utf8)
    }

    /// A mark before the answer, or between two parts of it.
    fn pass(&mut self, mark: Mark) {
        match mark {
            Mark::Open { .. } => self.state = State::Inside,
            Mark::Close => self.close(),
            Mark::Final => self.begin_anew(),
            Mark::AnswerOpen { .. } => {
                self.in_answer = true;
                self.state = State::Between;
            }
            Mark::AnswerClose => self.in_answer = false,
            Mark::End if self.has_answered => self.state = State::Over { for_good: true },
            Mark::PartEnd if self.has_answered => self.state = State::Over { for_good: false },
            Mark::End | Mark::PartEnd | Mark::Nothing | Mark::Tail => {}
        }
    }

    fn close(&mut self) {
        self.has_thought = true;
        self.state = State::Between;
    }

    /// All before the answer that begins now was thought.
    fn begin_anew(&mut self) {
        self.takes_back |= self.has_answered;
        self.keeps = false;
        self.close();
    }

    fn step_inside(&mut self, is_all: bool, give: &mut impl FnMut(Piece)) -> bool {
        let mut from = 0;
        loop {
            let Some(at) = next_place(&self.held[from..]).map(|at| from + at) else {
                self.think_held(self.held.len(), give);
                return false;
            };
            let (length, mark) = match at_beginning(&self.held[at..], is_all) {
                Found::Mark(length, mark) => (length, mark),
                Found::Perhaps => {
                    self.think_held(at, give);
                    return false;
                }
                Found::Nothing => {
                    from = self.after(at);
                    continue;
                }
            };
            let before = self.held[..at].chars().next_back().or(self.last_thought);
            match mark {
                Mark::Close if before != Some('`') => {}
                Mark::Final | Mark::End | Mark::PartEnd => {}
                _ => {
                    from = at + length;
                    continue;
                }
            }
            self.think_held(at, give);
            self.held.drain(..length);
            match mark {
                Mark::Final => self.begin_anew(),
                Mark::End => self.state = State::Over { for_good: true },
                _ => self.close(),
            }
            return true;
        }
    }

    fn step_inside_words(&mut self, is_all: bool, give: &mut impl FnMut(Piece)) -> bool {
        if let Some(at) = self.held.find(WORD_FINAL) {
            self.think_held(at, give);
            self.held.drain(..WORD_FINAL.len());
            self.close();
            return true;
        }
        let may_begin = |length: &usize| self.held.ends_with(&WORD_FINAL[..*length]);
        let kept = (1..WORD_FINAL.len()).rev().find(may_begin).filter(|_| !is_all);
        self.think_held(self.held.len() - kept.unwrap_or(0), give);
        false
    }

    /// Marks before `from` are text.
    fn step_answer(&mut self, mut from: usize, is_all: bool, give: &mut impl FnMut(Piece)) -> bool {
        loop {
            let Some(at) = next_place(&self.held[from..]).map(|at| from + at) else {
                self.say_held(self.held.len(), give);
                return false;
            };
            let (length, mark) = match at_beginning(&self.held[at..], is_all) {
                Found::Mark(length, mark) => (length, mark),
                Found::Perhaps => {
                    self.say_held(at, give);
                    return false;
                }
                Found::Nothing => {
                    from = self.after(at);
                    continue;
                }
            };
            let said = self.tail.chars().next_back().or(self.last);
            let before = self.held[..at].chars().next_back().or(said);
            let after = self.held[at + length..].chars().next();
            let begins_line = before.is_none_or(|c| c == '\n');
            let is_text = match mark {
                Mark::Open { is_tag } => {
                    let is_text = is_tag && !begins_line;
                    self.tags_as_text += usize::from(is_text);
                    is_text
                }
                Mark::Close if self.tags_as_text > 0 => {
                    self.tags_as_text -= 1;
                    true
                }
                Mark::Close if before == Some('`') => true,
                // The second end of thoughts is less sure than the first.
                Mark::Close if self.has_thought && !begins_line => {
                    if after.is_none() && !is_all {
                        self.say_held(at, give);
                        return false;
                    }
                    after.is_some_and(|c| c != '\n')
                }
                Mark::AnswerOpen { after_thoughts } => {
                    !begins_line || (after_thoughts && !self.has_thought)
                }
                _ => false,
            };
            if is_text {
                from = at + length;
                continue;
            }
            self.say_held(at, give);
            let mark_text: String = self.held.drain(..length).collect();
            match mark {
                Mark::Open { .. } => self.state = State::Inside,
                Mark::Close => {
                    self.takes_back |= self.has_answered;
                    self.keeps = self.has_thought;
                    self.close();
                }
                Mark::Final => self.begin_anew(),
                Mark::AnswerOpen { .. } => self.in_answer = true,
                Mark::AnswerClose if self.in_answer => {
                    self.in_answer = false;
                    self.tail.clear();
                    self.state = State::Between;
                }
                Mark::AnswerClose | Mark::Tail => self.tail.push_str(&mark_text),
                Mark::End => self.state = State::Over { for_good: true },
                Mark::PartEnd => self.state = State::Over { for_good: false },
                Mark::Nothing => {}
            }
            return true;
        }
    }

    fn step_over(&mut self, for_good: bool, is_all: bool) -> bool {
        let mut from = 0;
        while let Some(at) = next_place(&self.held[from..]).filter(|_| !for_good) {
            let at = from + at;
            match at_beginning(&self.held[at..], is_all) {
                Found::Mark(length, mark @ (Mark::Final | Mark::Open { is_tag: false })) => {
                    self.held.drain(..at + length);
                    self.pass(mark);
                    return true;
                }
                Found::Perhaps => {
                    self.held.drain(..at);
                    return false;
                }
                Found::Mark(length, _) => from = at + length,
                Found::Nothing => {
                    from = self.after(at);
                }
            }
        }
        self.held.clear();
        false
    }

    fn think_held(&mut self, length: usize, give: &mut impl FnMut(Piece)) {
        if length > 0 {
            let thought: String = self.held.drain(..length).collect();
            self.last_thought = thought.chars().next_back();
            give(Piece::Reasoning(thought));
        }
    }

    fn say_held(&mut self, length: usize, give: &mut impl FnMut(Piece)) {
        let rest = self.held.split_off(length);
        let text = std::mem::replace(&mut self.held, rest);
        self.say(&text, give);
    }

    fn say(&mut self, text: &str, give: &mut impl FnMut(Piece)) {
        let end = text.trim_end().len();
        // White space before `</answer>` belongs to it, and behind what may be left out to that.
        let holds_space = self.in_answer || (end == 0 && !self.tail.is_empty());
        let end = if holds_space { end } else { text.len() };
        let (said, space) = text.split_at(end);
        if !said.is_empty() {
            let said = std::mem::take(&mut self.tail) + said;
            self.has_answered |= said.chars().any(|c| !c.is_whitespace());
            self.last = said.chars().next_back();
            give(Piece::Answer(said));
        }
        self.tail.push_str(space);
    }
}

#[cfg(test)]
#[path = "thinking_tests.rs"]
mod tests;
