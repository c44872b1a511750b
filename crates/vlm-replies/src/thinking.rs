//! Tells what a model thinks from what it answers, where it writes both into one text with
//! [marks](super::mark) between them. Takes those out, the marks of its answer's end, and the white
//! space around it. Nothing in here does I/O.

use super::{
    find_marks::{at_beginning, next_place},
    mark::{Found, Mark, Sure},
    meant::{AsText, MarkContext},
};

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
    phase: Phase,
    held: String,
    /// White space behind a mark, or before all else, until it is known what follows.
    space: String,
    /// What is left out at the end of the text, and said if more follows.
    tail: String,
    /// Whether anything was answered.
    has_answered: bool,
    /// The last character that was answered, and that was thought.
    last: Option<char>,
    last_thought: Option<char>,
    /// Whether thoughts came between two marks.
    has_thought: bool,
    /// Whether thoughts came aside.
    has_aside: bool,
    /// Whether only white space came behind the mark that thoughts began with.
    is_bare: bool,
    /// Whether that mark is a word that may be meant as text.
    is_by_word: bool,
    /// Whether what was answered is taken back once more is answered.
    takes_back: bool,
    /// Whether it is kept if nothing more is answered.
    keeps: bool,
    /// Whether `<answer>` has come.
    in_answer: bool,
    as_text: AsText,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing but white space came so far.
    #[default]
    Beginning,
    /// Thoughts.
    Inside,
    /// The same, where all that is left of gpt-oss' marks are their words.
    InsideWords,
    /// So many bytes of the first of these words were answered.
    Word(usize),
    /// It was answered, and may have been the mark all the same.
    AfterWord,
    /// Behind a mark: the white space between it and the answer belongs to neither.
    Between,
    Answer,
    /// The answer is over, unless more parts may follow.
    Over {
        for_good: bool,
    },
}

/// A mark in the text that is held.
#[derive(Clone, Copy)]
struct Standing {
    /// Where it begins.
    at: usize,
    /// In bytes.
    length: usize,
    mark: Mark,
}

/// What is left of `<|channel|>analysis<|message|>`, and of what ends it.
const WORD_OPEN: &str = "analysis";
const WORD_FINAL: &str = "assistantfinal";

impl Thinking {
    /// Takes a piece of the text; gives what is known of it then.
    pub(crate) fn feed(&mut self, text: &str, give: &mut impl FnMut(Piece)) {
        let is_plain =
            self.phase == Phase::Answer && self.held.is_empty() && next_place(text).is_none();
        if is_plain {
            self.say(text, give);
            return;
        }
        self.held.push_str(text);
        while self.step(false, give) {}
    }

    /// Thoughts came aside of this text, and nothing of it with them if they came `alone`.
    pub(crate) fn think_aside(&mut self, alone: bool) {
        self.has_aside = true;
        // LMDeploy leaves the mark that they begin with in the text, and not the one that ends
        // them.
        if alone && self.phase == Phase::Inside && self.is_bare {
            self.close();
        }
    }

    /// The text has ended.
    pub(crate) fn end(&mut self, give: &mut impl FnMut(Piece)) {
        while self.step(true, give) {}
        self.held.clear();
        self.space.clear();
        if std::mem::take(&mut self.takes_back) && !self.keeps {
            self.take_back(give);
        }
        self.tail.clear();
    }

    /// Goes one mark further; false if that takes more text.
    fn step(&mut self, is_all: bool, give: &mut impl FnMut(Piece)) -> bool {
        match self.phase {
            Phase::Beginning | Phase::Between => self.step_before(is_all, give),
            Phase::Inside => self.step_inside(is_all, give),
            Phase::InsideWords => self.step_inside_words(is_all, give),
            Phase::Word(known) => self.step_word(known, is_all, give),
            Phase::AfterWord => self.step_after_word(is_all, give),
            Phase::Answer => self.step_answer(0, is_all, give),
            Phase::Over { for_good } => self.step_over(for_good, is_all),
        }
    }

