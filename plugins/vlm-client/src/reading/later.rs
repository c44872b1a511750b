//! When a server wants to be asked again, in whichever of the ways it says so. Pure: the time is an
//! argument.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use serde_json::Value;

/// Nobody is left alone for longer, whatever it says.
const LONGEST: Duration = Duration::from_secs(3600);
/// Of OpenAI's and Azure's servers.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
/// How deep in an error a time is looked for.
const DEEPEST: usize = 5;
/// What stands before a time in the text of an error.
const BEFORE: [&str; 8] = [
    "try again in ",
    "try again after ",
    "retry in ",
    "retry after ",
    "retry-after: ",
    "retrying in ",
    "available in ",
    "wait ",
];

/// What the head of a response says: `retry-after-ms`, or `Retry-After` in seconds or as a date
/// (RFC 9110, section 10.2.3), which is compared with the server's own clock if it shows it.
pub(crate) fn in_head(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(ms) = text(&RETRY_AFTER_MS).and_then(|ms| ms.parse::<f64>().ok()) {
        return seconds(ms / 1000.0);
    }
    let retry_after = text(&RETRY_AFTER)?;
    if let Ok(after) = retry_after.parse() {
        return seconds(after);
    }
    if let Ok(until) = httpdate::parse_http_date(retry_after) {
        let now = text(&DATE).and_then(|now| httpdate::parse_http_date(now).ok()).unwrap_or(now);
        return until.duration_since(now).ok().map(|after| after.min(LONGEST));
    }
    span(retry_after)
}

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
            let unit = match &*name.to_ascii_lowercase() {
                "retrydelay"
                | "retry_delay"
                | "retryafter"
                | "retry_after"
                | "retry-after"
                | "retry_after_seconds"
                | "estimated_time" => 1.0,
                "retry_after_ms" | "retryafterms" => 0.001,
                _ => return in_fields(value, deepest),
            };
            match value {
                Value::Number(number) => seconds(number.as_f64()? * unit),
                Value::String(text) => match text.trim().parse::<f64>() {
                    Ok(number) => seconds(number * unit),
                    Err(_) => span(text.trim()),
                },
                other => in_fields(other, deepest),
            }
        }),
        _ => None,
    }
}

/// What the text of an error says: "Please try again in 6m12.5s".
pub(crate) fn in_words(text: &str) -> Option<Duration> {
    let text = text.to_ascii_lowercase();
    BEFORE.iter().find_map(|before| {
        text.match_indices(before).find_map(|(at, _)| span(&text[at + before.len()..]))
    })
}

/// A span of time at the beginning of a text: `20s`, `1m2.5s`, `250ms`, `7 seconds`.
fn span(text: &str) -> Option<Duration> {
    let mut rest = text.trim_start_matches("about ");
    let mut sum = None;
    loop {
        rest = rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let Ok(number) = rest[..end].trim_end_matches('.').parse::<f64>() else { break };
        let after = rest[end..].trim_start();
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let unit = match &*after[..end].to_ascii_lowercase() {
            "ms" | "msec" | "millisecond" | "milliseconds" => 0.001,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86_400.0,
            _ => break,
        };
        sum = Some(sum.unwrap_or(0.0) + number * unit);
        rest = &after[end..];
    }
    seconds(sum?)
}

fn seconds(seconds: f64) -> Option<Duration> {
    let seconds = Some(seconds).filter(|seconds| seconds.is_finite() && *seconds >= 0.0)?;
    Some(Duration::from_secs_f64(seconds.min(LONGEST.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ms(ms: u64) -> Option<Duration> {
        Some(Duration::from_millis(ms))
    }

    #[test]
    fn the_head_is_obeyed_in_seconds_in_milliseconds_and_as_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 - 5);
        let date = ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT");
        let head = |fields: &[(&'static str, &str)]| {
            let fields = fields.iter();
            let map =
                fields.map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
            in_head(&map.collect(), now)
        };
        assert_eq!(head(&[("retry-after", "7")]), ms(7000));
        assert_eq!(head(&[("retry-after", " 0.5 ")]), ms(500));
        assert_eq!(head(&[("retry-after", "20s")]), ms(20_000));
        assert_eq!(head(&[("retry-after", "86400")]), Some(LONGEST));
        assert_eq!(head(&[("retry-after-ms", "1250"), ("retry-after", "2")]), ms(1250));
        assert_eq!(head(&[date]), ms(5000));
        // The server's clock is not ours.
        assert_eq!(head(&[date, ("date", "Sun, 06 Nov 1994 08:49:30 GMT")]), ms(7000));
        assert_eq!(head(&[date, ("date", "Sun, 06 Nov 1994 08:50:00 GMT")]), None);
        for nothing in ["soon", "-1", "NaN", ""] {
            assert_eq!(head(&[("retry-after", nothing)]), None, "{nothing}");
        }
        assert_eq!(head(&[]), None);
    }

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
        assert_eq!(in_json(&json!({"error": {"retry_after": null}})), None);
        assert_eq!(in_json(&json!({"error": {"message": "retry_after"}})), None);
    }

    #[test]
    fn the_words_of_an_error_are_obeyed() {
        for (words, after) in [
            ("Rate limit reached. Please try again in 20s.", ms(20_000)),
            ("Please try again in 6m12.5s. Visit", ms(372_500)),
            ("Please try again in 250ms.", ms(250)),
            ("Please retry after 7 seconds.", ms(7000)),
            ("Please retry in 27.9s.", ms(27_900)),
            ("You must wait 2 minutes", ms(120_000)),
            ("Try again in 1h2m", Some(LONGEST)),
            ("Please try again in a while; 20s is usual", None),
            ("try again later", None),
            ("wait 5", None),
        ] {
            assert_eq!(in_words(words), after, "{words}");
        }
    }
}
