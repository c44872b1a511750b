//! Times in the head of a response.

use std::time::{Duration, SystemTime};

use http::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

use super::{
    LONGEST,
    clock::{date, since_1970},
    seconds,
    span::span,
};

/// Of OpenAI's and Azure's servers.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
/// How much is left of something, and when there is more: of OpenAI's and Groq's servers, and of the
/// IETF's draft for rate limits.
const LIMITS: [(HeaderName, HeaderName); 4] = [
    limit("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    limit("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    limit("x-ratelimit-remaining", "x-ratelimit-reset"),
    limit("ratelimit-remaining", "ratelimit-reset"),
];

const fn limit(left: &'static str, reset: &'static str) -> (HeaderName, HeaderName) {
    (HeaderName::from_static(left), HeaderName::from_static(reset))
}

/// What the head of a response says: `retry-after-ms`, or `Retry-After` in seconds or as a date
/// (RFC 9110, section 10.2.3), which is compared with the server's own clock if it shows it; or when
/// there is more of what is used up.
pub fn in_head(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let now = text(&DATE).and_then(date).unwrap_or(now);
    if let Some(ms) = text(&RETRY_AFTER_MS).and_then(|ms| ms.parse::<f64>().ok()) {
        return seconds(ms / 1000.0);
    }
    if let Some(retry_after) = text(&RETRY_AFTER) {
        // A proxy may join two of them.
        let first = retry_after.split(',').next().unwrap_or_default();
        return when(retry_after, now).or_else(|| when(first.trim(), now));
    }
    let used_up = LIMITS.into_iter().filter(|(left, _)| text(left).is_some_and(is_zero));
    used_up.filter_map(|(_, reset)| when(text(&reset)?, now)).max()
}

fn is_zero(left: &str) -> bool {
    left.parse::<f64>().is_ok_and(|left| left <= 0.0)
}

/// A span, or a point in time.
fn when(text: &str, now: SystemTime) -> Option<Duration> {
    let until = |time: SystemTime| time.duration_since(now).ok().map(|after| after.min(LONGEST));
    match text.parse::<f64>() {
        Ok(number) => match since_1970(number) {
            Some(time) => until(time),
            None => seconds(number),
        },
        Err(_) => match date(text) {
            Some(time) => until(time),
            None => span(text),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{super::ms, *};

    fn head(fields: &[(&'static str, &str)]) -> Option<Duration> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 - 5);
        let fields = fields.iter();
        let map =
            fields.map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        in_head(&map.collect(), now)
    }

    #[test]
    fn the_head_is_obeyed_in_seconds_in_milliseconds_and_as_a_date() {
        let date = ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(head(&[("retry-after", "7")]), ms(7000));
        assert_eq!(head(&[("retry-after", " 0.5 ")]), ms(500));
        assert_eq!(head(&[("retry-after", "20s")]), ms(20_000));
        assert_eq!(head(&[("retry-after", "4, 4")]), ms(4000));
        assert_eq!(head(&[("retry-after", "86400")]), Some(LONGEST));
        assert_eq!(head(&[("retry-after-ms", "1250"), ("retry-after", "2")]), ms(1250));
        assert_eq!(head(&[date]), ms(5000));
        assert_eq!(head(&[("retry-after", "1994-11-06T08:49:37Z")]), ms(5000));
        assert_eq!(head(&[("retry-after", "784111777000000")]), Some(LONGEST));
        // The server's clock is not ours.
        assert_eq!(head(&[date, ("date", "Sun, 06 Nov 1994 08:49:30 GMT")]), ms(7000));
        assert_eq!(head(&[date, ("date", "Sun, 06 Nov 1994 08:50:00 GMT")]), None);
        for nothing in ["soon", "-1", "NaN", ""] {
            assert_eq!(head(&[("retry-after", nothing)]), None, "{nothing}");
        }
        assert_eq!(head(&[]), None);
    }

    #[test]
    fn what_is_used_up_is_waited_for() {
        let requests = |left: &'static str, reset: &'static str| {
            head(&[("x-ratelimit-remaining-requests", left), ("x-ratelimit-reset-requests", reset)])
        };
        assert_eq!(requests("0", "6m0s"), ms(360_000));
        assert_eq!(requests("0", "20ms"), ms(20));
        assert_eq!(requests("1", "6m0s"), None);
        assert_eq!(head(&[("x-ratelimit-reset-requests", "5s")]), None);
        assert_eq!(head(&[("ratelimit-remaining", "0"), ("ratelimit-reset", "5")]), ms(5000));
        let since_1970 = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "2000000000000")];
        assert_eq!(head(&since_1970), Some(LONGEST));
        let both = [
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "2.5s"),
        ];
        assert_eq!(head(&both), ms(2500));
        assert_eq!(head(&[both[0], both[1], ("retry-after", "9")]), ms(9000));
    }
}
