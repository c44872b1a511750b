//! The words of an error, in whichever of the forms in use. Pure.

use serde_json::{Map, Value};

use super::repair::repaired;

/// Longer ones are not looked into: as values, JSON takes up to 16 times its length.
pub(super) const MAX_BYTES: usize = 64 << 10;
/// How much of the words is shown, in characters.
const MAX_WORDS: usize = 300;
/// How many texts within texts are opened.
const DEEPEST: usize = 6;

/// Where the words of an error are, the best place first.
pub(super) const WORDS: [&str; 8] = [
    "message",
    "msg",
    "detail",
    "error_message",
    "errorMessage",
    "error_msg",
    "status_msg",
    "Message",
];
/// Where there are words if there are none in [`WORDS`].
const LESSER_WORDS: [&str; 10] = [
    "reason",
    "description",
    "title",
    "error",
    "errors",
    "details",
    "code",
    "type",
    "status",
    "status_code",
];

/// JSON, if it is any that is not too long.
pub(super) fn json(text: &str) -> Option<Value> {
    let text = Some(text).filter(|text| text.len() <= MAX_BYTES)?;
    serde_json::from_str(text).or_else(|_| serde_json::from_str(&repaired(text))).ok()
}

/// Whether there is anything: not `null`, not `false`, nothing empty, not zero.
pub(super) fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(object) => !object.is_empty(),
    }
}

/// The words of an error in JSON.
pub(super) fn words_in(value: &Value) -> Option<String> {
    words(value, DEEPEST)
}

fn words(value: &Value, deepest: usize) -> Option<String> {
    let deepest = deepest.checked_sub(1)?;
    let text = match value {
        Value::String(text) => {
            // Gateways quote what they were told.
            let quoted = Some(text.trim()).filter(|text| text.starts_with(['{', '[']));
            let quoted = quoted.filter(|text| text.len() <= MAX_BYTES).and_then(json);
            quoted.and_then(|inner| words(&inner, deepest)).unwrap_or_else(|| text.clone())
        }
        Value::Number(number) => number.to_string(),
        Value::Array(items) => {
            let items = items.iter().filter_map(|item| words(item, deepest));
            items.take(3).collect::<Vec<_>>().join("; ")
        }
        Value::Object(object) => {
            let error = object.get("error").filter(|error| error.is_object());
            let places = WORDS.iter().chain(&LESSER_WORDS);
            let places = places.filter_map(|name| object.get(*name));
            let said = error.into_iter().chain(places).filter(|value| is_something(value));
            let said = said.filter_map(|value| words(value, deepest)).next();
            match (location(object), said) {
                (Some(location), Some(said)) => format!("{location}: {said}"),
                (None, Some(said)) => said,
                // ASP.NET lists what is wrong with each field under its name.
                (_, None) => {
                    let fields = object.iter().filter(|(_, value)| value.is_array());
                    let fields = fields.filter_map(|(name, value)| {
                        Some(format!("{name}: {}", words(value, deepest)?))
                    });
                    fields.take(3).collect::<Vec<_>>().join("; ")
                }
            }
        }
        _ => return None,
    };
    Some(text).filter(|text| !text.trim().is_empty())
}

/// What pydantic says is wrong, `body.stream_options`.
fn location(object: &Map<String, Value>) -> Option<String> {
    let parts = object.get("loc")?.as_array()?.iter().take(8).map(|part| match part {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    Some(parts.collect::<Vec<_>>().join("."))
}

/// The title of an HTML page, which says what a proxy has to say.
pub(super) fn title(text: &str) -> Option<&str> {
    if !text.trim_start().starts_with('<') {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let from = lower.find("<title")?;
    let from = from + lower[from..].find('>')? + 1;
    let to = from + lower[from..].find("</title")?;
    Some(&text[from..to]).filter(|title| !title.trim().is_empty())
}

/// A server's words as they are shown: on one line, and not too many.
pub(super) fn shown(text: &str) -> String {
    let is_space = |c: char| c.is_whitespace() || c.is_control();
    let words: Vec<_> = text.split(is_space).filter(|word| !word.is_empty()).collect();
    let text = words.join(" ");
    match text.char_indices().nth(MAX_WORDS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None if text.is_empty() => "no reason given".to_owned(),
        None => text,
    }
}
