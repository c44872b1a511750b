//! Tags that models write around what they think and what they answer: `<think>`, `</think>`,
//! `<think/>`, `<think about="it">`, in small letters or capitals. Pure.

use super::mark::{Found, Mark, Sure};

/// The longest name, in bytes.
const LONGEST_NAME: usize = 32;

/// What the last word of a name is, as in `<seed:think>` and `<longcat_think>`.
const THOUGHTS: [&str; 6] =
    ["think", "thinking", "thought", "thoughts", "reasoning", "antthinking"];
const ANSWERS: [&str; 2] = ["answer", "final_answer"];
/// Words that people ask for as well: they stand around thoughts only where an answer begins with
/// them, and around an answer only behind thoughts.
const MAYBE_THOUGHTS: [&str; 3] = ["analysis", "scratchpad", "reasoning_scratchpad"];
const MAYBE_ANSWERS: [&str; 5] = ["response", "final_response", "output", "conclusion", "solution"];

/// The tag that a text begins with.
pub(super) fn tag(text: &str) -> Found {
    let Some(inside) = text.strip_prefix('<') else { return Found::Nothing };
    let (closes, inside) = match inside.strip_prefix('/') {
        Some(inside) => (true, inside),
        None => (false, inside),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-');
    let end = inside.find(|c| !is_name(c)).unwrap_or(inside.len());
    let (name, rest) = inside.split_at(end);
    if name.len() > LONGEST_NAME {
        return Found::Nothing;
    }
    if rest.is_empty() {
        return Found::Perhaps;
    }
    let Some(mark) = named(name, closes) else { return Found::Nothing };
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
    let mark = match mark {
        Mark::Open(_) if attributes.ends_with('/') => Mark::Nothing,
        mark => mark,
    };
    Found::Mark(text.len() - rest.len() + end + 1, mark)
}

/// What a tag of this name means.
fn named(name: &str, closes: bool) -> Option<Mark> {
    let name = name.to_ascii_lowercase();
    let is = |names: &[&str]| names.contains(&&*name);
    let last_word = name.rsplit(['_', ':', '-']).next().unwrap_or_default();
    let (open, close) = if THOUGHTS.contains(&last_word) {
        (Mark::Open(Sure::Tag), Mark::Close(Sure::Tag))
    } else if is(&MAYBE_THOUGHTS) {
        (Mark::Open(Sure::Word), Mark::Close(Sure::Word))
    } else if is(&ANSWERS) {
        (Mark::AnswerOpen { after_thoughts: false }, Mark::AnswerClose)
    } else if is(&MAYBE_ANSWERS) {
        (Mark::AnswerOpen { after_thoughts: true }, Mark::AnswerClose)
    } else if name == "s" {
        (Mark::StruckOut, Mark::Tail)
    } else {
        return None;
    };
    Some(if closes { close } else { open })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_known_in_every_spelling() {
        let open = Mark::Open(Sure::Tag);
        for (text, length, mark) in [
            ("<think>a", 7, open),
            ("<THINK>a", 7, open),
            ("<think type=\"x\">a", 16, open),
            ("</thinking >a", 12, Mark::Close(Sure::Tag)),
            ("<think/>a", 8, Mark::Nothing),
            ("<seed:think>a", 12, open),
            ("<longcat_think>a", 15, open),
            ("<analysis>a", 10, Mark::Open(Sure::Word)),
            ("</REASONING_SCRATCHPAD>a", 23, Mark::Close(Sure::Word)),
            ("<answer>a", 8, Mark::AnswerOpen { after_thoughts: false }),
            ("<response>a", 10, Mark::AnswerOpen { after_thoughts: true }),
            ("</Answer>", 9, Mark::AnswerClose),
            ("<s>a", 3, Mark::StruckOut),
            ("</s>a", 4, Mark::Tail),
        ] {
            assert_eq!(tag(text), Found::Mark(length, mark), "{text}");
        }
        for text in ["<b>", "<thinker>", "<thinks>", "<my_answer>", "<think<", "< think>", "a"] {
            assert_eq!(tag(text), Found::Nothing, "{text}");
        }
        let long = format!("<{}_think", "a".repeat(LONGEST_NAME));
        for text in [&long, &format!("{long}>")] {
            assert_eq!(tag(text), Found::Nothing, "{text}");
        }
    }
}
