//! Of which kind an error is: by its codes and its words, and by its status where they say nothing.
//! Pure.

mod filtered;
mod refused_key;
mod said;
mod text_only;
mod too_large;
mod used_up;

use said::Said;
use text_only::says_no_pictures;

/// What an error means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    NoVision,
    ModelUnknown,
    Declined,
    RateLimited,
    Unauthorized,
    NoApi,
    TooLarge,
    Redirect,
    Refused,
    Failed,
}

impl Kind {
    /// The kind of an error with this status, with these codes in small letters and with these
    /// words; whether a model was asked for.
    pub(super) fn of(status: u16, codes: &[String], words: &str, names_model: bool) -> Self {
        if (300..400).contains(&status) {
            return Self::Redirect;
        }
        let said = Said::new(words);
        let says = |parts: &[&str]| said.has(parts);
        let is = |known: &[&str]| codes.iter().any(|code| known.contains(&&**code));
        if names_model && says_no_pictures(&said.words) {
            return Self::NoVision;
        }
        if filtered::has_code(codes) {
            return Self::Declined;
        }
        if used_up::has_code(codes) {
            return Self::RateLimited;
        }
        if names_model && is(&UNKNOWN_MODEL_CODES) {
            return Self::ModelUnknown;
        }
        // Whoever may not do something has paid too little.
        if refused_key::has_code(codes)
            && !used_up::says_so(&said)
            && !refused_key::is_of_file(&said)
        {
            return Self::Unauthorized;
        }
        // LM Studio answers so with 200 where there is nothing.
        if says(&["unexpected endpoint"]) {
            return Self::NoApi;
        }
        if used_up::says_so(&said) {
            return Self::RateLimited;
        }
        if refused_key::says_so(&said) {
            return Self::Unauthorized;
        }
        if status < 500 && filtered::says_so(&said) {
            return Self::Declined;
        }
        if too_large::says_so(&said) {
            return Self::TooLarge;
        }
        let of_model = says(&["model", "deployment"]);
        let unknown = (of_model && says(&UNKNOWN)) || says(&UNKNOWN_MODEL);
        if names_model && unknown && status < 500 {
            return Self::ModelUnknown;
        }
        match status {
            401 | 403 => Self::Unauthorized,
            402 | 429 => Self::RateLimited,
            // A server without this API answers with a page; one without the model says its name.
            404 if names_model && says(&["model"]) => Self::ModelUnknown,
            404 | 405 => Self::NoApi,
            413 => Self::TooLarge,
            // Time-outs, conflicts, and what comes too early pass; so does what TGI calls a failed
            // dependency.
            408 | 409 | 424 | 425 => Self::Failed,
            400..500 => Self::Refused,
            _ => Self::Failed,
        }
    }
}

/// Whether a code has one of these parts, and none of those.
fn has_part(codes: &[String], parts: &[&str], but: &[&str]) -> bool {
    let has = |code: &str, parts: &[&str]| parts.iter().any(|part| code.contains(part));
    codes.iter().any(|code| has(code, parts) && !has(code, but))
}

const UNKNOWN_MODEL_CODES: [&str; 7] = [
    "modelnotfound",
    "modelnotfounderror",
    "modelnotexist",
    "modelnotavailable",
    "modeldecommissioned",
    "deploymentnotfound",
    "invalidmodel",
];
const UNKNOWN: [&str; 12] = [
    "not found",
    "does not exist",
    "not exist",
    "doesn't exist",
    "unknown model",
    "invalid model",
    "not a valid model",
    "unrecognized model",
    "no such model",
    "is not loaded",
    "decommissioned",
    "no longer available",
];
const UNKNOWN_MODEL: [&str; 2] = ["no endpoints found", "no models loaded"];
