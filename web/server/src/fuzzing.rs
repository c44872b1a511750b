//! What `cargo fuzz` calls; see `docs/fuzzing.md`. The tests replay its corpus.

use crate::protocol::{ClientMessage, ServerMessage};

/// A message from a page.
///
/// # Panics
/// When one is taken that is out of its range.
pub(crate) fn message(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let message = match ClientMessage::parse(text) {
        Ok(message) => message,
        Err(refusal) => {
            assert!(!refusal.message.is_empty());
            ServerMessage::Error(refusal).to_json();
            return;
        }
    };
    match message {
        ClientMessage::Change { change, .. } => assert!(change.is_within_bounds()),
        ClientMessage::IceCandidate { line, mid, .. } => {
            assert!(line.is_none_or(|line| line <= 255));
            assert!(mid.is_none_or(|mid| mid.chars().count() <= 64));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_corpus_is_read_as_it_should_be() {
        live_vlm_corpus::replay("message", super::message);
    }
}
