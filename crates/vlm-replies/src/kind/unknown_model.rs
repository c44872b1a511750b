//! Errors that say that a server does not have the model, or not for whoever asks.

use super::{error_text::ErrorText, is_any};

/// What their codes end in, but for the word "error" or "exception".
const CODE_ENDS: [&str; 14] = [
    "modelnotfound",
    "modelnotexist",
    "modelnotsupported",
    "modelnotallowed",
    "modelaccessdenied",
    "modeldecommissioned",
    "modeldeprecated",
    "modelnotavailable",
    "unsupportedmodel",
    "unknownmodel",
    "nosuchmodel",
    "invalidmodel",
    "invalidmodelname",
    "deploymentnotfound",
];
/// Of GitHub and Azure.
const CODES: [&str; 1] = ["unavailablemodel"];

/// What is said of nothing else.
const SAID: [&str; 23] = [
    "unknown model",
    "unavailable model",
    "invalid model",
    "no such model",
    "unrecognized model",
    "not a valid model",
    "not found the model",
    "could not find model",
    "could not find real model",
    "cannot find model",
    "unable to find model",
    "model identifier is invalid",
    "unable to access model",
    "access to model",
    "access to the model",
    "allowed to access model",
    "no models loaded",
    "no models are",
    "no model is loaded",
    "no endpoints found",
    // llama-swap, NVIDIA, transformers.
    "could not find suitable handler",
    "': not found for account",
    "server is pinned to",
];
/// The same in Chinese: there is no such model, it is not taken any more.
const SAID_IN_CHINESE: [&str; 7] = [
    "模型不存在",
    "模型未找到",
    "找不到模型",
    "未知模型",
    "无效的模型",
    "不支持的模型",
    "模型已下线",
];

/// Of new-api, which says it with 503.
const NOBODY_HAS_IT: [&str; 2] = ["无可用渠道", "no available channel for model"];

/// What is said in a text that names a model or a deployment.
const UNKNOWN: [&str; 7] = [
    "not found",
    "does not exist",
    "not exist",
    "doesn't exist",
    "is not loaded",
    "decommissioned",
    "no longer available",
];

/// What is said of the model itself, behind its name.
const MISSING: [&str; 10] = [
    "not found",
    "is not found",
    "was not found",
    "could not be found",
    "does not exist",
    "doesn't exist",
    "not exist",
    "is not deployed",
    "is not configured",
    "is not loaded",
];
const UNSUPPORTED: [&str; 10] = [
    "is not supported",
    "not supported",
    "isn't supported",
    "is unsupported",
    "is not allowed",
    "is not enabled",
    "is deprecated",
    "has been deprecated",
    "has been removed",
    "has been retired",
];
/// The same, which may pass.
const UNAVAILABLE: [&str; 4] =
    ["is not available", "not available", "isn't available", "is unavailable"];
/// What may stand before it.
const ARTICLES: [&str; 10] =
    ["the", "this", "that", "a", "your", "requested", "selected", "specified", "provided", "given"];

pub(super) fn has_code(codes: &[String]) -> bool {
    let plain =
        |code: &String| code.trim_end_matches("error").trim_end_matches("exception").to_owned();
    let ends = |code: &String| CODE_ENDS.iter().any(|end| plain(code).ends_with(end));
    is_any(codes, &CODES) || codes.iter().any(ends)
}

/// Whether it is said in so many words, whatever else is said.
pub(super) fn is_plain(error: &ErrorText) -> bool {
    let is_passing = error.is_for_now();
    let is_told = |rest: &str| {
        starts_with(rest, &MISSING)
            || starts_with(rest, &UNSUPPORTED)
            || (!is_passing && starts_with(rest, &UNAVAILABLE))
    };
    match error.status {
        // Whoever has too much to do, or is not ready, may have it later.
        408 | 409 | 425 | 429 => false,
        ..500 => {
            let own = error.model.as_deref();
            error.has(&SAID)
                || error.has(&SAID_IN_CHINESE)
                || error.has(&NOBODY_HAS_IT)
                || of_model(&error.words, own).any(is_told)
        }
        // What fails may name a model, too. Only that which was asked for counts.
        _ => {
            let own = error.model.as_deref().unwrap_or_default();
            error.has(&NOBODY_HAS_IT)
                || of_own_model(&error.words, own).any(|rest| starts_with(rest, &MISSING))
        }
    }
}

/// Whether it is said at all.
pub(super) fn is_told(error: &ErrorText) -> bool {
    let names_one = error.has(&["model", "deployment"]);
    is_plain(error) || (error.status < 500 && names_one && error.has(&UNKNOWN))
}

/// What a text says of a model: what stands behind that word, and behind the name that follows it.
fn of_model<'a>(words: &'a str, asked_for: Option<&'a str>) -> impl Iterator<Item = &'a str> {
    named(words).flat_map(move |(token, behind, rest)| {
        let is_name = is_name(token) || Some(bare(token)) == asked_for;
        [Some(behind), is_name.then_some(rest)].into_iter().flatten()
    })
}