    fn step_before(&mut self, is_all: bool, give: &mut impl FnMut(Piece)) -> bool {
        let space = self.held.len() - self.held.trim_start().len();
        self.space.extend(self.held.drain(..space));
        let text = &*self.held;
        if text.is_empty() {
            return false;
        }
        let mark = match at_beginning(text, is_all) {
            Found::Perhaps => return false,
            Found::Nothing => None,
            Found::Mark(length, mark) => Some((length, mark)),
        };
        let context = MarkContext {
            is_before_answer: !self.has_answered,
            begins_line: true,
            after: None,
            has_thought: self.has_thought,
            has_aside: self.has_aside,
        };
        let mark =
            mark.filter(|(length, mark)| !self.as_text.takes(*mark, &text[..*length], context));
        if mark.is_none() && std::mem::take(&mut self.takes_back) {
            self.take_back(give);
        }
        let space = std::mem::take(&mut self.space);
        // Between two parts of an answer there is the white space of one side.
        let is_apart = !self.tail.is_empty() || self.last.is_none_or(char::is_whitespace);
        if self.has_answered && !is_apart {
            self.tail = space;
        }
        if let Some((length, mark)) = mark {
            self.held.drain(..length);
            self.pass(mark);
            return true;
        }
        if self.phase == Phase::Beginning && self.held.starts_with(&WORD_OPEN[..1]) {
            self.phase = Phase::Word(0);
            return true;
        }
        self.phase = Phase::Answer;
        // What is no mark here is none.
        self.step_answer(self.after(0), is_all, give)
    }

    fn take_back(&mut self, give: &mut impl FnMut(Piece)) {
        give(Piece::TakenBack);
        let space = std::mem::take(&mut self.tail);
        if !space.is_empty() && space.trim().is_empty() {
            give(Piece::Reasoning(space));
        }
        (self.last, self.has_answered) = (None, false);
    }

    /// A first word that may be all that is left of a mark is answered, and taken back if it is.
    fn step_word(&mut self, known: usize, is_all: bool, give: &mut impl FnMut(Piece)) -> bool {
        let same = self.held.bytes().zip(WORD_OPEN[known..].bytes());
        let same = same.take_while(|(said, word)| said == word).count();
        let is_word = known + same == WORD_OPEN.len();
        let next = self.held[same..].chars().next();
        if next.is_none() && !is_all {
            self.say_held(same, give);
            self.phase = Phase::Word(known + same);
            return false;
        }
        self.phase = match next.filter(|_| is_word) {
            Some(c) if c.is_alphabetic() => {
                self.say_held(same, give);
                self.take_back(give);
                Phase::InsideWords
            }
            Some(c) if c.is_whitespace() => {
                self.say_held(same, give);
                Phase::AfterWord
            }
            _ => Phase::Answer,
        };
        true
    }

    /// Only the word that ends it shows that the first one was a mark. Where there are other marks,
    /// it was none.
    fn step_after_word(&mut self, is_all: bool, give: &mut impl FnMut(Piece)) -> bool {
        let (before, is_found) = self.before_final(is_all);
        if next_place(&self.held[..before]).is_some() {
            self.phase = Phase::Answer;
            return true;
        }
        self.say_held(before, give);
        if is_found {
            self.take_back(give);
            self.held.drain(..WORD_FINAL.len());
            self.close();
        }
        is_found
    }

    fn step_inside_words(&mut self, is_all: bool, give: &mut impl FnMut(Piece)) -> bool {
        let (before, is_found) = self.before_final(is_all);
        self.think_held(before, give);
        if is_found {
            self.held.drain(..WORD_FINAL.len());
            self.close();
        }
        is_found
    }

