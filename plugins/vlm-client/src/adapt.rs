//! What of our own a server does not take, by what it says when it refuses it. Pure.
//!
//! The OpenAI API has grown, and hardly anybody has all of it: one server does not know
//! `stream_options`, another refuses whatever it does not know, a model of a third knows
//! `max_tokens` by its newer name only. What it cannot do without (the model, the messages, whether
//! the answer is streamed) is never left out, nor is anything that the user added.

use serde_json::Value;

use crate::ChatRequest;

/// The longest refusal that is looked at, in bytes.
const MOST_SAID: usize = 16 << 10;
/// A refusal that goes deeper than this into JSON, or says more things, is one no longer.
const DEEPEST: usize = 8;
const MOST_STATEMENTS: usize = 64;

/// Where a refusal has its words, or those of somebody whom it was passed on from.
const SAYING: [&str; 11] = [
    "message",
    "msg",
    "detail",
    "details",
    "error",
    "errors",
    "title",
    "description",
    "fieldViolations",
    "metadata",
    "raw",
];

/// A field of ours that a request can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    MaxTokens,
    Temperature,
    ResponseFormat,
    StreamOptions,
    User,
}

impl Field {
    const ALL: [Self; 5] =
        [Self::MaxTokens, Self::Temperature, Self::ResponseFormat, Self::StreamOptions, Self::User];

    /// What it is called in a request.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::Temperature => "temperature",
            Self::ResponseFormat => "response_format",
            Self::StreamOptions => "stream_options",
            Self::User => "user",
        }
    }
}

/// The newer name of [`Field::MaxTokens`].
pub(crate) const MAX_COMPLETION_TOKENS: &str = "max_completion_tokens";

/// How the requests for one model of one server differ from others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Adaptation {
    left_out: [bool; Field::ALL.len()],
    renamed: bool,
    /// The fewest tokens that were more than the model ever gives. Who wants as many gets what there
    /// is without saying so.
    too_many: Option<u32>,
    /// Whether this one question leaves no room for as many.
    no_room: bool,
}

impl Adaptation {
    /// Whether a request goes without this field of ours.
    pub(crate) fn leaves_out(&self, field: Field) -> bool {
        self.left_out[field as usize]
    }

    /// By what name the longest answer is said, if it is.
    pub(crate) fn max_tokens(&self, max_tokens: u32) -> Option<&'static str> {
        let is_said = !self.no_room
            && !self.leaves_out(Field::MaxTokens)
            && self.too_many.is_none_or(|too_many| max_tokens < too_many);
        let name = if self.renamed { MAX_COMPLETION_TOKENS } else { Field::MaxTokens.name() };
        is_said.then_some(name)
    }

    /// What is true of the next question, too.
    pub(crate) fn lasting(self) -> Self {
        Self { no_room: false, ..self }
    }

    /// What may help after a server has refused the request that was made so; `None` if it does not
    /// say that it was for one of our fields.
    pub(crate) fn after(&self, status: u16, body: &[u8], request: &ChatRequest) -> Option<Self> {
        // Some call what they do not know their own failure.
        if !matches!(status, 400 | 415 | 422 | 500 | 501) {
            return None;
        }
        let mut next = self.clone();
        let body = &body[..body.len().min(MOST_SAID)];
        for statement in statements(&String::from_utf8_lossy(body)) {
            for field in Field::ALL.into_iter().filter(|field| self.sends(*field, request)) {
                next.give_way(field, &statement, request);
            }
        }
        (next != *self).then_some(next)
    }

    /// Whether a request made so has this field, and has it from us.
    fn sends(&self, field: Field, request: &ChatRequest) -> bool {
        if self.leaves_out(field) || request.extra.has(field.name()) {
            return false;
        }
        match field {
            Field::MaxTokens => {
                let name = self.max_tokens(request.max_tokens);
                name.is_some_and(|name| !request.extra.has(name))
            }
            Field::Temperature => request.temperature.is_some(),
            Field::ResponseFormat => request.response_schema.is_some(),
            Field::StreamOptions => request.stream,
            Field::User => !request.user.is_empty(),
        }
    }

    fn give_way(&mut self, field: Field, statement: &Statement, request: &ChatRequest) {
        let said = &statement.said;
        let leave_out = match field {
            Field::MaxTokens => {
                self.give_way_in_length(statement, request.max_tokens);
                false
            }
            // These say what the user wants, which a server may refuse by its value.
            Field::Temperature => statement.is_about(field.name()) && says_unknown(said),
            Field::ResponseFormat => {
                statement.is_about(field.name()) && !said.contains("schema for response_format")
            }
            // These are none of the user's.
            Field::StreamOptions | Field::User => {
                statement.is_about(field.name()) && (says_unknown(said) || says_wrong(said))
            }
        };
        self.left_out[field as usize] |= leave_out;
    }

    fn give_way_in_length(&mut self, statement: &Statement, max_tokens: u32) {
        let said = &statement.said;
        let name = if self.renamed { MAX_COMPLETION_TOKENS } else { Field::MaxTokens.name() };
        let is_about = statement.is_about(name);
        let of_answer = is_about || has(said, &["in the completion", "output tokens"]);
        let of_context = has(said, &["context length", "context window", "context_length"]);
        let of_question = has(said, &["prompt", "messages", "input tokens", "requested"]);
        if of_answer && of_context && of_question {
            self.no_room = true;
        } else if is_about && (says_too_many(said) || is_beyond(said, max_tokens)) {
            self.too_many = Some(self.too_many.map_or(max_tokens, |less| less.min(max_tokens)));
        } else if is_about && says_unknown(said) {
            match self.renamed {
                true => self.left_out[Field::MaxTokens as usize] = true,
                false => self.renamed = true,
            }
        }
    }
}

