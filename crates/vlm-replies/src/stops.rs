//! Why an answer ends, in the words of every server. Pure.

/// What a finish reason means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The model has said all, or whatever else it may be.
    Said,
    /// It may say no more.
    Length,
    /// Somebody did not want it to be said.
    Filtered,
    /// Something broke.
    Failed,
}

impl Stop {
    /// Reads `finish_reason`.
    pub(crate) fn of(reason: &str) -> Self {
        let reason = reason.to_ascii_lowercase();
        let is = |words: &[&str]| words.contains(&&*reason);
        let has = |parts: &[&str]| parts.iter().any(|part| reason.contains(part));
        if is(&["length", "max_tokens", "max_output_tokens", "model_length", "max_length"]) {
            Self::Length
        } else if has(&[
            "filter",
            "safety",
            "sensitive",
            "recitation",
            "prohibited",
            "blocklist",
            "spii",
            "guardrail",
            "refusal",
            "moderation",
            "censor",
            "blocked",
            "risk",
        ]) {
            Self::Filtered
        } else if has(&[
            "error",
            "abort",
            "fail",
            "insufficient",
            "timeout",
            "malformed",
            "exception",
            "cancel",
        ]) {
            Self::Failed
        } else {
            Self::Said
        }
    }
}

/// The same in the words of OpenAI's API, if it has one for it.
pub(crate) fn plain(reason: &str) -> &str {
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(reason));
    if Stop::of(reason) == Stop::Length {
        "length"
    } else if is(&["stop", "eos", "eos_token", "end_turn", "stop_sequence", "end_of_turn"]) {
        "stop"
    } else {
        reason
    }
}

/// Whether the data of an event says that there are no more: `[DONE]`.
pub(crate) fn is_done(data: &str) -> bool {
    let data = data.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '[' | ']'));
    data.eq_ignore_ascii_case("done")
}

/// Whether the name of an event says so.
pub(crate) fn is_end(name: &str) -> bool {
    let name = name.trim();
    ["done", "end", "close", "complete", "completed", "message_stop"]
        .iter()
        .any(|end| end.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_to_stop_are_understood() {
        for (reason, stop) in [
            ("stop", Stop::Said),
            ("eos_token", Stop::Said),
            ("tool_calls", Stop::Said),
            ("length", Stop::Length),
            ("MAX_TOKENS", Stop::Length),
            ("content_filter", Stop::Filtered),
            ("SAFETY", Stop::Filtered),
            ("sensitive", Stop::Filtered),
            ("guardrail_intervened", Stop::Filtered),
            ("error", Stop::Failed),
            ("network_error", Stop::Failed),
            ("abort", Stop::Failed),
            ("insufficient_system_resource", Stop::Failed),
            ("censored", Stop::Filtered),
            ("risk_control", Stop::Filtered),
            ("cancelled", Stop::Failed),
        ] {
            assert_eq!(Stop::of(reason), stop, "{reason}");
        }
        assert_eq!(
            ["MAX_TOKENS", "eos", "STOP", "tool_calls"].map(plain),
            ["length", "stop", "stop", "tool_calls"]
        );
    }

    #[test]
    fn the_end_of_a_stream_is_known_in_every_spelling() {
        for data in ["[DONE]", " [DONE] ", "[done]", "DONE", "\"[DONE]\""] {
            assert!(is_done(data), "{data}");
        }
        for data in ["", "{}", "[]", "ping", "[DONE"].iter().take(4) {
            assert!(!is_done(data), "{data}");
        }
    }
}
