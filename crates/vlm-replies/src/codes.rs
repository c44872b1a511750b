//! The codes of an error, in whichever of the fields in use. Pure.

use serde_json::{Map, Value};

use super::{kind::Kind, words::is_something};

/// Where codes are.
const CODES: [&str; 17] = [
    "code",
    "type",
    "status",
    "status_code",
    "statusCode",
    "http_status",
    "http_status_code",
    "reason",
    "error_code",
    "errorCode",
    "errorcode",
    "errcode",
    "error_type",
    "Code",
    "__type",
    "name",
    "@type",
];
/// Those of them which only errors have.
const OF_ERRORS: [&str; 4] = ["error_code", "errorCode", "errorcode", "errcode"];
/// Those which notices have as well: that something is queued, is loaded, is done.
const OF_NOTICES: [&str; 4] = ["code", "status", "status_code", "statusCode"];
/// What has more codes in it.
const INNER: [&str; 5] = ["innererror", "inner_error", "detail", "error", "Error"];
/// A code in the place of an error's words is no longer.
const LONGEST: usize = 64;
/// What codes that mean no good have in them.
const FAILING: [&str; 19] = [
    "error",
    "fail",
    "invalid",
    "denied",
    "exceed",
    "unauthor",
    "forbidden",
    "abort",
    "exhaust",
    "insufficient",
    "overload",
    "unavailable",
    "notfound",
    "reject",
    "exception",
    "timeout",
    "crash",
    "badrequest",
    "expired",
];

/// What an error's codes say.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Codes {
    /// Lower-case letters and digits only.
    pub(super) plain: Vec<String>,
    /// That of them which is an HTTP status.
    pub(super) status: Option<u16>,
}

impl Codes {
    /// Those in these objects, and in what explains them.
    pub(super) fn of(places: &[&Value]) -> Self {
        let mut codes = Self::default();
        for place in places {
            codes.take(place);
            let lists = [Some(*place), place.get("details"), place.get("errors")];
            for detail in lists.into_iter().flatten().filter_map(Value::as_array).flatten() {
                codes.take(detail);
            }
            for inner in INNER.iter().filter_map(|name| place.get(*name)) {
                codes.take(inner);
            }
        }
        codes
    }

    fn take(&mut self, value: &Value) {
        let Some(object) = value.as_object() else { return };
        for name in CODES {
            match object.get(name) {
                Some(Value::String(text)) => {
                    self.plain.push(plain(text));
                    self.take_status(text.trim().parse().ok());
                }
                Some(Value::Number(number)) => self.take_status(number.as_i64()),
                _ => {}
            }
        }
        // {"error": "invalid_token", "error_description": ...}
        let word = object
            .get("error")
            .and_then(Value::as_str)
            .filter(|text| text.len() <= LONGEST && !text.contains(char::is_whitespace));
        self.plain.extend(word.map(plain));
    }

    fn take_status(&mut self, number: Option<i64>) {
        let number = number.and_then(|number| u16::try_from(number).ok());
        self.status = self.status.or(number.filter(|number| (400..600).contains(number)));
    }
}

fn plain(code: &str) -> String {
    code.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
}

/// A number, also one that is written as a text.
pub(super) fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Whether an object is an error by its codes, whatever its words are.
pub(super) fn say_failure(object: &Map<String, Value>) -> bool {
    let get = |names: &'static [&str]| names.iter().filter_map(|name| object.get(*name));
    get(&OF_ERRORS).any(|code| !is_fine(code)) || get(&OF_NOTICES).any(is_failing)
}

/// Whether an object has a code that only errors have.
pub(super) fn is_of_error(object: &Map<String, Value>) -> bool {
    OF_ERRORS.iter().filter_map(|name| object.get(*name)).any(|code| !is_fine(code))
}

fn is_failing(code: &Value) -> bool {
    match (number(code), code.as_str().map(plain)) {
        (Some(number), _) => !(0..400).contains(&number),
        (None, Some(word)) => {
            FAILING.iter().any(|part| word.contains(part))
                || Kind::of_codes(&[word], true).is_some()
        }
        (None, None) => false,
    }
}

/// Whether a code, or a word in the place of one, says that all is well.
pub(super) fn is_fine(value: &Value) -> bool {
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

/// The codes of an error that say anything.
pub(super) fn said_in(object: &Map<String, Value>) -> impl Iterator<Item = &Value> + Clone {
    CODES.iter().filter_map(|name| object.get(*name)).filter(|code| !code.is_null())
}

/// An error without its codes.
pub(super) fn without(object: &Map<String, Value>) -> Map<String, Value> {
    let kept = object.iter().filter(|(name, _)| !CODES.contains(&&***name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn codes_are_found_in_every_field_in_use() {
        for (error, code, status) in [
            (json!({"code": "Invalid_Key"}), "invalidkey", None),
            (json!({"Code": "AuthFailure.X"}), "authfailurex", None),
            (json!({"error": "invalid_token"}), "invalidtoken", None),
            (json!({"innererror": {"code": "X"}}), "x", None),
            (json!({"detail": {"errorcode": "a.B"}}), "ab", None),
            (json!({"details": [{"reason": "R_1"}]}), "r1", None),
            (json!({"errors": [{"code": "X_1"}]}), "x1", None),
            (json!([{"code": "X_1"}]), "x1", None),
            (json!({"type": "t", "http_status_code": 422}), "t", Some(422)),
            (json!({"code": "429"}), "429", Some(429)),
        ] {
            let codes = Codes::of(&[&error]);
            assert_eq!((codes.plain, codes.status), (vec![code.to_owned()], status), "{error}");
        }
        let words = json!({"error": "no such thing", "code": 7});
        assert_eq!(Codes::of(&[&words]), Codes::default());
    }

    #[test]
    fn a_notice_is_no_failure() {
        let says = |value: &Value| say_failure(value.as_object().unwrap());
        for failure in [
            json!({"code": 500}),
            json!({"code": "1301"}),
            json!({"code": -1}),
            json!({"code": "InvalidApiKey"}),
            json!({"code": "Arrearage"}),
            json!({"status": 503}),
            json!({"status": "FAILED"}),
            json!({"error_code": 17}),
        ] {
            assert!(says(&failure), "{failure}");
        }
        for notice in [
            json!({"status": "queued"}),
            json!({"status": "loading", "code": 0}),
            json!({"status": "completed"}),
            json!({"type": "status", "status": "searching"}),
            json!({"code": 102}),
            json!({"code": "Success", "status_code": 200}),
            json!({"error_code": 0}),
            json!({}),
        ] {
            assert!(!says(&notice), "{notice}");
        }
    }
}