/// What it says of the model that was asked for, by its name.
fn of_own_model<'a>(words: &'a str, asked_for: &'a str) -> impl Iterator<Item = &'a str> {
    named(words).filter_map(move |(token, _, rest)| (bare(token) == asked_for).then_some(rest))
}

/// Where a clause is about a model: the word behind "model", that with all that follows it, and what
/// follows it alone.
fn named(words: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    let places = words.match_indices("model").filter(|(at, _)| is_subject(&words[..*at]));
    places.map(|(at, model)| {
        let is_mark = |c: char| c.is_whitespace() || "'\"`:=".contains(c);
        let after = &words[at + model.len()..];
        let behind = after.trim_start_matches(is_mark);
        // With the quotes that it stands in.
        let token_from = after.trim_start();
        let end = behind.find(char::is_whitespace).unwrap_or(behind.len());
        let token = &token_from[..token_from.len() - behind.len() + end];
        (token, behind, behind[end..].trim_start())
    })
}

fn bare(token: &str) -> &str {
    token.trim_matches(|c: char| "'\"`.,:;()=".contains(c))
}

/// Whether a word is a model's name, or stands for it.
fn is_name(token: &str) -> bool {
    token.starts_with(['\'', '"', '`'])
        || bare(token).contains(|c: char| c.is_ascii_digit() || "-/_:.".contains(c))
        || ["identifier", "name", "id"].contains(&token)
}

/// Whether what follows this is what a clause is about.
fn is_subject(before: &str) -> bool {
    // Also behind a name: "the 'x' model".
    let mut before = before.trim_end();
    while let Some((rest, last)) = last_word(before) {
        if !ARTICLES.contains(&last) {
            break;
        }
        before = rest.trim_end();
    }
    before.is_empty() || before.ends_with(|c: char| !c.is_alphanumeric() && !"-_/".contains(c))
}

fn last_word(text: &str) -> Option<(&str, &str)> {
    let at = text.rfind(|c: char| !c.is_alphanumeric()).map_or(0, |at| at + 1);
    let word = text.get(at..).filter(|word| !word.is_empty())?;
    Some((&text[..at], word))
}

fn starts_with(text: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| text.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, words: &str) -> ErrorText {
        ErrorText::new(status, words, Some("m"))
    }

    #[test]
    fn a_model_that_is_not_there_is_known_in_every_vendors_words() {
        for words in [
            "The requested model 'x/y' is not supported by any provider you have enabled.",
            "The requested model is not supported.",
            "Model nemotron-3-ultra is not supported",
            "Model m is not supported",
            "The 'gpt-5' model is not supported when using a ChatGPT account.",
            "模型不存在，请检查模型代码。",
            "当前分组 default 下对于模型 m 无可用渠道",
            "Not found the model m or Permission denied",
            "Unavailable model: phi-4-multimodal-instruct",
            "models/m is not found for API version v1main",
            "The provided model identifier is invalid.",
            "could not find suitable handler for m",
            "Function 'x': Not found for account 'y'",
            "You don't have access to the model with the specified model ID.",
            "key not allowed to access model. This key can only access models=['a']",
            "Model grok-vision-beta is not available",
        ] {
            assert!(is_plain(&error(400, words)), "{words}");
        }
        assert!(is_told(&error(400, "The API deployment for this resource does not exist.")));
    }

    #[test]
    fn what_a_model_does_not_take_or_not_now_is_something_else() {
        for words in [
            "max_tokens is not supported with this model",
            "the parameter of this model is not supported",
            "Streaming is not supported by model m",
            "Model streaming is not supported",
            "The model is not available right now, try again later",
            "This model does not support images",
        ] {
            assert!(!is_told(&error(400, words)), "{words}");
        }
        assert!(!is_plain(&error(429, "Model m is not available")));
    }

    #[test]
    fn a_server_that_fails_must_name_the_model_that_was_asked_for() {
        let backends = "could not load model - all backends returned error: model m not found";
        assert!(is_told(&error(500, backends)));
        assert!(is_told(&error(500, "model 'm' not found, try pulling it first")));
        assert!(!is_told(&error(500, "model weights not found on this node")));
        assert!(!is_told(&error(503, "model m is not available")));
    }

    #[test]
    fn its_codes_are_known_by_how_they_end() {
        let knows = |code: &str| has_code(&[code.to_owned()]);
        for code in [
            "modelnotfound",
            "modelnotfounderror",
            "invalidendpointormodelnotfound",
            "modelnotsupported",
            "unknownmodel",
            "unavailablemodel",
            "keymodelaccessdenied",
            "aimodelnotsupported",
        ] {
            assert!(knows(code), "{code}");
        }
        for code in ["unsupportedmodelfeature", "multimodalnotsupported", "modelerror"] {
            assert!(!knows(code), "{code}");
        }
    }
}
