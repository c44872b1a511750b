//! The special tokens of chat templates, which come out as text when a server does not know them:
//! where turns, their headers, texts and thoughts begin and end. No two families of models have the
//! same; they are told by their form (`<|end_of_turn|>`, `[|endofturn|]`, `<end_of_turn>`). Pure.

use super::mark::{Found, Mark, Sure};

/// The longest name of a token, in bytes.
const LONGEST_NAME: usize = 40;

/// Whose turn may begin, as a header says it.
const OWN_ROLES: [&str; 5] = ["assistant", "model", "chatbot", "bot", "ai"];
const OTHER_ROLES: [&str; 8] =
    ["user", "human", "system", "developer", "tool", "function", "observation", "ipython"];
/// What a model says in its turn, and what ends with it.
const SPEECHES: [&str; 15] = [
    "turn",
    "text",
    "sentence",
    "message",
    "msg",
    "utterance",
    "assistant",
    "response",
    "answer",
    "output",
    "document",
    "prompt",
    "sequence",
    "seq",
    "stream",
];
const THOUGHTS: [&str; 5] = ["think", "thinking", "thought", "thoughts", "reasoning"];
/// Parts of what turns begin with.
const HEADERS: [&str; 4] = ["header", "role", "turn", "im"];
/// What is left where two tokens stand around a part of the answer.
const AROUND: [&str; 4] = ["beginofbox", "endofbox", "beginofsolution", "endofsolution"];

/// A token at the beginning of a text.
struct Token<'a> {
    /// As it is written.
    name: &'a str,
    frame: Frame,
    /// All of it, in bytes.
    length: usize,
}

/// What stands around a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    /// `<|name|>`, `<｜name｜>`, `[|name|]`.
    Bars,
    /// `<|name>`, as Gemma 4 begins something.
    BarBefore,
    /// `<name|>`, as Gemma 4 ends it.
    BarBehind,
    /// `<name>`, which may be HTML.
    Bare,
}

/// What a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Mark(Mark),
    /// A turn begins; whose it is may follow.
    Header,
}

const FRAMES: [(&str, &str, Frame); 6] = [
    ("<|", "|>", Frame::Bars),
    ("<|", ">", Frame::BarBefore),
    ("<｜", "｜>", Frame::Bars),
    ("[|", "|]", Frame::Bars),
    ("<", "|>", Frame::BarBehind),
    ("<", ">", Frame::Bare),
];

/// The special token that a text begins with; nothing more comes of it if it `is_all`.
pub(super) fn special(text: &str, is_all: bool) -> Found {
    let token = match token(text) {
        Ok(token) => token,
        Err(found) => return found,
    };
    match says(&token) {
        None => Found::Nothing,
        Some(Says::Mark(mark)) => Found::Mark(token.length, mark),
        Some(Says::Header) => header(text, token.length, is_all),
    }
}

fn token(text: &str) -> Result<Token<'_>, Found> {
    let mut may_be = Found::Nothing;
    for (open, close, frame) in FRAMES {
        let Some(inside) = text.strip_prefix(open) else {
            if open.starts_with(text) {
                may_be = Found::Perhaps;
            }
            continue;
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '▁' | '-' | '/');
        let end = inside.find(|c| !is_name(c)).unwrap_or(inside.len());
        let (name, rest) = inside.split_at(end);
        if name.is_empty() && !rest.is_empty() || name.len() > LONGEST_NAME {
            continue;
        }
        if rest.starts_with(close) && !name.is_empty() {
            return Ok(Token { name, frame, length: open.len() + name.len() + close.len() });
        }
        if close.starts_with(rest) {
            may_be = Found::Perhaps;
        }
    }
    Err(may_be)
}

fn says(token: &Token<'_>) -> Option<Says> {
    let written = token.name.to_ascii_lowercase();
    let name: String = written.chars().filter(char::is_ascii_alphanumeric).collect();
    // Hunyuan's tokens begin so.
    let name = name.strip_prefix("hy").filter(|_| written.starts_with("hy")).unwrap_or(&name);
    match (token.frame, name) {
        (Frame::BarBefore, "turn") => Some(Says::Header),
        // Its thoughts may be a turn, too.
        (Frame::BarBehind, "turn") => Some(Says::Mark(Mark::PartEnd)),
        (Frame::BarBefore | Frame::BarBehind, _) => None,
        (Frame::Bare, _) => says_bare(&written),
        (Frame::Bars, _) => says_in_bars(name, &written),
    }
}

