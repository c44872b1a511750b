//! Times in the fields of an error.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{seconds, span::span};

/// How deep in an error a time is looked for.
const DEEPEST: usize = 5;

/// What an error in JSON says in fields of its own: Google's `retryDelay`, Hugging Face's
/// `estimated_time`, `retry_after`.
pub(crate) fn in_json(error: &Value) -> Option<Duration> {
    in_fields(error, DEEPEST)
}

fn in_fields(value: &Value, deepest: usize) -> Option<Duration> {
    let deepest = deepest.checked_sub(1)?;
    match value {
        Value::Array(items) => items.iter().find_map(|item| in_fields(item, deepest)),
        Value::Object(object) => object.iter().find_map(|(name, value)| {
            let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
            let unit = match &*plain.to_ascii_lowercase() {
                "retrydelay" | "retryafter" | "retryafterseconds" | "retryin" | "estimatedtime"
                | "resetafter" | "resetsinseconds" | "quotaresetdelay" => 1.0,
                "retryafterms" | "retrydelayms" => 0.001,
                _ => return in_fields(value, deepest),
            };
            match value {
                Value::Number(number) => seconds(number.as_f64()? * unit),
                Value::String(text) => match text.trim().parse::<f64>() {
                    Ok(number) => seconds(number * unit),
                    Err(_) => span(text.trim()),
                },
                Value::Object(parts) => of_protobuf(parts).or_else(|| in_fields(value, deepest)),
                other => in_fields(other, deepest),
            }
        }),
        _ => None,
    }
}

/// `{"seconds": 3, "nanos": 500000000}`; either may be left out, and may be a text.
fn of_protobuf(parts: &Map<String, Value>) -> Option<Duration> {
    let part = |name: &str| {
        let value = parts.get(name)?;
        value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
    };
    let (whole, nanos) = (part("seconds"), part("nanos"));
    whole.or(nanos)?;
    seconds(whole.unwrap_or(0.0) + nanos.unwrap_or(0.0) / 1e9)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::ms, *};

    #[test]
    fn fields_of_an_error_are_obeyed() {
        let google = json!({"error": {"code": 429, "details": [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure"},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "27.5s"},
        ]}});
        assert_eq!(in_json(&google), ms(27_500));
        assert_eq!(in_json(&json!({"error": "loading", "estimated_time": 20.0})), ms(20_000));
        assert_eq!(in_json(&json!({"error": {"retry_after": "3"}})), ms(3000));
        assert_eq!(in_json(&json!({"error": {"retry_after_ms": 300}})), ms(300));
        assert_eq!(in_json(&json!({"error": {"resets_in_seconds": 756}})), ms(756_000));
        assert_eq!(in_json(&json!({"error": {"retry_after": null}})), None);
        assert_eq!(in_json(&json!({"error": {"message": "retry_after"}})), None);
    }

    #[test]
    fn a_time_of_grpc_has_seconds_and_nanos() {
        let delay = |delay: Value| in_json(&json!([{"retryDelay": delay}]));
        assert_eq!(delay(json!({"seconds": 3, "nanos": 500_000_000})), ms(3500));
        assert_eq!(delay(json!({"seconds": "3"})), ms(3000));
        assert_eq!(delay(json!({"nanos": 250_000_000})), ms(250));
        assert_eq!(delay(json!({"seconds": -3})), None);
        assert_eq!(delay(json!({})), None);
    }
}
