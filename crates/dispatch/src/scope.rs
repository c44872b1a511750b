//! How far a failure reaches: whom else it keeps from asking.

use crate::core::Scope;
use vlm_client::{Error, ErrorKind};

/// What is at fault if a question ends with this error; `None` = the question, or whoever asks it.
///
/// Behind one address there may be many models, each with a server of its own. So all that was
/// said of one question, and any answer that did not come, concerns its model alone.
pub(super) fn of(error: &Error) -> Option<Scope> {
    match error.kind {
        ErrorKind::Refused | ErrorKind::Network { .. } | ErrorKind::Tls { .. } => {
            Some(Scope::Server)
        }
        _ if error.is_servers_fault() => Some(Scope::Model),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use vlm_client::Failure;

    use super::*;

    #[test]
    fn only_who_cannot_be_reached_is_left_alone_by_all() {
        let (reason, status, retry_after) = (String::new, 500, None);
        let server = [
            ErrorKind::Refused,
            ErrorKind::Network { reason: reason() },
            ErrorKind::Tls { reason: reason() },
        ];
        let model = [
            ErrorKind::Dropped { reason: reason() },
            ErrorKind::Timeout { after: std::time::Duration::ZERO },
            Failure::Unauthorized { status, reason: reason() }.into(),
            Failure::RateLimited { reason: reason(), retry_after }.into(),
            Failure::Server { status, reason: reason(), retry_after }.into(),
            Failure::Cut { reason: reason() }.into(),
        ];
        let nobody = [
            Failure::BadRequest { status, reason: reason() }.into(),
            Failure::ModelUnknown { model: String::new(), reason: reason() }.into(),
            Failure::NoVision { model: String::new(), reason: reason() }.into(),
            Failure::TooLarge { reason: reason() }.into(),
        ];
        let is = |kinds: &[ErrorKind], scope| {
            kinds.iter().all(|kind| of(&Error::new("b", kind.clone())) == scope)
        };
        assert!(is(&server, Some(Scope::Server)));
        assert!(is(&model, Some(Scope::Model)));
        assert!(is(&nobody, None));
    }
}
