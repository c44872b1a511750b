//! Which marks are meant as text: by where they stand, and by those before them that were. Pure.

use super::mark::{Mark, Sure};

/// Where a mark stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct MarkContext {
    /// Whether the answer has not begun yet.
    pub(super) is_before_answer: bool,
    /// Whether a line begins with it.
    pub(super) begins_line: bool,
    /// What stands behind it.
    pub(super) after: Option<char>,
    /// Whether thoughts came before it, between marks or aside.
    pub(super) has_thought: bool,
    pub(super) has_aside: bool,
}

/// How many tags were read as text, so that their ends are text too.
#[derive(Debug, Default)]
pub(super) struct AsText {
    thoughts: usize,
    answers: usize,
    struck_out: usize,
}

impl AsText {
    /// Whether a mark that is written so is meant as text there. To be asked once.
    pub(super) fn takes(&mut self, mark: Mark, written: &str, context: MarkContext) -> bool {
        let MarkContext { is_before_answer, begins_line, after, has_thought, has_aside } = context;
        match mark {
            Mark::Open(sure) => {
                let is_text = match sure {
                    Sure::Special => false,
                    Sure::Tag => !begins_line,
                    Sure::Word => !is_before_answer,
                };
                self.thoughts += usize::from(is_text);
                is_text
            }
            Mark::Close(Sure::Tag | Sure::Word) if self.thoughts > 0 => {
                self.thoughts -= 1;
                true
            }
            Mark::Close(Sure::Word) => true,
            // The second end of thoughts is less sure than the first.
            Mark::Close(_) => has_thought && !begins_line && after.is_some_and(|c| c != '\n'),
            Mark::AnswerOpen { after_thoughts } => {
                let is_mark = if after_thoughts {
                    begins_line && (has_thought || has_aside)
                } else {
                    begins_line || after.is_some_and(begins_answer)
                };
                self.answers += usize::from(!is_mark);
                !is_mark
            }
            Mark::AnswerClose if self.answers > 0 => {
                self.answers -= 1;
                true
            }
            Mark::StruckOut => {
                self.struck_out += 1;
                true
            }
            Mark::Tail if written.starts_with("</") && self.struck_out > 0 => {
                self.struck_out -= 1;
                true
            }
            _ => false,
        }
    }
}

/// Whether what stands behind `<answer>` is what was asked for: a tag that is spoken of has a blank
/// or a full stop behind it.
fn begins_answer(c: char) -> bool {
    c.is_alphanumeric() || "\n({[*#$\\".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INLINE: MarkContext = MarkContext {
        is_before_answer: false,
        begins_line: false,
        after: Some(' '),
        has_thought: false,
        has_aside: false,
    };

    #[test]
    fn tags_are_text_in_pairs() {
        let mut as_text = AsText::default();
        let answer = Mark::AnswerOpen { after_thoughts: false };
        for (mark, written, is_text) in [
            (Mark::Open(Sure::Tag), "<think>", true),
            (Mark::Close(Sure::Tag), "</think>", true),
            (Mark::Close(Sure::Tag), "</think>", false),
            (Mark::Open(Sure::Special), "◁think▷", false),
            (Mark::Open(Sure::Word), "<analysis>", true),
            (Mark::Close(Sure::Word), "</analysis>", true),
            (Mark::Close(Sure::Word), "</analysis>", true),
            (answer, "<answer>", true),
            (Mark::AnswerClose, "</answer>", true),
            (Mark::AnswerClose, "</answer>", false),
            (Mark::StruckOut, "<s>", true),
            (Mark::Tail, "<eos>", false),
            (Mark::Tail, "</s>", true),
            (Mark::Tail, "</s>", false),
            (Mark::End, "<|im_end|>", false),
        ] {
            assert_eq!(as_text.takes(mark, written, INLINE), is_text, "{written}");
        }
    }

    #[test]
    fn what_a_tag_means_depends_on_where_it_stands() {
        let is_text = |mark, context| AsText::default().takes(mark, "", context);
        let first =
            MarkContext { is_before_answer: true, begins_line: true, after: None, ..INLINE };
        let thought = MarkContext { has_thought: true, ..INLINE };
        let answer = |after_thoughts| Mark::AnswerOpen { after_thoughts };
        for mark in [Mark::Open(Sure::Tag), Mark::Open(Sure::Word), answer(false)] {
            assert!(!is_text(mark, first) && is_text(mark, INLINE), "{mark:?}");
        }
        assert!(!is_text(answer(false), MarkContext { after: Some('a'), ..INLINE }));
        assert!(is_text(answer(true), first));
        assert!(!is_text(answer(true), MarkContext { has_aside: true, ..first }));
        assert!(is_text(Mark::Close(Sure::Special), thought));
        assert!(!is_text(Mark::Close(Sure::Special), MarkContext { after: Some('\n'), ..thought }));
    }
}
