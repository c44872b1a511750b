//! What the words mean that a server says beside an answer: that all is well, or that it failed. Pure.

/// Words that say that all is well.
const WELL: [&str; 18] = [
    "close",
    "complete",
    "completed",
    "done",
    "end",
    "ended",
    "finish",
    "finished",
    "ok",
    "okay",
    "stop",
    "stopped",
    "succeeded",
    "success",
    "successful",
    "successfully",
    // Success, and complete.
    "成功",
    "完成",
];
/// What may stand beside them.
const WELL_OF: [&str; 13] = [
    "been",
    "call",
    "generation",
    "has",
    "is",
    "message",
    "operation",
    "request",
    "response",
    "stream",
    "task",
    "the",
    "was",
];

/// Whether a server's words say no more than that all is well: `{"status": "ok", "message": "done"}`.
pub(crate) fn says_well(words: &str) -> bool {
    let words = words.to_lowercase();
    let is_well = |word: &str| {
        // A request, an operation, a call.
        let chinese = ["请求", "操作", "调用"].iter().find_map(|noun| word.strip_prefix(noun));
        WELL.contains(&chinese.unwrap_or(word))
    };
    let words = || words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words().any(is_well) && words().all(|word| is_well(word) || WELL_OF.contains(&word))
}

/// Whether a text that is no JSON begins as failures do: `Error: ...`, `RuntimeError: ...`.
pub(crate) fn begins_as_failure(text: &str) -> bool {
    let first = text.split([':', ' ']).next().unwrap_or_default().to_ascii_lowercase();
    ["error", "exception"].iter().any(|end| first.ends_with(end)) || first == "traceback"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_say_that_all_is_well_are_told_from_failures() {
        for words in ["done", "OK", "Success.", "Request completed successfully", "请求成功"] {
            assert!(says_well(words), "{words}");
        }
        for words in [
            "",
            "the request",
            "worker 3 died",
            "not done",
            "it died before completion",
            "Endpoint overloaded",
            "stopped: out of memory",
            "未完成",
        ] {
            assert!(!says_well(words), "{words}");
        }
    }

    #[test]
    fn failures_are_known_by_how_they_begin() {
        for text in ["Error: CUDA", "RuntimeError: x", "error", "Traceback (most recent call last)"]
        {
            assert!(begins_as_failure(text), "{text}");
        }
        for text in ["", "no error", "Errors: 0", "ping"] {
            assert!(!begins_as_failure(text), "{text}");
        }
    }
}