fn has(said: &str, words: &[&str]) -> bool {
    words.iter().any(|words| said.contains(words))
}

/// Whether a field is refused as such.
fn says_unknown(said: &str) -> bool {
    // Whoever names what it takes refuses a value, but for a single one.
    if has(said, &["only the default"]) {
        return true;
    }
    let by_name = [
        "support",
        "unrecognized",
        "unrecognised",
        "unknown",
        "unexpected",
        "extra",
        "not permitted",
        "not allowed",
        "not accepted",
        "not a valid",
        "not valid",
        "not available",
        "unavailable",
        "not enabled",
        "not implemented",
        "deprecated",
        "removed",
        "no longer",
        "additional propert",
        "cannot find field",
        "invalid field",
        "invalid parameter",
        "invalid argument",
    ];
    (has(said, &by_name) || wants_one_value(said)) && !says_range(said)
}

/// Whether a field may have one value only, which is what it has when it is left out.
fn wants_one_value(said: &str) -> bool {
    let number = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    let only = said.contains("only ") && has(said, &[" allowed", " accepted", " permitted"]);
    only || ["must be ", "must be set to "]
        .iter()
        .any(|words| said.split_once(words).is_some_and(|(_, rest)| number(rest.trim_start())))
}

fn says_range(said: &str) -> bool {
    let of_values = [
        "less than",
        "greater than",
        "between",
        "range",
        "at most",
        "at least",
        "exceed",
        "too high",
        "too large",
        "too low",
        "maximum",
        "minimum",
        "larger",
        "smaller",
        "valid number",
        "or less",
        "or more",
        "or equal",
        "<=",
        ">=",
    ];
    has(said, &of_values)
}

fn says_wrong(said: &str) -> bool {
    says_range(said) || has(said, &["invalid", "should", "must", "type", "too long"])
}

/// Whether as long an answer is more than the model ever gives.
fn says_too_many(said: &str) -> bool {
    let too_many = [
        "cannot be greater",
        "can't be greater",
        "not be greater",
        "greater than the",
        "cannot exceed",
        "must not exceed",
        "exceeds",
        "too large",
        "too high",
        "too many",
        "too big",
        "at most",
        "less than",
        "larger than",
        "maximum",
        "up to",
        "<=",
    ];
    has(said, &too_many)
}

/// Whether a range is told that ends below this number.
fn is_beyond(said: &str, max_tokens: u32) -> bool {
    let numbers = said.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok());
    let others = numbers.filter(|number: &u32| *number != max_tokens);
    has(said, &["range", "between"]) && others.max().is_some_and(|most| most < max_tokens)
}

/// One thing that a refusal says, and of what, if it says that apart.
#[derive(Debug, PartialEq)]
struct Statement {
    /// In lower case.
    of: Option<String>,
    said: String,
}

impl Statement {
    fn new(of: Option<&str>, said: &str) -> Self {
        Self { of: of.map(str::to_ascii_lowercase), said: without_echo(&said.to_ascii_lowercase()) }
    }

    fn is_about(&self, field: &str) -> bool {
        match &self.of {
            // `response_format.type`, `body -> user`
            Some(of) => of.split(|c: char| c != '_' && !c.is_alphanumeric()).any(|w| w == field),
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
    let is_part = |c: char| c == '_' || c.is_alphanumeric();
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
        field != Field::User.name() || looks_so
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

/// What a body says, in any of the forms in use: one text, OpenAI's `error` with `param`, FastAPI's
/// list `detail` with `loc`, and these in each other.
fn statements(body: &str) -> Vec<Statement> {
    let mut all = Vec::new();
    match serde_json::from_str::<Value>(body) {
        Ok(value) => gather(&value, None, DEEPEST, &mut all),
        Err(_) => all.push(Statement::new(None, body)),
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
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            let place = fields.get("loc").and_then(Value::as_array).map(|place| {
                let steps: Vec<&str> = place.iter().filter_map(Value::as_str).collect();
                steps.join(" ")
            });
            // What LiteLLM writes where there is none.
            let param = text("param").filter(|param| !param.is_empty() && *param != "None");
            let of = place.as_deref().or(param).or(of);
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

#[cfg(test)]
#[path = "adapt_tests.rs"]
mod tests;
