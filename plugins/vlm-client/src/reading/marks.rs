//! The marks that models write into their answers: around what they think and what they answer, and
//! where they end. Pure.

/// A mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Thoughts begin.
    Open {
        /// Whether it may also be meant as text, as tags may.
        is_tag: bool,
    },
    /// Thoughts end.
    Close,
    /// The answer begins; all before it was thought.
    Final,
    /// The answer begins.
    AnswerOpen {
        /// Whether it is one only behind thoughts.
        after_thoughts: bool,
    },
    /// The answer ends.
    AnswerClose,
    /// The model has said all.
    End,
    /// A part of what the model says ends; another may follow.
    PartEnd,
    /// Says nothing, wherever it is.
    Nothing,
    /// Says nothing at the end of a text; elsewhere it is text.
    Tail,
}

/// What a text begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// A mark of so many bytes.
    Mark(usize, Mark),
    /// The beginning of a mark, perhaps.
    Perhaps,
    /// No mark.
    Nothing,
}

/// The longest mark with what may stand in it.
const LONGEST: usize = 256;

/// Names of tags, as in `<think>`, with or without attributes.
const THOUGHTS: [&str; 7] =
    ["think", "thinking", "thought", "thoughts", "reasoning", "seed:think", "antthinking"];
const ANSWERS: [&str; 3] = ["answer", "final_answer", "response"];

const CHANNEL: &str = "<|channel|>";
const MESSAGE: &str = "<|message|>";

const OPEN: Mark = Mark::Open { is_tag: false };
/// Marks that have no form in common. If one is the beginning of another, the longer stands first.
/// Capital letters make no difference, except in brackets.
const OTHERS: [(&str, Mark); 52] = [
    // Kimi, Magistral, Command A, OpenThinker, Gemma 4, Apriel.
    ("◁think▷", OPEN),
    ("◁/think▷", Mark::Close),
    ("[THINK]", OPEN),
    ("[/THINK]", Mark::Close),
    ("<|start_thinking|>", OPEN),
    ("<|end_thinking|>", Mark::Close),
    ("<|begin_of_thought|>", OPEN),
    ("<|end_of_thought|>", Mark::Close),
    ("<|think|>", OPEN),
    ("<|/think|>", Mark::Close),
    ("<|channel>thought\n", OPEN),
    ("<|channel>thought", OPEN),
    ("<|channel>final\n", Mark::Final),
    ("<|channel>final", Mark::Final),
    ("<|channel>", OPEN),
    ("<channel|>", Mark::Close),
    ("[BEGIN FINAL RESPONSE]", Mark::Final),
    ("[END FINAL RESPONSE]", Mark::End),
    // GLM, OpenThinker, Command A.
    ("<|begin_of_box|>", Mark::Nothing),
    ("<|end_of_box|>", Mark::Nothing),
    ("<|begin_of_solution|>", Mark::Nothing),
    ("<|end_of_solution|>", Mark::Nothing),
    ("<|start_response|>", Mark::Nothing),
    ("<|end_response|>", Mark::Nothing),
    // What a turn begins with.
    ("<|start|>assistant", Mark::Nothing),
    ("<|im_start|>assistant\n", Mark::Nothing),
    ("<|start_header_id|>assistant<|end_header_id|>", Mark::Nothing),
    ("<|assistant|>", Mark::Nothing),
    ("<|begin_of_text|>", Mark::Nothing),
    ("<｜assistant｜>", Mark::Nothing),
    ("<｜begin▁of▁sentence｜>", Mark::Nothing),
    // What it ends with.
    ("<|end|>", Mark::PartEnd),
    ("<|im_end|>", Mark::End),
    ("<|endoftext|>", Mark::End),
    ("<|end_of_text|>", Mark::End),
    ("<|end_of_turn|>", Mark::End),
    ("<|end_of_turn_token|>", Mark::End),
    ("<|eot_id|>", Mark::End),
    ("<|eom_id|>", Mark::End),
    ("<|eot|>", Mark::End),
    ("<|eos|>", Mark::End),
    ("<|return|>", Mark::End),
    ("<|call|>", Mark::End),
    ("<|user|>", Mark::End),
    ("<|observation|>", Mark::End),
    ("<end_of_turn>", Mark::End),
    ("<turn|>", Mark::End),
    ("<end_of_utterance>", Mark::End),
    ("<｜end▁of▁sentence｜>", Mark::End),
    ("</s>", Mark::Tail),
    ("<eos>", Mark::Tail),
    ("[EOS]", Mark::Tail),
];

