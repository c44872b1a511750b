//! Spans of time, as they are written.

use std::time::Duration;

use super::seconds;

/// A span of time at the beginning of a text: `20s`, `1m2.5s`, `250ms`, `7 seconds`, `00:01:30`.
pub(super) fn span(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut sum = None;
    loop {
        rest = rest.trim_start();
        let after_and = rest.strip_prefix("and ").or_else(|| rest.strip_prefix(", "));
        rest = after_and.filter(|_| sum.is_some()).unwrap_or(rest);
        let Some((number, after)) = number(rest) else { break };
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let Some((unit, length)) = unit(&after[..end]) else { break };
        sum = Some(sum.unwrap_or(0.0) + number * unit);
        rest = &after[length..];
    }
    match sum {
        Some(sum) => seconds(sum),
        None => clock(text.trim_start()),
    }
}

/// A number at the beginning of a text, and what follows it.
pub(super) fn number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let digits = text[..end].trim_end_matches('.');
    Some((digits.parse().ok()?, &text[digits.len()..]))
}

/// How many seconds a unit has, and how long its name is.
fn unit(word: &str) -> Option<(f64, usize)> {
    let seconds = match &*word.to_ascii_lowercase() {
        "ms" | "msec" | "millisecond" | "milliseconds" => 0.001,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return of_chinese(word),
    };
    Some((seconds, word.len()))
}

/// Where no space ends a word.
fn of_chinese(word: &str) -> Option<(f64, usize)> {
    let units = [("毫秒", 0.001), ("秒", 1.0), ("分钟", 60.0), ("分", 60.0), ("小时", 3600.0)];
    let unit = units.into_iter().find(|(name, _)| word.starts_with(name));
    unit.map(|(name, seconds)| (seconds, name.len()))
}

/// `0:00:30`, in hours, minutes and seconds.
fn clock(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !c.is_ascii_digit() && !".:".contains(c)).unwrap_or(text.len());
    let parts: Vec<f64> = text[..end]
        .trim_end_matches(['.', ':'])
        .split(':')
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    match parts[..] {
        [hours, minutes, rest] => seconds(hours * 3600.0 + minutes * 60.0 + rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_they_are_written() {
        for (text, ms) in [
            ("20s", Some(20_000)),
            ("1m12.5s. Visit", Some(72_500)),
            ("250ms", Some(250)),
            ("7 seconds", Some(7000)),
            ("1 minute and 30 seconds", Some(90_000)),
            ("1 min, 5 sec", Some(65_000)),
            ("30秒后重试", Some(30_000)),
            ("5 分钟后", Some(300_000)),
            ("0:00:30", Some(30_000)),
            ("00:01:30.", Some(90_000)),
            ("2 days", Some(3_600_000)),
            ("20", None),
            ("1:2", None),
            ("soon", None),
            ("5 sheep", None),
            ("", None),
        ] {
            assert_eq!(span(text), ms.map(Duration::from_millis), "{text}");
        }
    }
}
