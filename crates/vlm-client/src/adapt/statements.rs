//! What a refusal says, one thing at a time. Pure.

use serde_json::{Map, Value};

use super::Field;
use vlm_replies::{cut, echo};

/// A refusal that goes deeper than this into JSON, or says more things, is one no longer.
const DEEPEST: usize = 8;
const MOST_STATEMENTS: usize = 64;

/// Where a refusal has its words, or those of somebody whom it was passed on from.
const SAYING: [&str; 12] = [
    "message",
    "msg",
    "detail",
    "details",
    "error",
    "errors",
    "issues",
    "title",
    "description",
    "fieldViolations",
    "metadata",
    "raw",
];
/// Names of fields that are words of English, too.
const WORDS_OF_ENGLISH: [&str; 2] = ["user", "stream"];

/// One thing that a refusal says, and of what, if it says that apart.
#[derive(Debug, PartialEq)]
pub(super) struct Statement {
    /// In lower case.
    of: Option<String>,
    pub(super) said: String,
}

impl Statement {
    fn new(of: Option<&str>, said: &str) -> Self {
        Self {
            of: of.map(str::to_ascii_lowercase),
            said: without_echo(&echo::without(&said.to_ascii_lowercase())),
        }
    }

    pub(super) fn is_about(&self, field: &str) -> bool {
        match &self.of {
            // `response_format.type`, `body -> user`
            Some(of) => steps(of).any(|step| step == field),
            None => names(&self.said, field),
        }
    }
}

/// What a text says without what it quotes of the request, and without the names that it offers.
fn without_echo(said: &str) -> String {
    let quotes = [
        "'input':",
        "\"input\":",
        "input_value",
        "expected one of",
        "supported parameters are",
        "supported fields",
        "valid fields",
        "allowed fields",
        "available parameters",
    ];
    let end = quotes.iter().filter_map(|quote| said.find(quote)).min();
    said[..end.unwrap_or(said.len())].to_owned()
}

/// Whether a text names this field of a request. What is also a word of English must look like a
/// name.
fn names(said: &str, field: &str) -> bool {
    // ASCII, as names are: Chinese goes on without a space.
    let is_part = |c: char| c == '_' || c.is_ascii_alphanumeric();
    said.match_indices(field).any(|(at, _)| {
        let (before, after) = (&said[..at], &said[at + field.len()..]);
        let (last, next) = (before.chars().next_back(), after.chars().next());
        if last.is_some_and(is_part) || next.is_some_and(is_part) {
            return false;
        }
        let in_quotes = last.is_some_and(|c| "'\"`[".contains(c));
        let heads = after.starts_with(':') && !last.is_some_and(char::is_whitespace);
        let ends = before.trim_end().ends_with(':') && after.trim_matches('.').is_empty();
        let has_line = last == Some('\n') && next == Some('\n');
        let looks_so = in_quotes || heads || ends || has_line || is_listed(before);
        !WORDS_OF_ENGLISH.contains(&field) || looks_so
    })
}

/// Whether a text ends in a word for fields, and names of others after it.
fn is_listed(before: &str) -> bool {
    let words = ["parameter", "argument", "field", "property", "key", "supplied", "name", "->"];
    let last = words.iter().filter_map(|word| Some(before.rfind(word)? + word.len())).max();
    let Some(names) = last.map(|at| before[at..].trim_start_matches(['s', ':', '(', ' '])) else {
        return false;
    };
    let mut names = names.split(',').map(str::trim);
    names.next_back() == Some("") && names.all(|name| !name.is_empty() && !name.contains(' '))
}

/// The parts of a place: `response_format.type`, `body -> user`, `$.stream_options`.
fn steps(place: &str) -> impl Iterator<Item = &str> {
    place.split(|c: char| c != '_' && !c.is_alphanumeric())
}

/// What a body says, in any of the forms in use: one text, OpenAI's `error` with `param`, FastAPI's
/// list `detail` with `loc`, ASP.NET's `errors` by field, and these in each other. It may be cut
/// short.
pub(super) fn statements(body: &str) -> Vec<Statement> {
    let mut all = Vec::new();
    let value = |text: &str| serde_json::from_str::<Value>(text).ok();
    match value(body).or_else(|| value(&cut::closed(body))) {
        Some(value) => gather(&value, None, DEEPEST, &mut all),
        None => all.push(Statement::new(None, body)),
    }
    all
}

fn gather(value: &Value, of: Option<&str>, deeper: usize, all: &mut Vec<Statement>) {
    if deeper == 0 || all.len() >= MOST_STATEMENTS {
        return;
    }
    match value {
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            // Gateways pass on what the server behind them said, as a text.
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => gather(&inner, of, deeper - 1, all),
            _ => all.push(Statement::new(of, text)),
        },
        Value::Array(several) => {
            several.iter().for_each(|one| gather(one, of, deeper - 1, all));
        }
        Value::Object(fields) => {
            let place = place(fields);
            let of = place.as_deref().or(of);
            if !SAYING.iter().any(|name| fields.contains_key(*name)) {
                // What is wrong with each field stands under its name.
                fields.iter().for_each(|(name, inner)| gather(inner, Some(name), deeper - 1, all));
                return;
            }
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            let kind = [text("type"), text("code")];
            let kind = kind.into_iter().flatten().collect::<Vec<_>>().join(" ").replace('_', " ");
            for name in SAYING {
                match fields.get(name) {
                    Some(Value::String(text)) if of.is_some() => {
                        all.push(Statement::new(of, &format!("{text} ({kind})")));
                    }
                    Some(inner) => gather(inner, of, deeper - 1, all),
                    None => {}
                }
            }
        }
        _ => {}
    }
}

/// What an object is about, if it says so beside its words.
fn place(fields: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    // pydantic; zod, which may have the names in `keys` alone.
    let list = |name: &str| {
        let steps: Vec<&str> =
            fields.get(name)?.as_array()?.iter().filter_map(Value::as_str).collect();
        Some(steps.join(" ")).filter(|steps| !steps.is_empty())
    };
    // What LiteLLM writes where there is none.
    let param = || text("param").filter(|param| !param.is_empty() && *param != "None");
    // ajv.
    let params = || fields.get("params")?.get("additionalProperty")?.as_str();
    // These may be something else, as the path of an address.
    let elsewhere = || {
        let names = ["field", "property", "path", "instancePath", "dataPath", "pointer"];
        let is_ours = |place: &&str| {
            steps(place).any(|step| Field::ALL.iter().any(|field| field.name() == step))
        };
        names.into_iter().filter_map(text).find(is_ours)
    };
    list("loc")
        .or_else(|| list("path"))
        .or_else(|| list("keys"))
        .or_else(|| param().or_else(params).or_else(elsewhere).map(str::to_owned))
}