/// What a name between bars says.
fn says_in_bars(name: &str, written: &str) -> Option<Says> {
    if AROUND.contains(&name) {
        return Some(Says::Mark(Mark::Nothing));
    }
    if is_padding(name) {
        return Some(Says::Mark(Mark::Tail));
    }
    let name = ["token", "id"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    if let Some(begun) = begun(name) {
        return says_begun(begun);
    }
    if let Some(ended) = ended(name, written) {
        return says_ended(ended).map(Says::Mark);
    }
    let role = name.strip_prefix("im").unwrap_or(name);
    match name {
        "eot" | "eom" | "eos" | "eod" | "eop" | "eoa" | "return" | "call" => {
            Some(Says::Mark(Mark::End))
        }
        "bos" | "sop" | "immiddle" | "imsep" | "message" => Some(Says::Mark(Mark::Nothing)),
        _ if OWN_ROLES.contains(&role) => Some(Says::Header),
        _ if OTHER_ROLES.contains(&role) => Some(Says::Mark(Mark::End)),
        _ if THOUGHTS.contains(&name) => Some(Says::Mark(Mark::Open(Sure::Special))),
        _ => None,
    }
}

/// What the beginning of something says.
fn says_begun(noun: &str) -> Option<Says> {
    match noun {
        "" => Some(Says::Header),
        _ if HEADERS.contains(&noun) || OWN_ROLES.contains(&noun) => Some(Says::Header),
        _ if OTHER_ROLES.contains(&noun) => Some(Says::Mark(Mark::End)),
        _ if SPEECHES.contains(&noun) => Some(Says::Mark(Mark::Nothing)),
        _ if THOUGHTS.contains(&noun) => Some(Says::Mark(Mark::Open(Sure::Special))),
        _ => None,
    }
}

/// What the end of something says.
fn says_ended(noun: &str) -> Option<Mark> {
    match noun {
        "" => Some(Mark::PartEnd),
        "header" | "role" => Some(Mark::Nothing),
        _ if HEADERS.contains(&noun) || SPEECHES.contains(&noun) => Some(Mark::End),
        _ if THOUGHTS.contains(&noun) => Some(Mark::Close(Sure::Special)),
        _ => None,
    }
}

/// What a name without bars says, which may be that of a tag that is meant.
fn says_bare(name: &str) -> Option<Says> {
    if matches!(name, "bos" | "eos" | "sop" | "eop" | "eot" | "eom" | "eod" | "eoa")
        || is_padding(name)
    {
        return Some(Says::Mark(Mark::Tail));
    }
    let of = |beginning: &str| name.strip_prefix(beginning).filter(|noun| SPEECHES.contains(noun));
    if of("end_of_").or(of("endof")).is_some() {
        return Some(Says::Mark(Mark::End));
    }
    match of("start_of_").or(of("begin_of_")) {
        Some("turn") => Some(Says::Header),
        Some(_) => Some(Says::Mark(Mark::Nothing)),
        None => None,
    }
}

/// Tokens that stand for nothing.
fn is_padding(name: &str) -> bool {
    matches!(name, "pad" | "padding" | "unk")
        || ["placeholder", "reservedspecialtoken"].iter().any(|start| name.starts_with(start))
}

/// What begins with a token of this name.
fn begun(name: &str) -> Option<&str> {
    let before = ["beginof", "begin", "startof", "start"];
    let before = before.iter().find_map(|start| name.strip_prefix(start));
    before.or_else(|| name.strip_suffix("start").filter(|noun| may_stand_before(noun)))
}

/// What ends with it.
fn ended<'a>(name: &'a str, written: &str) -> Option<&'a str> {
    if written.starts_with('/') {
        return Some(name);
    }
    let before = ["endof", "end"].iter().find_map(|end| name.strip_prefix(end));
    before.or_else(|| name.strip_suffix("end").filter(|noun| may_stand_before(noun)))
}

/// Whether a name is one of those that stand before `start` and `end` also.
fn may_stand_before(noun: &str) -> bool {
    HEADERS.contains(&noun) || THOUGHTS.contains(&noun) || noun == "assistant"
}

