//! What a server says of a failure, in whichever of the forms in use and wherever it says it, and
//! which [`Failure`] that is. Nothing in here does I/O.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    codes::{self, Codes},
    cut, echo,
    failure::Failure,
    kind::Kind,
    later,
    secrets::Secrets,
    words::{WORDS, is_something, json, shown, title, words_in},
};

/// A failure that a server tells of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fault {
    /// Without what they quote of the request.
    words: String,
    codes: Codes,
    retry_after: Option<Duration>,
    /// Whether it is one whatever comes beside it or after it; if not, it may be a remark.
    pub(crate) is_certain: bool,
}

impl Fault {
    /// A failure that is told in the place of an answer, or in the middle of one.
    pub fn in_answer(text: &str) -> Option<Self> {
        let value = json(text)?;
        let value = value.as_array().and_then(|list| list.first()).unwrap_or(&value);
        let object = value.as_object()?;
        let choices = object.get("choices").and_then(Value::as_array);
        let has_answer = choices.is_some_and(|choices| !choices.is_empty());
        let get = |name: &str| object.get(name).filter(|value| is_something(value));
        let certain = |said: &Value| Some(Self::said(said, value).certainly());
        if let Some(error) = error_of(value).filter(|error| is_failure(error, has_answer)) {
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
            && base.get("status_code").and_then(codes::number).unwrap_or(0) != 0
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
        // FastChat has the words of an error where those of an answer would be.
        let has_words = WORDS.iter().any(|name| get(name).is_some())
            || (codes::is_of_error(object) && get("text").is_some());
        if has_answer || !has_words {
            return None;
        }
        Some(Self { is_certain: codes::say_failure(object), ..Self::said(value, value) })
    }

    /// The body of a response that is no success.
    pub fn in_body(body: &str) -> Self {
        let body = body.trim_start_matches('\u{FEFF}').trim();
        let is_event = ["data:", "event:"].iter().any(|field| body.starts_with(field));
        let data = body.lines().find_map(|line| line.strip_prefix("data:"));
        let text = data.filter(|_| is_event).map_or(body, str::trim);
        // What quotes the request is longer than what is read of it.
        let value = json(text).or_else(|| json(&cut::closed(text)).filter(has_fields));
        let fault = match &value {
            Some(value) => {
                let value = value.as_array().and_then(|list| list.first()).unwrap_or(value);
                let error = error_of(value).filter(|error| error.is_object());
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
        Self { words: echo::without(title(text).unwrap_or(text)), ..Self::default() }
    }

    /// What `said` says, and what else its codes and times say in `whole`.
    fn said(said: &Value, whole: &Value) -> Self {
        let mut words = words_in(said).unwrap_or_default();
        // OpenRouter passes on what the one behind it said.
        let raw = said.get("metadata").and_then(|metadata| metadata.get("raw"));
        if let Some(raw) = raw.and_then(words_in) {
            words = format!("{words}: {raw}");
        }
        Self {
            words: echo::without(&words),
            codes: Codes::of(&[said, whole]),
            retry_after: later::in_json(whole),
            is_certain: false,
        }
    }

    /// MiniMax answers everything with 200 and has numbers of its own.
    fn of_minimax(base: &Value) -> Self {
        let (code, status) = match base.get("status_code").and_then(codes::number).unwrap_or(0) {
            1002 | 1039 | 2045 => ("ratelimit", None),
            1008 | 1028 | 1030 | 2056 => ("insufficientquota", None),
            1004 | 2049 => ("invalidapikey", None),
            1026 | 1027 | 1301 => ("contentfilter", None),
            // What is wrong with the question.
            1042 | 2013 => ("", Some(400)),
            _ => ("", None),
        };
        let words = words_in(base).unwrap_or_default();
        let codes = Codes { plain: vec![code.to_owned()], status };
        Self { words, codes, ..Self::default() }
    }

    /// Its words, as they are shown.
    pub(crate) fn words(&self, secrets: &Secrets) -> String {
        // Before they are cut: half a key is not found.
        shown(&secrets.blotted_out(&self.words))
    }

    /// What that is. `status` is that of the response, `model` the one that was asked for,
    /// `asked` when the response's head wants to be asked again.
    pub fn into_failure(
        self,
        secrets: &Secrets,
        model: Option<&str>,
        status: u16,
        asked: Option<Duration>,
    ) -> Failure {
        let reason = self.words(secrets);
        let retry_after = asked.or(self.retry_after).or_else(|| later::in_words(&self.words));
        let status = self.true_status(status);
        match (Kind::of(status, &self.codes.plain, &self.words, model), model) {
            (Kind::NoVision, Some(model)) => Failure::NoVision { model: model.to_owned(), reason },
            (Kind::ModelUnknown, Some(model)) => {
                Failure::ModelUnknown { model: model.to_owned(), reason }
            }
            (Kind::Declined, _) => Failure::Declined { reason },
            (Kind::RateLimited, _) => Failure::RateLimited { reason, retry_after },
            (Kind::Unauthorized, _) => Failure::Unauthorized { status, reason },
            (Kind::NoApi, _) => Failure::NoApi { status, reason },
            (Kind::TooLarge, _) => Failure::TooLarge { reason },
            (Kind::Redirect, _) => Failure::Redirect { status },
            (Kind::Refused, _) => Failure::BadRequest { status, reason },
            _ => Failure::Server { status, reason, retry_after },
        }
    }

    /// What a gateway says of the one behind it counts for more than its own status.
    fn true_status(&self, status: u16) -> u16 {
        match self.codes.status {
            Some(said @ (401 | 402 | 403 | 413 | 429)) => said,
            Some(said) if status < 300 => said,
            _ => status,
        }
    }
}

/// The field for errors, where others have it, or where Apigee, Tencent and Volcengine do.
fn error_of(value: &Value) -> Option<&Value> {
    let get = |name: &str| value.get(name).filter(|value| is_something(value));
    let wrapped = |name: &str| get(name)?.get("Error");
    let elsewhere = || wrapped("Response").or_else(|| wrapped("ResponseMetadata"));
    get("error").or_else(|| get("fault")).or_else(elsewhere)
}

/// Whether it is an object that says anything, or a list of such.
fn has_fields(value: &Value) -> bool {
    let first = value.as_array().and_then(|list| list.first()).unwrap_or(value);
    first.as_object().is_some_and(|object| !object.is_empty())
}

/// Whether what stands in the field for errors is one. Some servers fill it beside a good answer.
fn is_failure(error: &Value, has_answer: bool) -> bool {
    match error {
        Value::String(_) => !codes::is_fine(error),
        Value::Array(items) => items.iter().any(|item| is_failure(item, has_answer)),
        Value::Object(object) => is_failing_object(object, has_answer),
        other => is_something(other),
    }
}

fn is_failing_object(object: &Map<String, Value>, has_answer: bool) -> bool {
    let mut said = codes::said_in(object);
    let is_well = said.clone().next().is_some_and(codes::is_fine);
    let says = words_in(&Value::Object(codes::without(object))).unwrap_or_default();
    let says_fine = codes::is_fine(&Value::String(says));
    if is_well && (has_answer || says_fine) {
        return false;
    }
    !says_fine || said.any(|code| !codes::is_fine(code))
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
