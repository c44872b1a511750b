//! Errors that say that a key is missing, wrong or not enough.

use super::{
    error_text::{ErrorText, has},
    has_part,
};

/// What their codes have in them.
const CODE_PARTS: [&str; 17] = [
    "apikey",
    "unauthorized",
    "unauthenticated",
    "authenticationerror",
    "authenticationfail",
    "authenticationtoken",
    "invalidauthentication",
    "autherror",
    "authfail",
    "invalidtoken",
    "expiredtoken",
    "permissiondenied",
    "permissionerror",
    "accessdenied",
    "unrecognizedclient",
    "signaturedoesnotmatch",
    // LiteLLM's proxy, which has nowhere else to look for a key that is not its own.
    "nodbconnection",
];

/// What is said of keys alone.
const SAID: [&str; 14] = [
    "unauthorized",
    "unauthenticated",
    "authentication",
    "not authenticated",
    "not authorized",
    "login fail",
    "no auth credentials",
    "invalid_api_key",
    "authorization required",
    "invalid proxy server token",
    // Chinese: the key is wrong, out of date, or not let in.
    "令牌已过期",
    "无效的令牌",
    "身份验证失败",
    "鉴权失败",
];
/// What some say who have no more words.
const ALL_THAT_IS_SAID: [&str; 4] =
    ["invalid token", "token expired", "token is invalid", "token has expired"];

/// What a key is called, ...
const NAMES: [&str; 13] = [
    "api key",
    "api-key",
    "apikey",
    "api_key",
    "api secret key",
    "api token",
    "access token",
    "auth token",
    "bearer",
    "authorization header",
    "subscription key",
    "credential",
    "jwt",
];
/// ... and what may be wrong with it.
const FAULTS: [&str; 16] = [
    "invalid",
    "incorrect",
    "not valid",
    "missing",
    "no api",
    "not provided",
    "provide",
    "required",
    "expired",
    "wrong",
    "revoked",
    "disabled",
    "malformed",
    "no access",
    "verification failed",
    "could not validate",
];
/// The same, which may be said of a model as well unless the key stands beside it.
const FAULTS_NEAR: [&str; 4] = ["not found", "not exist", "n't exist", "unknown"];
/// How near, in bytes.
const NEAR: usize = 40;

/// What the system says of a file.
const OF_FILES: [&str; 6] = ["errno", "os error", "eacces", "denied: '", "denied: \"/", "open /"];

pub(super) fn has_code(codes: &[String]) -> bool {
    has_part(codes, &CODE_PARTS, &[])
}

/// Whether a file is what could not be opened.
pub(super) fn is_of_file(error: &ErrorText) -> bool {
    error.has(&OF_FILES)
}

pub(super) fn says_so(error: &ErrorText) -> bool {
    let words = error.words.trim_matches(|c: char| !c.is_alphanumeric());
    error.has(&SAID)
        || ALL_THAT_IS_SAID.contains(&words)
        || (error.has(&["permission denied"]) && !is_of_file(error))
        || (error.has(&NAMES) && (error.has(&FAULTS) || is_near(&error.words)))
}

fn is_near(words: &str) -> bool {
    let names = NAMES.iter().flat_map(|name| words.match_indices(name));
    let mut around = names.map(|(at, name)| {
        let from = words.floor_char_boundary(at.saturating_sub(NEAR));
        &words[from..words.floor_char_boundary(at + name.len() + NEAR)]
    });
    around.any(|around| has(around, &FAULTS_NEAR))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(words: &str) -> bool {
        says_so(&ErrorText::new(400, words, Some("m")))
    }

    #[test]
    fn a_refused_key_is_known_in_every_vendors_words() {
        for words in [
            "Incorrect API key provided: sk-x.",
            "No API key found in request",
            "Unknown API key",
            "The access token expired",
            "Not authenticated",
            "Invalid token",
            "Could not validate credentials",
            "令牌已过期或验证不正确！",
            "Permission denied on the project",
            "login fail: Please carry the API secret key in the 'Authorization' field",
            "Missing or invalid Authorization header.",
        ] {
            assert!(says(words), "{words}");
        }
    }

    #[test]
    fn a_file_a_word_of_a_text_and_a_model_are_no_keys() {
        for words in [
            "[Errno 13] Permission denied: '/root/.cache/huggingface'",
            "failed to load the model: Permission denied (os error 13)",
            "Unexpected token < in JSON",
            "invalid token in the grammar at line 3",
            "The model x was not found among those which it is possible to use with this API key",
        ] {
            assert!(!says(words), "{words}");
        }
    }

    #[test]
    fn its_codes_are_known_by_their_parts() {
        let knows = |code: &str| has_code(&[code.to_owned()]);
        for code in [
            "invalidapikey",
            "authfailuresecretidnotfound",
            "authenticationerror",
            "missingauthenticationtokenexception",
            "accessdeniedexception",
            "invalidtoken",
            "expiredtokenexception",
        ] {
            assert!(knows(code), "{code}");
        }
        assert!(!knows("invalidrequesterror"));
    }
}
