//! Servers that have no place for a picture where the content of a message stands: whoever takes
//! nothing but text says what was wrong with the type of it.

use super::error_text::has;

/// What is said of a message's content by who takes nothing but text.
const NOTHING_BUT_TEXT: [&str; 18] = [
    "must be a string",
    "must be string",
    "must be text",
    "should be a string",
    "should be a valid string",
    "not a valid string",
    "is not a string",
    "expected a string",
    "expects a string",
    "expected string",
    "expected type: string",
    "of type string",
    "of type 'string'",
    "str type expected",
    "string type expected",
    // .NET, Java, Go.
    "converted to system.string",
    "`java.lang.string` from array",
    "type string with value array",
];
/// What it is said of.
const CONTENT: [&str; 2] = ["content", "messages"];
/// What Python says when a list stands where a text should.
const LIST_FOR_TEXT: [&str; 5] = [
    "can only concatenate str (not \"list\")",
    "expected str instance, list found",
    "expected str instance, dict found",
    "must be str, not list",
    "expected string or bytes-like object, got 'list'",
];
const NO_ATTRIBUTE: &str = "'list' object has no attribute '";
const OF_TEXT: [&str; 8] =
    ["strip", "lstrip", "rstrip", "split", "replace", "lower", "startswith", "encode"];
/// What is said of a part's type by who knows one only.
const ONLY_TEXT: [&str; 7] = [
    "be 'text'",
    "expected 'text'",
    "only 'text'",
    "['text']",
    "values are: 'text'",
    "value is: 'text'",
    "tags: 'text'",
];

/// Whether text is all that a message may have.
pub(super) fn wants_text(said: &str) -> bool {
    let has_attribute = said
        .split_once(NO_ATTRIBUTE)
        .is_some_and(|(_, name)| OF_TEXT.iter().any(|of_text| name.starts_with(of_text)));
    if has_attribute || has(said, &LIST_FOR_TEXT) {
        return true;
    }
    // Whoever names a field of a picture, or a list beside the text, knows pictures.
    let knows_more =
        said.split_whitespace().any(|word| word.contains("content") && word.contains("image_url"))
            || (said.contains("list[") && said.contains("image"));
    let is_too_long = has(said, &["too long", "maximum length"]);
    has(said, &CONTENT) && has(said, &NOTHING_BUT_TEXT) && !is_too_long && !knows_more
        || knows_text_only(said)
}

/// Whether text is the only type that a part of a message may have.
fn knows_text_only(said: &str) -> bool {
    let said = said.replace(['"', '`'], "'");
    let is_of_part = has(&said, &CONTENT) || said.contains("image_url");
    let mut places = ONLY_TEXT.iter().flat_map(|words| said.match_indices(words));
    is_of_part
        && !has(&said, &["response_format", "response format"])
        && places.any(|(at, words)| !said[at + words.len()..].contains("image"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(said: &str) -> bool {
        wants_text(&said.to_lowercase())
    }

    #[test]
    fn whoever_takes_nothing_but_text_takes_no_pictures() {
        for said in [
            "messages[0].content must be a string",
            "messages.0.content: Input should be a valid string",
            "messages.0.content: Expected string, received array",
            "[{'loc': ('body', 'messages', 0, 'content'), 'msg': 'str type expected'}]",
            "json: cannot unmarshal array into Go struct field Message.messages.content of type \
             string",
            "Malformed input request: #/messages/0/content: expected type: String, found: JSONArray",
            "The JSON value could not be converted to System.String. Path: $.messages[0].content",
            "All elements in message content must be text",
            "can only concatenate str (not \"list\") to str",
            "'list' object has no attribute 'strip'",
            "messages.content.type 参数非法，取值范围 ['text']",
            "Invalid value: 'image_url'. Supported values are: 'text' and 'refusal'.",
            "body.messages.0.content.1: Input tag 'image_url' found using 'type' does not match any \
             of the expected tags: 'text'",
            "body.messages.0.content.str: Input should be a valid string; \
             body.messages.0.content.list[Text].1.text: Field required",
        ] {
            assert!(wants(said), "{said}");
        }
    }

    #[test]
    fn whoever_has_more_to_say_of_a_picture_knows_some() {
        for said in [
            "Invalid 'messages[0].content[1].image_url.url': string too long. Expected a string \
             with maximum length 20971520, but got a string with length 20971600 instead.",
            "Invalid type for 'messages[0].content[1].image_url': expected a string, got an object.",
            "body.messages.0.content.str: Input should be a valid string; \
             body.messages.0.content.list[Part].1.image_url.detail: Input should be 'low'",
            "Invalid value: 'image'. Supported values are: 'text', 'image_url'. (content)",
            "response_format.type: Input should be 'text' (messages)",
            "stop must be a string",
            "'list' object has no attribute 'image'",
        ] {
            assert!(!wants(said), "{said}");
        }
    }
}