    /// How much stands before the word that ends thoughts, or what may become it; whether it is
    /// there.
    fn before_final(&self, is_all: bool) -> (usize, bool) {
        if let Some(at) = self.held.find(WORD_FINAL) {
            return (at, true);
        }
        let may_begin = |length: &usize| self.held.ends_with(&WORD_FINAL[..*length]);
        let kept = (1..WORD_FINAL.len()).rev().find(may_begin).filter(|_| !is_all);
        (self.held.len() - kept.unwrap_or(0), false)
    }

    /// Where the character behind that at `at` is.
    fn after(&self, at: usize) -> usize {
        at + self.held[at..].chars().next().map_or(1, char::len_utf8)
    }

    /// A mark before the answer, or between two parts of it.
    fn pass(&mut self, mark: Mark) {
        match mark {
            Mark::Open(sure) => self.open(sure),
            Mark::Close(_) => self.close(),
            Mark::Final => self.begin_anew(),
            Mark::AnswerOpen { .. } => {
                self.in_answer = true;
                self.phase = Phase::Between;
            }
            Mark::AnswerClose => self.in_answer = false,
            Mark::End if self.has_answered => self.phase = Phase::Over { for_good: true },
            Mark::PartEnd if self.has_answered => self.phase = Phase::Over { for_good: false },
            Mark::End | Mark::PartEnd | Mark::Nothing | Mark::Tail | Mark::StruckOut => {}
        }
    }

    fn open(&mut self, sure: Sure) {
        self.phase = Phase::Inside;
        (self.is_bare, self.is_by_word) = (true, sure == Sure::Word);
    }

