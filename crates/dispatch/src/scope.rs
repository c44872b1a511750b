//! How far a failure reaches: whom else it keeps from asking.

use crate::core::Scope;
use vlm_client::Error;

/// What is at fault if a question ends with this error; `None` = the question, or whoever asks it.
///
/// Behind one address there may be many models, each with a server of its own. So all that was
/// said of one question, and any answer that did not come, concerns its model alone.
pub(super) fn of(error: &Error) -> Option<Scope> {
    match error {
        Error::Refused { .. } | Error::Network { .. } | Error::Tls { .. } => Some(Scope::Server),
        _ if error.is_servers_fault() => Some(Scope::Model),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_cannot_be_reached_is_left_alone_by_all() {
        let (base, reason, status, retry_after) = (String::new, String::new, 500, None);
        let server = [
            Error::Refused { base: base() },
            Error::Network { base: base(), reason: reason() },
            Error::Tls { base: base(), reason: reason() },
        ];
        let model = [
            Error::Dropped { base: base(), reason: reason() },
            Error::Unauthorized { base: base(), status, reason: reason() },
            Error::RateLimited { base: base(), reason: reason(), retry_after },
            Error::Server { base: base(), status, reason: reason(), retry_after },
            Error::Timeout { base: base(), after: std::time::Duration::ZERO },
            Error::Cut { base: base(), reason: reason() },
        ];
        let nobody = [
            Error::BadRequest { base: base(), status, reason: reason() },
            Error::ModelUnknown { base: base(), model: String::new(), reason: reason() },
            Error::NoVision { base: base(), model: String::new(), reason: reason() },
            Error::TooLarge { base: base(), reason: reason() },
        ];
        assert!(server.iter().all(|error| of(error) == Some(Scope::Server)));
        assert!(model.iter().all(|error| of(error) == Some(Scope::Model)));
        assert!(nobody.iter().all(|error| of(error).is_none()));
    }
}
