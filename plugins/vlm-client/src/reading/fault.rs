//! What a server says of a failure, in whichever of the forms in use and wherever it says it, and
//! which [`Error`] that is. Nothing in here does I/O.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    kind::Kind,
    later,
    words::{WORDS, is_something, json, shown, title, words_in},
};
use crate::{Endpoint, Error};

/// Where the codes of an error are.
const CODES: [&str; 11] = [
    "code",
    "type",
    "status",
    "status_code",
    "reason",
    "error_code",
    "errorCode",
    "error_type",
    "__type",
    "name",
    "@type",
];

/// A failure that a server tells of.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Fault {
    words: String,
    /// Its codes, lower-case letters and digits only.
    codes: Vec<String>,
    /// That of them which is an HTTP status.
    status: Option<u16>,
    retry_after: Option<Duration>,
    /// Whether it is one whatever comes beside it or after it; if not, it may be a remark.
    pub(crate) is_certain: bool,
}

impl Fault {
    /// A failure that is told in the place of an answer, or in the middle of one.
    pub(crate) fn in_answer(text: &str) -> Option<Self> {
        let value = json(text)?;
        let value = value.as_array().and_then(|list| list.first()).unwrap_or(&value);
        let object = value.as_object()?;
        let choices = object.get("choices").and_then(Value::as_array);
        let has_answer = choices.is_some_and(|choices| !choices.is_empty());
        let get = |name: &str| object.get(name).filter(|value| is_something(value));
        let certain = |said: &Value| Some(Self::said(said, value).certainly());
        if let Some(error) = get("error").filter(|error| is_failure(error, has_answer)) {
            // "error": true says that the words stand beside it.
            return certain(if error.is_object() || error.is_array() { error } else { value });
        }
        let of_choice = choices.into_iter().flatten().find_map(|choice| {
            let places = [Some(choice), choice.get("delta"), choice.get("message")];
            let error = places.into_iter().flatten().find_map(|place| place.get("error"))?;
            is_failure(error, false).then_some(error)
        });
        if let Some(error) = of_choice {
            return certain(error);
        }
        if let Some(base) = get("base_resp")
            && base.get("status_code").and_then(Value::as_i64).unwrap_or(0) != 0
        {
            return Some(Self::of_minimax(base).certainly());
        }
        if let Some(errors) = get("errors").filter(|errors| is_failure(errors, has_answer)) {
            return certain(errors);
        }
        let is = |name: &str, words: &[&str]| {
            let text = object.get(name).and_then(Value::as_str);
            text.is_some_and(|text| words.iter().any(|word| text.eq_ignore_ascii_case(word)))
        };
        let failed = ["error", "failed", "failure"];
        let says_so = is("object", &failed)
            || is("type", &failed)
            || ["success", "ok"].iter().any(|name| object.get(*name) == Some(&Value::Bool(false)));
        if says_so || (is("status", &failed) && !has_answer) {
            return certain(value);
        }
        let words = WORDS.iter().find(|name| get(name).is_some());
        if has_answer || words.is_none() {
            return None;
        }
        let fault = Self::said(value, value);
        let code =
            ["code", "error_code", "status", "status_code"].iter().find_map(|name| get(name));
        let is_certain = code.is_some_and(|code| !is_fine(code));
        Some(Self { is_certain, ..fault })
    }

    /// The body of a response that is no success.
    pub(crate) fn in_body(body: &str) -> Self {
        let body = body.trim_start_matches('\u{FEFF}').trim();
        let is_event = ["data:", "event:"].iter().any(|field| body.starts_with(field));
        let data = body.lines().find_map(|line| line.strip_prefix("data:"));
        let text = data.filter(|_| is_event).map_or(body, str::trim);
        let fault = match &json(text) {
            Some(value) => {
                let value = value.as_array().and_then(|list| list.first()).unwrap_or(value);
                let error = value.get("error").filter(|error| error.is_object());
                match value.get("base_resp") {
                    Some(base) => Self::of_minimax(base),
                    None => Self::said(error.unwrap_or(value), value),
                }
            }
            None => Self::in_words(text),
        };
        fault.certainly()
    }

    /// The same, whatever comes beside it or after it.
    pub(crate) fn certainly(self) -> Self {
        Self { is_certain: true, ..self }
    }

    /// Words without a form.
    pub(crate) fn in_words(text: &str) -> Self {
        let words = title(text).unwrap_or(text);
        Self { words: words.to_owned(), ..Self::default() }
    }

    /// What `said` says, and what else its codes and times say in `whole`.
    fn said(said: &Value, whole: &Value) -> Self {
        let mut words = words_in(said).unwrap_or_default();
        // OpenRouter passes on what the one behind it said.
        let raw = said.get("metadata").and_then(|metadata| metadata.get("raw"));
        if let Some(raw) = raw.and_then(words_in) {
            words = format!("{words}: {raw}");
        }
        let mut this = Self { words, retry_after: later::in_json(whole), ..Self::default() };
        for value in [said, whole] {
            this.take_codes(value);
            for detail in value.get("details").and_then(Value::as_array).into_iter().flatten() {
                this.take_codes(detail);
            }
            if let Some(inner) = value.get("innererror").or(value.get("inner_error")) {
                this.take_codes(inner);
            }
        }
        this
    }