/// Where in a text a mark may begin.
pub(crate) fn next_place(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let rest = &text.as_bytes()[from..];
        let at = from + memchr::memchr3(b'<', b'[', "◁".as_bytes()[0], rest)?;
        // The first byte of ◁ is that of many other characters.
        if text[at..].starts_with(['<', '[', '◁']) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// What a text begins with; nothing more comes of it if it `is_all`.
pub(crate) fn at_beginning(text: &str, is_all: bool) -> Found {
    let found = match channel(text, is_all) {
        Found::Nothing => match tag(text) {
            Found::Nothing => other(text, is_all),
            found => found,
        },
        found => found,
    };
    match found {
        Found::Perhaps if is_all || text.len() >= LONGEST => Found::Nothing,
        Found::Mark(length, _) if length > LONGEST => Found::Nothing,
        found => found,
    }
}

/// gpt-oss: `<|channel|>analysis<|message|>`, with more between them for tools.
fn channel(text: &str, is_all: bool) -> Found {
    let Some(header) = text.strip_prefix(CHANNEL) else {
        // `<|channel>` is another mark.
        let is_beginning = CHANNEL.starts_with(text) && text.len() > 2;
        return if is_beginning { Found::Perhaps } else { Found::Nothing };
    };
    let mark = if header.starts_with("final") { Mark::Final } else { OPEN };
    match header.find(MESSAGE) {
        Some(at) => Found::Mark(CHANNEL.len() + at + MESSAGE.len(), mark),
        None if is_all => Found::Mark(text.len(), mark),
        None => Found::Perhaps,
    }
}

/// `<think>`, `</think>`, `<think/>`, `<think about="it">`, in small letters or capitals.
fn tag(text: &str) -> Found {
    let Some(inside) = text.strip_prefix('<') else { return Found::Nothing };
    let (closes, inside) = match inside.strip_prefix('/') {
        Some(inside) => (true, inside),
        None => (false, inside),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    let end = inside.find(|c| !is_name(c)).unwrap_or(inside.len());
    let (name, rest) = inside.split_at(end);
    let is = |known: &&str| known.eq_ignore_ascii_case(name);
    if rest.is_empty() {
        let may_be = |known: &&str| starts_with(known, name);
        let is_beginning = THOUGHTS.iter().chain(&ANSWERS).any(may_be);
        return if is_beginning { Found::Perhaps } else { Found::Nothing };
    }
    let is_thought = THOUGHTS.iter().any(is);
    if !is_thought && !ANSWERS.iter().any(is) {
        return Found::Nothing;
    }
    let Some(end) = rest.find(['<', '>']) else {
        let goes_on = rest.starts_with(|c: char| c.is_whitespace() || c == '/');
        return if goes_on { Found::Perhaps } else { Found::Nothing };
    };
    let attributes = &rest[..end];
    let is_whole = rest[end..].starts_with('>')
        && (attributes.is_empty()
            || attributes.starts_with(|c: char| c.is_whitespace() || c == '/'));
    if !is_whole {
        return Found::Nothing;
    }
    let mark = match (is_thought, closes) {
        (true, false) if attributes.ends_with('/') => Mark::Nothing,
        (true, false) => Mark::Open { is_tag: true },
        (true, true) => Mark::Close,
        (false, false) => {
            Mark::AnswerOpen { after_thoughts: name.eq_ignore_ascii_case("response") }
        }
        (false, true) => Mark::AnswerClose,
    };
    Found::Mark(text.len() - rest.len() + end + 1, mark)
}

fn other(text: &str, is_all: bool) -> Found {
    for (words, mark) in OTHERS {
        let begins = if words.starts_with('[') { str::starts_with } else { starts_with };
        if begins(text, words) {
            return Found::Mark(words.len(), mark);
        }
        if !is_all && begins(words, text) {
            return Found::Perhaps;
        }
    }
    Found::Nothing
}

/// Whether a text starts so, in small letters or capitals.
fn starts_with(text: &str, beginning: &str) -> bool {
    let start = text.as_bytes().get(..beginning.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(beginning.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_at_the_beginning_of_a_text() {
        for (text, length, mark) in [
            ("<think>a", 7, Mark::Open { is_tag: true }),
            ("<THINK>a", 7, Mark::Open { is_tag: true }),
            ("<think type=\"x\">a", 16, Mark::Open { is_tag: true }),
            ("</thinking >a", 12, Mark::Close),
            ("<think/>a", 8, Mark::Nothing),
            ("<seed:think>a", 12, Mark::Open { is_tag: true }),
            ("<answer>a", 8, Mark::AnswerOpen { after_thoughts: false }),
            ("</Answer>", 9, Mark::AnswerClose),
            ("◁think▷a", 11, OPEN),
            ("[THINK]a", 7, OPEN),
            ("<|channel>thought\na", 18, OPEN),
            ("<|channel>thoughts", 17, OPEN),
            ("<|channel|>analysis<|message|>a", 30, OPEN),
            ("<|channel|>final<|message|>a", 27, Mark::Final),
            ("<|IM_END|>a", 10, Mark::End),
            ("</s>", 4, Mark::Tail),
        ] {
            assert_eq!(at_beginning(text, false), Found::Mark(length, mark), "{text}");
        }
    }

    #[test]
    fn the_beginning_of_a_mark_is_one_while_more_may_come() {
        for text in ["<", "</", "<thi", "<think", "<think a=", "<|", "<|channel|>x", "◁", "[TH"] {
            assert_eq!(at_beginning(text, false), Found::Perhaps, "{text}");
        }
        for text in ["<", "<think", "◁", "[TH"] {
            assert_eq!(at_beginning(text, true), Found::Nothing, "{text}");
        }
        let held = "<|channel>thought";
        assert_eq!(at_beginning(held, false), Found::Perhaps);
        assert_eq!(at_beginning(held, true), Found::Mark(held.len(), OPEN));
    }

    #[test]
    fn what_only_looks_like_a_mark_is_none() {
        let endless = format!("<think {}", "a".repeat(300));
        for text in
            ["< 3", "<b>", "<thinker>", "<think<", "[think]", "[1]", "<|box_start|>", "a", &endless]
        {
            assert_eq!(at_beginning(text, false), Found::Nothing, "{text}");
        }
    }

    #[test]
    fn places_are_found_among_other_characters() {
        assert_eq!(next_place("“quoted” … ◁think▷"), Some("“quoted” … ".len()));
        assert_eq!(next_place("no “mark” – here"), None);
    }
}
