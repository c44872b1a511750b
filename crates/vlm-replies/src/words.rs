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
pub(super) const WORDS: [&str; 12] = [
    "message",
    "msg",
    "detail",
    "error_message",
    "errorMessage",
    "error_msg",
    "errmsg",
    "status_msg",
    "Message",
    // OAuth.
    "error_description",
    // Apigee, whose "detail" has a code only.
    "faultstring",
    "ErrorMessage",
];
/// Where there are words if there are none in [`WORDS`].
const LESSER_WORDS: [&str; 12] = [
    "reason",
    "description",
    "errors",
    // zod.
    "issues",
    "title",
    "error",
    "details",
    // FastChat.
    "text",
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

/// Where in the request something is wrong: `body.stream_options`.
fn location(object: &Map<String, Value>) -> Option<String> {
    let steps = |name: &str| {
        // pydantic's `loc`, zod's `path`.
        let steps = object.get(name)?.as_array().filter(|steps| !steps.is_empty())?;
        let steps = steps.iter().take(8).map(|step| match step {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        Some(steps.collect::<Vec<_>>().join("."))
    };
    // Of ajv: the place, and what is too much there.
    let params = object.get("params").and_then(Value::as_object);
    let pointer = object.get("instancePath").and_then(Value::as_str);
    let more = params.and_then(|params| params.get("additionalProperty")).and_then(Value::as_str);
    let of_ajv = || {
        let steps = pointer.into_iter().flat_map(|pointer| pointer.split('/')).chain(more);
        let steps: Vec<&str> = steps.filter(|step| !step.is_empty()).take(8).collect();
        (!steps.is_empty()).then(|| steps.join("."))
    };
    steps("loc").or_else(|| steps("path")).or_else(of_ajv)
}

/// The title of an HTML page, which says what a proxy has to say; where Express has nothing but
/// "Error" for one, what it says instead.
pub(super) fn title(text: &str) -> Option<&str> {
    if !text.trim_start().starts_with('<') {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let element = |name: &str| {
        let from = lower.find(&format!("<{name}"))?;
        let from = from + lower[from..].find('>')? + 1;
        let to = from + lower[from..].find(&format!("</{name}"))?;
        Some(&text[from..to]).filter(|text| !text.trim().is_empty())
    };
    let title = element("title")?;
    let is_bare = title.trim().eq_ignore_ascii_case("error");
    element("pre").filter(|_| is_bare).or(Some(title))
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