    /// MiniMax answers everything with 200 and has numbers of its own.
    fn of_minimax(base: &Value) -> Self {
        let code = match base.get("status_code").and_then(Value::as_i64).unwrap_or(0) {
            1002 | 1039 | 2045 => "ratelimit",
            1008 | 1028 | 1030 | 2056 => "insufficientquota",
            1004 | 2049 => "invalidapikey",
            1026 | 1027 | 1301 => "contentfilter",
            _ => "",
        };
        let words = words_in(base).unwrap_or_default();
        Self { words, codes: vec![code.to_owned()], ..Self::default() }
    }

    fn take_codes(&mut self, value: &Value) {
        let Some(object) = value.as_object() else { return };
        for name in CODES {
            match object.get(name) {
                Some(Value::String(text)) => {
                    let plain = text.to_lowercase();
                    self.codes.push(plain.chars().filter(|c| c.is_alphanumeric()).collect());
                    self.take_status(text.trim().parse().ok());
                }
                Some(Value::Number(number)) => self.take_status(number.as_i64()),
                _ => {}
            }
        }
    }

    fn take_status(&mut self, number: Option<i64>) {
        let number = number.and_then(|number| u16::try_from(number).ok());
        self.status = self.status.or(number.filter(|number| (400..600).contains(number)));
    }

    /// Its words, as they are shown.
    pub(crate) fn words(&self, endpoint: &Endpoint) -> String {
        // Before they are cut: half a key is not found.
        shown(&endpoint.without_key(&self.words))
    }

    /// Which error it is. `status` is that of the response, `model` the one that was asked for,
    /// `asked` when the response's head wants to be asked again.
    pub(crate) fn into_error(
        self,
        endpoint: &Endpoint,
        model: Option<&str>,
        status: u16,
        asked: Option<Duration>,
    ) -> Error {
        let base = endpoint.base().to_owned();
        let reason = self.words(endpoint);
        let retry_after = asked.or(self.retry_after).or_else(|| later::in_words(&self.words));
        let status = self.true_status(status);
        let unknown = |model: &str| Error::ModelUnknown {
            base: base.clone(),
            model: model.to_owned(),
            reason: reason.clone(),
        };
        let error = match (Kind::of(status, &self.codes, &self.words, model), model) {
            (Kind::NoVision, Some(model)) => {
                Error::NoVision { base, model: model.to_owned(), reason }
            }
            (Kind::ModelUnknown, Some(model)) => unknown(model),
            (Kind::Declined, _) => Error::Declined { base, reason },
            (Kind::RateLimited, _) => Error::RateLimited { base, reason, retry_after },
            (Kind::Unauthorized, _) => Error::Unauthorized { base, status, reason },
            (Kind::NoApi, _) => Error::NoApi { base, status, reason },
            (Kind::TooLarge, _) => Error::TooLarge { base, reason },
            (Kind::Redirect, _) => Error::Redirect { base, status },
            (Kind::Refused, _) => Error::BadRequest { base, status, reason },
            _ => Error::Server { base, status, reason, retry_after },
        };
        endpoint.told(error)
    }

    /// What a gateway says of the one behind it counts for more than its own status.
    fn true_status(&self, status: u16) -> u16 {
        match self.status {
            Some(said @ (401 | 402 | 403 | 413 | 429)) => said,
            Some(said) if status < 300 => said,
            _ => status,
        }
    }
}

/// Whether a code, or a word in the place of one, says that all is well.
fn is_fine(value: &Value) -> bool {
    match value {
        Value::Number(number) => matches!(number.as_i64(), Some(0 | 200..=299)),
        Value::String(text) => {
            let text = text.trim().to_ascii_lowercase();
            let well = ["", "0", "200", "ok", "success", "successful", "none", "null", "false"];
            well.contains(&&*text) || text == "no error"
        }
        other => !is_something(other),
    }
}

/// Whether what stands in the field for errors is one. Some servers fill it beside a good answer.
fn is_failure(error: &Value, has_answer: bool) -> bool {
    match error {
        Value::String(_) => !is_fine(error),
        Value::Array(items) => items.iter().any(|item| is_failure(item, has_answer)),
        Value::Object(object) => is_failing_object(object, has_answer),
        other => is_something(other),
    }
}

fn is_failing_object(object: &Map<String, Value>, has_answer: bool) -> bool {
    let codes = CODES.iter().filter_map(|name| object.get(*name));
    let mut codes = codes.filter(|code| !code.is_null());
    let is_well = codes.clone().next().is_some_and(is_fine);
    let says = words_in(&Value::Object(plain(object))).unwrap_or_default();
    let says_fine = is_fine(&Value::String(says));
    if is_well && (has_answer || says_fine) {
        return false;
    }
    !says_fine || codes.any(|code| !is_fine(code))
}

/// An error without its codes.
fn plain(object: &Map<String, Value>) -> Map<String, Value> {
    let kept = object.iter().filter(|(name, _)| !CODES.contains(&&***name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
