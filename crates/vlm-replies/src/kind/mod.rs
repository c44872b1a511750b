//! Of which kind an error is: by its codes and its words, and by its status where they say nothing.
//! Pure.

mod error_text;
mod filtered;
mod names;
mod no_pictures;
mod refused_key;
mod text_only;
mod too_large;
mod unknown_model;
mod used_up;

use error_text::ErrorText;

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
    /// words; `model` is the one that was asked for.
    pub(super) fn of(status: u16, codes: &[String], words: &str, model: Option<&str>) -> Self {
        if (300..400).contains(&status) {
            return Self::Redirect;
        }
        let error = ErrorText::new(status, words, model);
        // What asks for a key or for patience may speak of pictures as well.
        let may_be_blind = model.is_some() && !matches!(status, 401 | 402 | 429);
        if may_be_blind && no_pictures::says_so(&error) {
            return Self::NoVision;
        }
        if let Some(kind) =
            Self::of_codes(codes, model.is_some()).and_then(|it| it.meant_by(&error))
        {
            return kind;
        }
        // LM Studio answers so with 200 where there is nothing.
        if error.has(&["unexpected endpoint"]) {
            return Self::NoApi;
        }
        if used_up::says_so(&error) {
            return Self::RateLimited;
        }
        let is_unknown = model.is_some() && unknown_model::is_told(&error);
        if is_unknown && unknown_model::is_plain(&error) {
            return Self::ModelUnknown;
        }
        if refused_key::says_so(&error) {
            return Self::Unauthorized;
        }
        if status < 500 && filtered::says_so(&error) {
            return Self::Declined;
        }
        if too_large::says_so(&error) {
            return Self::TooLarge;
        }
        if is_unknown {
            return Self::ModelUnknown;
        }
        Self::of_status(status, model.is_some() && error.has(&["model"]))
    }

    /// The kind that these codes stand for, if they are known.
    pub(super) fn of_codes(codes: &[String], names_model: bool) -> Option<Self> {
        if filtered::has_code(codes) {
            Some(Self::Declined)
        } else if used_up::has_code(codes) {
            Some(Self::RateLimited)
        } else if names_model && unknown_model::has_code(codes) {
            Some(Self::ModelUnknown)
        } else {
            refused_key::has_code(codes).then_some(Self::Unauthorized)
        }
    }

    /// What a code stands for beside these words; `None` if they speak against it.
    fn meant_by(self, error: &ErrorText) -> Option<Self> {
        match self {
            // Whoever may not do something has paid too little or asked for another's model.
            Self::Unauthorized if used_up::says_so(error) => Some(Self::RateLimited),
            Self::Unauthorized if error.model.is_some() && unknown_model::is_plain(error) => {
                Some(Self::ModelUnknown)
            }
            Self::Unauthorized if refused_key::is_of_file(error) => None,
            Self::ModelUnknown if error.status >= 500 && error.is_for_now() => None,
            kind => Some(kind),
        }
    }

    fn of_status(status: u16, is_of_model: bool) -> Self {
        match status {
            401 | 403 => Self::Unauthorized,
            402 | 420 | 429 => Self::RateLimited,
            // A server without this API answers with a page; one without the model says its name.
            404 if is_of_model => Self::ModelUnknown,
            404 | 405 => Self::NoApi,
            413 => Self::TooLarge,
            // Time-outs, conflicts, and what comes too early pass; so does what TGI calls a failed
            // dependency.
            408 | 409 | 424 | 425 => Self::Failed,
            // Groq has no room for cheap questions; somebody on the way has hung up.
            498 | 499 => Self::Failed,
            400..500 => Self::Refused,
            _ => Self::Failed,
        }
    }
}

/// Whether a code is one of these.
fn is_any(codes: &[String], known: &[&str]) -> bool {
    codes.iter().any(|code| known.contains(&&**code))
}

/// Whether a code has one of these parts, and none of those.
fn has_part(codes: &[String], parts: &[&str], but: &[&str]) -> bool {
    let has = |code: &str, parts: &[&str]| parts.iter().any(|part| code.contains(part));
    codes.iter().any(|code| has(code, parts) && !has(code, but))
}
