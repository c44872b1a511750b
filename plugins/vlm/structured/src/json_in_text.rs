//! JSON in what a model writes: alone, in a fence of Markdown, or in the middle of words. Pure.

use serde_json::Value;

/// So many bytes are looked through for values in the middle of words: a text that opens thousands
/// of brackets is not worth more.
const BUDGET: usize = 1 << 20;
/// A fence of Markdown has so many of its characters at least.
const FENCE: usize = 3;

/// The JSON values in a text, the best first: all of it; the blocks in fences, the last first; the
/// values in the middle of words, the first first.
pub(crate) fn values(text: &str) -> impl Iterator<Item = Value> {
    let text = text.trim();
    let whole = parse(text);
    let is_whole = whole.is_some();
    let fenced = fenced(text).into_iter().rev().filter_map(parse_block);
    let in_words = InWords { rest: text, budget: BUDGET };
    whole.into_iter().chain(fenced.chain(in_words).filter(move |_| !is_whole))
}

fn parse(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

/// What stands between fences, and behind the last one.
fn fenced(text: &str) -> Vec<&str> {
    let mut blocks = Vec::new();
    let mut rest = text;
    let mut is_open = false;
    while let Some((before, after)) = next_fence(rest) {
        if is_open {
            blocks.push(before);
        }
        // What closes one block may as well open the next: models forget some.
        is_open = true;
        rest = after;
    }
    if is_open {
        blocks.push(rest);
    }
    blocks
}

/// What stands before a fence, and behind it.
fn next_fence(text: &str) -> Option<(&str, &str)> {
    ["`", "~", "'"]
        .iter()
        .filter_map(|mark| {
            let at = text.find(&mark.repeat(FENCE))?;
            Some((at, &text[..at], text[at..].trim_start_matches(mark)))
        })
        .min_by_key(|(at, ..)| *at)
        .map(|(_, before, after)| (before, after))
}

/// A block with or without the name of its language before it.
fn parse_block(block: &str) -> Option<Value> {
    let block = block.trim();
    parse(block).or_else(|| {
        let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '+' | '.');
        parse(block.trim_start_matches(is_of_name).trim())
    })
}

/// Objects and lists in the middle of words.
struct InWords<'a> {
    rest: &'a str,
    budget: usize,
}

impl Iterator for InWords<'_> {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        loop {
            let at = self.rest.find(['{', '['])?;
            let from = &self.rest[at..];
            let end = end_of_value(from, &mut self.budget)?;
            let value = end.and_then(|end| parse(&from[..end]));
            // What is no JSON may have some in it.
            self.rest = &from[end.filter(|_| value.is_some()).unwrap_or(1)..];
            if value.is_some() {
                return value;
            }
        }
    }
}

/// Where the brackets that a text begins with are all closed, if they are; `None` outside when the
/// budget is used up.
fn end_of_value(text: &str, budget: &mut usize) -> Option<Option<usize>> {
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        *budget = budget.checked_sub(1)?;
        match byte {
            _ if std::mem::take(&mut is_escaped) => {}
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            _ if is_text => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(Some(at + 1));
                }
            }
            _ => {}
        }
    }
    Some(None)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn first(text: &str) -> Option<Value> {
        values(text).next()
    }

    #[test]
    fn json_is_found_in_fences_of_any_spelling() {
        for text in [
            r#"{"people": 2}"#,
            "\n {\"people\": 2}\n",
            "```json\n{\"people\": 2}\n```",
            "```JSON\n{\"people\": 2}\n```",
            "```\n{\"people\": 2}\n```",
            "``` json\n{\"people\": 2}\n```",
            "```json5\n{\"people\": 2}```",
            "```{\"people\": 2}```",
            "```json {\"people\": 2} ```",
            "````json\n{\"people\": 2}\n````",
            "~~~json\n{\"people\": 2}\n~~~",
            "'''json\n{\"people\": 2}\n'''",
            "Here is the JSON:\n\n```json\n{\"people\": 2}\n```\n",
            "```json\n{\"people\": 2}",
            "```json\r\n{\"people\": 2}\r\n```\r\n",
        ] {
            assert_eq!(first(text), Some(json!({ "people": 2 })), "{text:?}");
        }
        assert_eq!(first("```\n7\n```"), Some(json!(7)));
    }

    #[test]
    fn the_last_fence_comes_first_then_those_before_it() {
        let text = "First:\n```json\n{\"a\": 1}\n```\nNo:\n```json\n{\"a\": 2}\n```\nThat is all.";
        assert_eq!(values(text).take(2).collect::<Vec<_>>(), [json!({"a": 2}), json!({"a": 1})]);
    }

    #[test]
    fn json_is_found_in_the_middle_of_words() {
        for text in [
            "Sure! {\"people\": 2} I hope that helps.",
            "It's {\"people\": 2}",
            "The set {a, b} and [this] give {\"people\": 2}.",
            "{not json {\"people\": 2}}",
            "\"quoted\" {\"people\": 2}",
            "{\"people\": 2}}",
            "{\"people\": 2} {\"people\": 3}",
            "answer = {\"people\": 2};",
        ] {
            assert_eq!(first(text), Some(json!({ "people": 2 })), "{text:?}");
        }
        let brackets = "{\"a\": \"}]\\\"{\"} and then";
        assert_eq!(first(brackets), Some(json!({ "a": "}]\"{" })));
        assert_eq!(first("Two people."), None);
        assert_eq!(first(""), None);
    }

    #[test]
    fn what_is_json_as_a_whole_is_not_looked_into() {
        let whole = r#"{"a": "```\n{\"b\": 1}\n```", "c": {"d": 1}}"#;
        assert_eq!(values(whole).count(), 1);
    }

    #[test]
    fn brackets_without_end_are_given_up() {
        for text in ["{".repeat(250_000), "[\"".repeat(120_000), "[{]".repeat(80_000)] {
            assert_eq!(first(&text), None);
        }
    }
}
