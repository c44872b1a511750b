//! What the words of a refusal mean. Pure.

use super::statements::Statement;

pub(super) fn has(said: &str, words: &[&str]) -> bool {
    words.iter().any(|words| said.contains(words))
}

/// Whether a field is refused as such.
pub(super) fn says_unknown(said: &str) -> bool {
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
        "could not be mapped",
        "should not exist",
        "unpermitted",
        "prohibited",
        "cannot find field",
        "invalid field",
        "invalid parameter",
        "invalid argument",
        // Chinese: not right, not taken.
        "非法",
        "不支持",
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
        // Chinese: range.
        "范围",
    ];
    has(said, &of_values)
}

pub(super) fn says_wrong(said: &str) -> bool {
    says_range(said) || has(said, &["invalid", "should", "must", "type", "too long"])
}

/// Whether as long an answer is more than the model ever gives.
pub(super) fn says_too_many(said: &str) -> bool {
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
pub(super) fn is_beyond(said: &str, max_tokens: u32) -> bool {
    let numbers = said.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok());
    let others = numbers.filter(|number: &u32| *number != max_tokens);
    has(said, &["range", "between", "范围"]) && others.max().is_some_and(|most| most < max_tokens)
}

/// Whether an answer is not told token by token.
pub(super) fn says_no_stream(statement: &Statement) -> bool {
    let said = &statement.said;
    let is_not = [
        "is not supported",
        "not supported",
        "is not enabled",
        "is disabled",
        "is not available",
        "is not allowed",
    ];
    let of_streaming = said
        .match_indices("streaming ")
        .any(|(at, word)| is_not.iter().any(|is_not| said[at + word.len()..].starts_with(is_not)));
    let not_told = ["not support streaming", "n't support streaming", "verified to stream"];
    let of_value = ["support", "only the default", "not allowed", "not enabled", "not available"];
    of_streaming
        || has(said, &not_told)
        || (statement.is_about("stream")
            && has(said, &of_value)
            && !has(said, &["unsupported parameter", "stream_options"]))
}
