//! Finds the [marks](super::mark) in what a model writes. Pure.

use super::{
    mark::{Found, Mark, Sure},
    special::special,
    tags::tag,
};

/// The longest mark with what may stand in it.
const LONGEST: usize = 256;

const CHANNEL: &str = "<|channel|>";
const MESSAGE: &str = "<|message|>";

const OPEN: Mark = Mark::Open(Sure::Special);
const CLOSE: Mark = Mark::Close(Sure::Special);
/// Marks that have no form in common. If one is the beginning of another, the longer stands first.
/// Capital letters make no difference, except in brackets.
const OTHERS: [(&str, Mark); 18] = [
    // Kimi.
    ("◁think▷", OPEN),
    ("◁/think▷", CLOSE),
    // Magistral. A sign may say so, too.
    ("[THINK]", Mark::Open(Sure::Tag)),
    ("[/THINK]", Mark::Close(Sure::Tag)),
    // Gemma 4.
    ("<|channel>thought\n", OPEN),
    ("<|channel>thought", OPEN),
    ("<|channel>final\n", Mark::Final),
    ("<|channel>final", Mark::Final),
    ("<|channel>", OPEN),
    ("<channel|>", CLOSE),
    // MedGemma.
    ("<unused94>thought\n", OPEN),
    ("<unused94>", OPEN),
    ("<unused95>", CLOSE),
    // Apriel.
    ("[BEGIN FINAL RESPONSE]", Mark::Final),
    ("[END FINAL RESPONSE]", Mark::End),
    // Mistral's turns.
    ("[EOS]", Mark::Tail),
    ("[BOS]", Mark::Tail),
    ("[/INST]", Mark::Tail),
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
    let kinds = [channel, other, |text: &str, _| tag(text), special];
    let mut found = kinds.iter().map(|kind| kind(text, is_all));
    let found = found.find(|found| *found != Found::Nothing).unwrap_or(Found::Nothing);
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
        let open = Mark::Open(Sure::Tag);
        for (text, length, mark) in [
            ("<think>a", 7, open),
            ("<THINK>a", 7, open),
            ("◁think▷a", 11, OPEN),
            ("[THINK]a", 7, open),
            ("<|channel>thought\na", 18, OPEN),
            ("<|channel>thoughts", 17, OPEN),
            ("<|channel|>analysis<|message|>a", 30, OPEN),
            ("<|channel|>final<|message|>a", 27, Mark::Final),
            ("<unused94>thought\na", 18, OPEN),
            ("<unused95>a", 10, CLOSE),
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
        let long = format!("<{}", "a".repeat(50));
        for text in [
            "< 3",
            "<b>",
            "<thinker>",
            "<think<",
            "[think]",
            "[1]",
            "<|box_start|>",
            "a",
            &endless,
            &long,
        ] {
            assert_eq!(at_beginning(text, false), Found::Nothing, "{text}");
        }
    }

    #[test]
    fn places_are_found_among_other_characters() {
        assert_eq!(next_place("“quoted” … ◁think▷"), Some("“quoted” … ".len()));
        assert_eq!(next_place("no “mark” – here"), None);
    }
}
