//! What `cargo fuzz` calls; see `docs/fuzzing.md`. The tests replay its corpus.

use std::mem::discriminant;

use bytes::BufMut;

use crate::{Decoder, FromMedia, MAX_ATTACHMENT, Message, Received, ToMedia, encode};

/// A stream of frames, as a media process writes them and as it reads them. The first byte says in
/// pieces of how many bytes it arrives, which must make no difference.
///
/// # Panics
/// When it does make one, when a message is let through that could not be sent, or when more is kept
/// than the bounds allow.
pub fn media_link(data: &[u8]) {
    let Some((first, stream)) = data.split_first() else { return };
    let piece = usize::from(*first) + 1;
    both_ways::<FromMedia>(stream, piece);
    both_ways::<ToMedia>(stream, piece);
}

fn both_ways<M: Message + Clone + PartialEq + std::fmt::Debug>(stream: &[u8], piece: usize) {
    let whole = decode::<M>(stream, stream.len().max(1));
    assert_eq!(whole, decode(stream, piece));
    let mut sent = Vec::new();
    for Received { message, attachment } in &whole.0 {
        sent.extend(encode(message.clone(), attachment.len()).expect("a message that has come"));
        sent.extend(attachment);
    }
    let (again, error) = decode::<M>(&sent, sent.len().max(1));
    assert_eq!((again.len(), error), (whole.0.len(), None));
    for (before, after) in whole.0.iter().zip(&again) {
        assert_eq!(discriminant(&before.message), discriminant(&after.message));
        assert_eq!(before.attachment, after.attachment);
    }
}

/// What is read of a stream, and how it ends.
fn decode<M: Message>(stream: &[u8], piece: usize) -> (Vec<Received<M>>, Option<String>) {
    let mut decoder = Decoder::<M>::default();
    let mut messages = Vec::new();
    for mut piece in stream.chunks(piece) {
        while !piece.is_empty() {
            let taken = feed(&mut decoder, piece);
            assert!(taken > 0, "there is room whenever no message is complete");
            piece = &piece[taken..];
            loop {
                match decoder.next() {
                    Ok(Some(received)) => messages.push(received),
                    Ok(None) => break,
                    Err(error) => return (messages, Some(error.to_string())),
                }
            }
        }
    }
    (messages, None)
}

/// Puts in what there is room for; gives how much that was.
fn feed<M: Message>(decoder: &mut Decoder<M>, bytes: &[u8]) -> usize {
    let mut room = decoder.room();
    let taken = room.remaining_mut().min(bytes.len());
    assert!(taken <= MAX_ATTACHMENT);
    room.put_slice(&bytes[..taken]);
    taken
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_corpus_is_read_as_it_should_be() {
        live_vlm_corpus::replay("media_link", super::media_link);
    }
}