/// What a turn begins with, and is not text: `assistant`, a line end, `<|end_header_id|>`.
fn header(text: &str, token: usize, is_all: bool) -> Found {
    let behind = &text[token..];
    let end = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
    let (word, rest) = behind.split_at(end);
    let is = |role: &&str| role.eq_ignore_ascii_case(word);
    // Gemma 4.
    let thoughts = if text.starts_with("<|turn>") { &THOUGHTS[..] } else { &[] };
    let may_be = |role: &&str| {
        role.as_bytes().get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word.as_bytes()))
    };
    let (is_own, is_other) = (OWN_ROLES.iter().any(is), OTHER_ROLES.iter().any(is));
    let mut words = OWN_ROLES.iter().chain(&OTHER_ROLES).chain(thoughts);
    if rest.is_empty() && !is_all && words.any(may_be) {
        return Found::Perhaps;
    }
    let mark = match (is_own, is_other) {
        (true, _) => Mark::Nothing,
        (_, true) => Mark::End,
        _ if thoughts.iter().any(is) => Mark::Open(Sure::Special),
        _ => return Found::Mark(token, Mark::Nothing),
    };
    let closing = match rest.strip_prefix('\n') {
        Some(_) => 1,
        None => match self::token(rest) {
            Ok(token) if says(&token) == Some(Says::Mark(Mark::Nothing)) => token.length,
            Err(Found::Perhaps) if !is_all => return Found::Perhaps,
            _ => 0,
        },
    };
    Found::Mark(token + word.len() + closing, mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_of(text: &str, mark: Mark) {
        let found = special(&format!("{text} A"), false);
        assert_eq!(found, Found::Mark(text.len(), mark), "{text}");
    }

    #[test]
    fn ends_are_known_in_every_spelling() {
        for token in [
            "<|im_end|>",
            "<|endoftext|>",
            "<|end_of_text|>",
            "<|end_of_turn|>",
            "<|END_OF_TURN_TOKEN|>",
            "<|endofturn|>",
            "[|endofturn|]",
            "<|endofassistant|>",
            "<|endofresponse|>",
            "<|end_of_sentence|>",
            "<|end▁of▁sentence|>",
            "<｜end▁of▁sentence｜>",
            "<|END_TEXT|>",
            "<|eot_id|>",
            "<|eom|>",
            "<|eos|>",
            "<｜hy_EOT｜>",
            "<|return|>",
            "<|user|>",
            "[|user|]",
            "<｜User｜>",
            "<|observation|>",
            "<|im_user|>",
            "<end_of_turn>",
            "<end_of_utterance>",
            "<|im_start|>user\n",
            "<|start_header_id|>user<|end_header_id|>",
        ] {
            all_of(token, Mark::End);
        }
        for token in ["<|end|>", "<turn|>"] {
            all_of(token, Mark::PartEnd);
        }
        for token in ["<eos>", "<bos>", "<pad>", "<|pad|>", "<｜hy_place▁holder▁no▁2｜>"] {
            all_of(token, Mark::Tail);
        }
    }

    #[test]
    fn beginnings_are_known_with_whose_turn_it_is() {
        for token in [
            "<|start|>assistant",
            "<|im_start|>assistant\n",
            "<|im_start|>assistant<|im_sep|>",
            "<|im_assistant|>assistant<|im_middle|>",
            "<|start_header_id|>assistant<|end_header_id|>",
            "<|header_start|>assistant<|header_end|>",
            "<|start_of_role|>assistant<|end_of_role|>",
            "<start_of_turn>model\n",
            "<|turn>model\n",
            "<|START_OF_TURN_TOKEN|>",
            "<|CHATBOT_TOKEN|>",
            "<|assistant|>",
            "[|assistant|]",
            "<｜Assistant｜>",
            "<｜begin▁of▁sentence｜>",
            "<|begin_of_text|>",
            "<|startoftext|>",
            "<|START_RESPONSE|>",
            "<|START_TEXT|>",
            "<|begin_of_box|>",
            "<|end_of_box|>",
            "<|end_of_role|>",
        ] {
            all_of(token, Mark::Nothing);
        }
    }

    #[test]
    fn thoughts_have_tokens_too() {
        for token in ["<|begin_of_thought|>", "<|START_THINKING|>", "<|think|>", "<|think_start|>"]
        {
            all_of(token, Mark::Open(Sure::Special));
        }
        all_of("<|turn>thinking\n", Mark::Open(Sure::Special));
        for token in ["<|end_of_thought|>", "<|END_THINKING|>", "<|/think|>", "<|think_end|>"] {
            all_of(token, Mark::Close(Sure::Special));
        }
    }

    #[test]
    fn other_tokens_and_tags_are_text() {
        for text in [
            "<|box_start|>",
            "<|box_end|>",
            "<|object_ref_start|>",
            "<|image_pad|>",
            "<|ref|>",
            "<|x>",
            "<x|>",
            "<end>",
            "<user>",
            "<text>",
            "<endless>",
            "<end_of_image>",
            "<||>",
            "<|a b|>",
            "[1]",
        ] {
            assert_eq!(special(text, false), Found::Nothing, "{text}");
        }
        let long = format!("<|{}", "a".repeat(50));
        assert_eq!(special(&long, false), Found::Nothing);
    }

    #[test]
    fn what_may_become_a_token_is_waited_for() {
        for text in ["<", "<|", "<|im_", "<|im_end", "<|im_end|", "[", "[|end", "<｜", "<end_of"] {
            assert_eq!(special(text, false), Found::Perhaps, "{text}");
        }
        for text in ["<|im_start|>", "<|im_start|>assis", "<|im_start|>assistant"] {
            assert_eq!(special(text, false), Found::Perhaps, "{text}");
            let Found::Mark(_, mark) = special(text, true) else { panic!("{text}") };
            assert_eq!(mark, Mark::Nothing, "{text}");
        }
    }
}
