use live_vlm_media_processes::{OfferAnswered, OfferFailure, PeerEvent};
use live_vlm_pictures::Undecodable;
use tokio::sync::mpsc;
use vlm_client::Endpoint;

use crate::{refusal::Refusal, session::asking::AskEvent};

/// How many events may wait.
const ROOM: usize = 512;
/// Pieces of answers leave this much room to everything else, of which there is little.
const RESERVED: usize = 256;

/// What its own tasks and its video tell a session. They have one queue, so that none can overtake
/// one before it.
pub(super) enum Event {
    /// From the video of this number; those of earlier ones come too late.
    Video { number: u64, event: VideoEvent },
    /// An offer was answered, or not.
    Negotiated(Result<OfferAnswered, OfferFailure>),
    /// A picture of the page cannot be decoded.
    Undecodable(Undecodable),
    /// A model was looked for in its server's list.
    ModelChecked { number: u64, change: ModelChange, listed: Result<Option<Vec<String>>, Refusal> },
}

/// What a video tells, or whoever asks about it.
#[derive(Debug)]
pub(super) enum VideoEvent {
    Peer(PeerEvent),
    Asked(AskEvent),
}

/// A model that a session is to ask.
pub(super) struct ModelChange {
    pub(super) endpoint: Endpoint,
    pub(super) model: String,
}

/// The end that tells.
#[derive(Clone)]
pub(super) struct Events(mpsc::Sender<Event>);

impl Events {
    pub(super) fn new() -> (Self, mpsc::Receiver<Event>) {
        let (events, told) = mpsc::channel(ROOM);
        (Self(events), told)
    }

    /// For tasks, which wait until there is room.
    pub(super) async fn send(&self, event: Event) {
        let _ = self.0.send(event).await;
    }

    /// For those that must not wait. When the session is overwhelmed it misses pieces of an answer.
    pub(super) fn video(&self, number: u64, event: VideoEvent) {
        let may_be_missed = matches!(&event, VideoEvent::Asked(AskEvent::Piece(_)));
        if may_be_missed && self.0.capacity() <= RESERVED {
            return;
        }
        if let Err(error) = self.0.try_send(Event::Video { number, event }) {
            tracing::debug!(%error, "an event of a video was dropped");
        }
    }
}

#[cfg(test)]
mod tests {
    use live_vlm_ask::Answer;

    use super::*;
    use crate::session::answers::Piece;

    #[tokio::test]
    async fn whole_answers_keep_their_place_when_pieces_find_no_room() {
        let (events, mut told) = Events::new();
        for seq in 0..ROOM as u64 {
            let piece = Piece { seq, ..Piece::default() };
            events.video(1, VideoEvent::Asked(AskEvent::Piece(piece)));
        }
        let answer = Answer { seq: 1000, done: true, ..Answer::default() };
        events.video(1, VideoEvent::Asked(AskEvent::Answer(Box::new(answer))));
        events.video(1, VideoEvent::Peer(PeerEvent::FirstFrame));
        let mut seqs = Vec::new();
        while let Ok(Event::Video { event: VideoEvent::Asked(event), .. }) = told.try_recv() {
            seqs.push(match event {
                AskEvent::Piece(piece) => piece.seq,
                AskEvent::Answer(answer) => answer.seq,
                other => panic!("{other:?}"),
            });
        }
        let pieces = (ROOM - RESERVED) as u64;
        assert_eq!(seqs, (0..pieces).chain([1000]).collect::<Vec<_>>());
    }
}