    fn close(&mut self) {
        self.has_thought = true;
        self.phase = Phase::Between;
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
            let Standing { at, length, mark } = match self.next_mark(from, is_all) {
                Ok(standing) => standing,
                Err(thought) => {
                    self.think_held(thought, give);
                    return false;
                }
            };
            let is_end = match mark {
                Mark::Close(Sure::Word) => self.is_by_word,
                Mark::Close(_) | Mark::Final | Mark::End | Mark::PartEnd => true,
                _ => false,
            };
            let is_quoted = match self.is_quoted(at, length, self.last_thought, is_all) {
                Some(is_quoted) => is_quoted,
                None if is_end => {
                    self.think_held(at, give);
                    return false;
                }
                None => false,
            };
            if is_quoted || !is_end {
                from = at + length;
                continue;
            }
            self.think_held(at, give);
            self.held.drain(..length);
            match mark {
                Mark::Final => self.begin_anew(),
                Mark::End => self.phase = Phase::Over { for_good: true },
                _ => self.close(),
            }
            return true;
        }
    }

    /// Whether a mark is spoken of: it has a backtick on both sides. `None` if that takes more
    /// text.
    fn is_quoted(
        &self,
        at: usize,
        length: usize,
        before: Option<char>,
        is_all: bool,
    ) -> Option<bool> {
        let before = self.held[..at].chars().next_back().or(before);
        match self.held[at + length..].chars().next() {
            _ if before != Some('`') => Some(false),
            None if !is_all => None,
            after => Some(after == Some('`')),
        }
    }

    /// Marks before `from` are text.
    fn step_answer(&mut self, mut from: usize, is_all: bool, give: &mut impl FnMut(Piece)) -> bool {
        loop {
            let standing = match self.next_mark(from, is_all) {
                Ok(standing) => standing,
                Err(text) => {
                    self.say_held(text, give);
                    return false;
                }
            };
            let Some(is_text) = self.is_text(standing, is_all) else {
                self.say_held(standing.at, give);
                return false;
            };
            if !is_text {
                self.say_held(standing.at, give);
                self.pass_in_answer(standing, give);
                return true;
            }
            from = standing.at + standing.length;
        }
    }

    /// The first mark behind `from`, or up to where there is none for certain.
    fn next_mark(&self, mut from: usize, is_all: bool) -> Result<Standing, usize> {
        while let Some(at) = next_place(&self.held[from..]).map(|at| from + at) {
            match at_beginning(&self.held[at..], is_all) {
                Found::Mark(length, mark) => return Ok(Standing { at, length, mark }),
                Found::Perhaps => return Err(at),
                Found::Nothing => from = self.after(at),
            }
        }
        Err(self.held.len())
    }

    /// Whether a mark in the answer is meant as text. `None` if that takes more text.
    fn is_text(&mut self, standing: Standing, is_all: bool) -> Option<bool> {
        let Standing { at, length, mark } = standing;
        let said = self.tail.chars().next_back().or(self.last);
        let before = self.held[..at].chars().next_back().or(said);
        let after = self.held[at + length..].chars().next();
        let begins_line = before.is_none_or(|c| c == '\n');
        let is_quoted = self.is_quoted(at, length, said, is_all)?;
        let depends = matches!(mark, Mark::Close(_) | Mark::AnswerOpen { .. }) && !begins_line;
        if depends && after.is_none() && !is_all {
            return None;
        }
        let context = MarkContext {
            is_before_answer: false,
            begins_line,
            after,
            has_thought: self.has_thought,
            has_aside: self.has_aside,
        };
        let written = &self.held[at..at + length];
        Some(is_quoted || self.as_text.takes(mark, written, context))
    }

    /// The mark that what is held begins with, behind a part of the answer.
    fn pass_in_answer(&mut self, standing: Standing, give: &mut impl FnMut(Piece)) {
        let written: String = self.held.drain(..standing.length).collect();
        match standing.mark {
            Mark::Open(sure) => {
                self.say_space(give);
                self.open(sure);
            }
            Mark::Close(_) => {
                self.takes_back |= self.has_answered;
                self.keeps = self.has_thought;
                self.close();
            }
            Mark::Final => self.begin_anew(),
            Mark::AnswerOpen { .. } => self.in_answer = true,
            Mark::AnswerClose if self.in_answer => {
                self.in_answer = false;
                self.tail.clear();
                self.phase = Phase::Between;
            }
            Mark::AnswerClose | Mark::Tail | Mark::StruckOut => self.tail.push_str(&written),
            Mark::End => self.phase = Phase::Over { for_good: true },
            Mark::PartEnd => self.phase = Phase::Over { for_good: false },
            Mark::Nothing => {}
        }
    }

    fn step_over(&mut self, for_good: bool, is_all: bool) -> bool {
        let mut from = 0;
        while let Some(at) = next_place(&self.held[from..]).filter(|_| !for_good) {
            let at = from + at;
            match at_beginning(&self.held[at..], is_all) {
                Found::Mark(length, mark @ (Mark::Final | Mark::Open(Sure::Special))) => {
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
            self.is_bare = self.is_bare && thought.trim().is_empty();
            self.last_thought = thought.chars().next_back();
            give(Piece::Reasoning(thought));
        }
    }

    fn say_held(&mut self, length: usize, give: &mut impl FnMut(Piece)) {
        let rest = self.held.split_off(length);
        let text = std::mem::replace(&mut self.held, rest);
        self.say(&text, give);
    }

    /// That before thoughts is said: they may follow an answer, or stand in the middle of it.
    fn say_space(&mut self, give: &mut impl FnMut(Piece)) {
        if !self.tail.is_empty() && self.tail.trim().is_empty() {
            self.last = self.tail.chars().next_back();
            give(Piece::Answer(std::mem::take(&mut self.tail)));
        }
    }

    /// White space is said with what follows it.
    fn say(&mut self, text: &str, give: &mut impl FnMut(Piece)) {
        let (said, space) = text.split_at(text.trim_end().len());
        if !said.is_empty() {
            self.has_answered = true;
            self.last = said.chars().next_back();
            give(Piece::Answer(std::mem::take(&mut self.tail) + said));
        }
        self.tail.push_str(space);
    }
}

#[cfg(test)]
#[path = "thinking_tests.rs"]
mod tests;
