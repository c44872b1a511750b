//! Times in the text of an error.

use std::time::Duration;

use super::{
    seconds,
    span::{number, span},
};

/// What stands before a time.
const BEFORE: [&str; 10] = [
    "try again",
    "retry",
    "retry-after",
    "retry_after",
    "retrying",
    "available",
    "wait",
    "reset",
    "resets",
    "replenished",
];
/// What may stand between.
const BETWEEN: [&str; 13] = [
    "in",
    "after",
    "for",
    "again",
    "another",
    "about",
    "around",
    "approximately",
    "up",
    "to",
    "be",
    "delay",
    "of",
];
/// What quotes the head of a response: behind it a number is enough.
const HEAD: [&str; 2] = ["retry-after", "retry_after"];
/// Chinese: try again.
const TRY_AGAIN: [&str; 3] = ["重试", "再试", "重新"];

/// What the text of an error says: "Please try again in 6m12.5s".
pub(crate) fn in_words(text: &str) -> Option<Duration> {
    let text = text.to_ascii_lowercase().replace("at least ", "");
    let mut places: Vec<_> = BEFORE
        .iter()
        .flat_map(|before| text.match_indices(before))
        .map(|(at, before)| at + before.len())
        .collect();
    places.sort_unstable();
    let in_english = places.into_iter().find_map(|at| span(past_fillers(&text[at..])));
    in_english.or_else(|| in_head_quoted(&text)).or_else(|| in_chinese(&text))
}

/// A text from the first word that is more than a link, as long as there is nothing but links.
fn past_fillers(text: &str) -> &str {
    let is_mark = |c: char| c.is_whitespace() || ":~'\"`=".contains(c);
    let mut rest = text.trim_start_matches(is_mark);
    if rest.len() == text.len() {
        // In the middle of a word: "waiting", "reset_at".
        return "";
    }
    loop {
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        if !BETWEEN.contains(&&rest[..end]) {
            return rest;
        }
        rest = rest[end..].trim_start_matches(is_mark);
    }
}

/// `Retry-After: 12`, with no unit.
fn in_head_quoted(text: &str) -> Option<Duration> {
    let mut places = HEAD.iter().flat_map(|name| text.match_indices(name));
    places.find_map(|(at, name)| {
        let behind = text[at + name.len()..].trim_start_matches(['\'', '"', '`']).trim_start();
        let value = behind.strip_prefix([':', '='])?.trim_start_matches([' ', '\'', '"', '`']);
        let (number, rest) = number(value)?;
        let goes_on = rest.starts_with(|c: char| c.is_alphanumeric() || "-:/".contains(c));
        if goes_on { None } else { seconds(number) }
    })
}

/// "请在30秒后重试".
fn in_chinese(text: &str) -> Option<Duration> {
    if !TRY_AGAIN.iter().any(|words| text.contains(words)) {
        return None;
    }
    let is_first = |at: usize| !text[..at].ends_with(|c: char| c.is_ascii_digit() || c == '.');
    let numbers = text.match_indices(|c: char| c.is_ascii_digit()).map(|(at, _)| at);
    let mut spans = numbers.filter(|at| is_first(*at)).filter_map(|at| {
        let (_, rest) = number(&text[at..])?;
        let has_unit = rest.trim_start().starts_with(['秒', '分', '小', '毫']);
        span(&text[at..]).filter(|_| has_unit)
    });
    spans.next()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{LONGEST, ms},
        *,
    };

    #[test]
    fn the_words_of_an_error_are_obeyed() {
        for (words, after) in [
            ("Rate limit reached. Please try again in 20s.", ms(20_000)),
            ("Please try again in 6m12.5s. Visit", ms(372_500)),
            ("Please try again in 250ms.", ms(250)),
            ("Please retry after 7 seconds.", ms(7000)),
            ("Please retry in 27.9s.", ms(27_900)),
            ("You must wait 2 minutes", ms(120_000)),
            ("Please wait for 30 seconds before trying again.", ms(30_000)),
            ("Your quota will reset after 39s.", ms(39_000)),
            ("Your rate limit resets in ~30s.", ms(30_000)),
            ("Too many requests, retry after: 12s", ms(12_000)),
            ("It will be available again in 30 seconds.", ms(30_000)),
            ("Expected available in 30 seconds.", ms(30_000)),
            ("Try again in approximately 30 seconds.", ms(30_000)),
            ("Quota will be replenished in 00:01:00", ms(60_000)),
            ("Please wait at least 5 s", ms(5000)),
            ("'Retry-After': '20'", ms(20_000)),
            ("Too many requests. Retry-After: 12", ms(12_000)),
            ("retry_after=3.5, limit=4", ms(3500)),
            ("请求过于频繁，请在30秒后重试", ms(30_000)),
            ("请 5 分钟后再试", ms(300_000)),
            ("Try again in 1h2m", Some(LONGEST)),
        ] {
            assert_eq!(in_words(words), after, "{words}");
        }
        for words in [
            "Please try again in a while; 20s is usual",
            "try again later",
            "wait 5",
            "waited 20s for a worker",
            "retry 3 of 5",
            "the connection was reset 20 times",
            "your limit resets at 20:31:48",
            "retry-after: 2026-11-26T04:42:48Z",
            "已处理30秒",
            "",
        ] {
            assert_eq!(in_words(words), None, "{words}");
        }
    }
}
