//! From the wish of a media process to ask to the end of its question.

use std::time::Duration;

use live_vlm_ask::{Asker, Changes, Failure, Outcome};
use live_vlm_media_processes::{self as media, Turns, Want};
use tokio::{sync::mpsc, time::timeout};

use super::{
    AskEvent,
    video::{Request, Video},
};
use crate::session::answers::AnswerError;

/// How often a question is asked again after a failure that may pass.
const RETRIES: u32 = 2;
/// A turn that follows at once is kept for the video for so long.
const NEXT_WANT: Duration = Duration::from_secs(1);

/// Asks one question after the other, until the video is over.
pub(super) async fn ask_on(
    mut turns: Turns,
    mut asker: Asker,
    mut about: Video,
    mut changes: Changes,
) {
    let mut again = false;
    loop {
        let want = match again {
            // Its place in the queue is kept, so it must not be waited for without end.
            true => timeout(NEXT_WANT, turns.want()).await,
            false => Ok(turns.want().await),
        };
        again = match want {
            Ok(Some(want)) => ask_once(want, &mut asker, &mut about, &mut changes).await,
            Ok(None) => return,
            Err(_) => {
                asker.give_place_up();
                false
            }
        };
    }
}

/// Asks one question, if the video still wants it when its turn comes. True if the next one is due
/// already, and has its place in the queue.
async fn ask_once(
    mut want: Want<'_>,
    asker: &mut Asker,
    about: &mut Video,
    changes: &mut Changes,
) -> bool {
    let (requests, mut requested) = mpsc::channel(1);
    about.begin(&want, requests);
    let outcome = tokio::select! {
        biased;
        outcome = asker.ask(about, changes) => Some(outcome),
        () = supply(&mut want, &mut requested) => None,
    };
    let (ends, again) = match outcome {
        Some(Outcome::Answered { again }) => (again, again),
        Some(Outcome::Cancelled) => (true, false),
        Some(Outcome::Nothing) => (false, false),
        Some(Outcome::Failed(failure, _)) => {
            (follow_failure(failure, asker, about, changes).await, false)
        }
        None => {
            about.cancelled();
            (false, false)
        }
    };
    want.end(if ends { media::Outcome::Again } else { media::Outcome::Done });
    again
}

/// Hands the want's question over when the turn is there. Ends when the want was given up.
async fn supply(want: &mut Want<'_>, requested: &mut mpsc::Receiver<Request>) {
    loop {
        tokio::select! {
            () = want.given_up() => return,
            Some(request) = requested.recv() => {
                let question = want.turn().await;
                let _ = request.send(question);
            }
        }
    }
}

/// Tells of a failure, and leaves the VLM alone for a while. True if the next question is to be
/// asked at once then.
async fn follow_failure(
    failure: Failure,
    asker: &mut Asker,
    about: &Video,
    changes: &mut Changes,
) -> bool {
    let next = asker.failed(&failure, RETRIES);
    if next.is_told {
        let Failure { kind, message, limit, .. } = failure;
        let retry_in_ms = u64::try_from(next.after.as_millis()).unwrap_or(u64::MAX);
        let seq = asker.seq();
        about.report(AskEvent::Failed(AnswerError { seq, kind, message, retry_in_ms, limit }));
    }
    let has_changed = asker.wait_after(next, changes).await;
    next.retry || has_changed
}
