//! A video, as something to ask about: its media process wants to ask, and says on its turn what
//! about.

use std::{
    future,
    sync::Arc,
    time::{Duration, Instant},
};

use live_vlm_ask::{Answer, Failure, QuestionSettings, Subject, Told};
use live_vlm_media_processes::{self as media, NoQuestion, NothingToAsk, TurnNear, Turns, Want};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};
use vlm_client::Picture;

use super::{
    AskSettings,
    questioner::{NEXT_WANT, Questioner},
    replacement::Replacement,
    telling::Telling,
};

/// Asks the media process for what to ask about: the turn is there.
type Request = oneshot::Sender<Result<media::Question, NoQuestion>>;

/// Asks one question after the other, until the video is over or something else is asked about.
pub(super) async fn ask_on(mut turns: Turns, questioner: &mut Questioner) {
    let mut has_place = false;
    loop {
        let replacement = Arc::clone(&questioner.replacement);
        let next = async {
            match has_place {
                // Its place in the queue is kept, so it must not be waited for without end.
                true => timeout(NEXT_WANT, turns.want()).await,
                false => Ok(turns.want().await),
            }
        };
        let want = tokio::select! {
            biased;
            () = replacement.there() => return,
            want = next => want,
        };
        has_place = match want {
            Ok(Some(want)) => ask_once(want, questioner).await,
            Ok(None) => return,
            Err(_) => {
                questioner.asker.give_place_up();
                false
            }
        };
    }
}

/// Asks one question, if the video still wants it when its turn comes. True if the next one is due
/// already, and has its place in the queue.
async fn ask_once(mut want: Want<'_>, questioner: &mut Questioner) -> bool {
    let (requests, mut requested) = mpsc::channel(1);
    let Questioner { asker, telling, settings, changes, replacement } = &mut *questioner;
    let (near, lead, is_urgent) = (want.near(), want.lead(), want.is_urgent());
    let mut video = Video { settings, telling, requests, near, lead, is_urgent, began: None };
    let outcome = tokio::select! {
        biased;
        outcome = asker.ask(&mut video, changes) => Some(outcome),
        () = supply(&mut want, &mut requested, replacement) => None,
    };
    let ended = questioner.follow(outcome).await;
    want.end(if ended.at_once { media::Outcome::Again } else { media::Outcome::Done });
    ended.has_place
}

/// Hands the want's question over when the turn is there. Ends when the want was given up, or
/// something else is asked about; but a question that was handed over before that is asked.
async fn supply(
    want: &mut Want<'_>,
    requested: &mut mpsc::Receiver<Request>,
    replacement: &Replacement,
) {
    let mut has_question = false;
    loop {
        tokio::select! {
            () = replacement.there() => {
                if has_question {
                    future::pending::<()>().await;
                }
                return;
            }
            () = want.given_up() => {
                if !(has_question && replacement.is_there()) {
                    return;
                }
            }
            Some(request) = requested.recv() => {
                let question = want.turn().await;
                has_question = question.is_ok();
                let _ = request.send(question);
            }
        }
    }
}

/// One question about a video.
struct Video<'a> {
    settings: &'a mut watch::Receiver<AskSettings>,
    telling: &'a mut Telling,
    requests: mpsc::Sender<Request>,
    near: TurnNear,
    lead: Duration,
    is_urgent: bool,
    /// When its turn came.
    began: Option<Instant>,
}

/// What one question is about.
struct Pictures {
    captured: Instant,
    pictures: Result<Vec<Picture>, String>,
}

impl Subject for Video<'_> {
    type Clip = Pictures;

    fn settings(&mut self) -> Result<QuestionSettings, Failure> {
        Ok(self.settings.borrow_and_update().question())
    }

    fn is_urgent(&self) -> bool {
        self.is_urgent
    }

    fn asks(&self) -> bool {
        self.settings.borrow().asks
    }

    fn lead(&self) -> Option<Duration> {
        Some(self.lead)
    }

    fn near(&self) {
        self.near.tell();
    }

    async fn choose(&mut self) -> Option<Pictures> {
        self.began = Some(Instant::now());
        let (request, reply) = oneshot::channel();
        self.requests.send(request).await.ok()?;
        match reply.await.ok()? {
            Ok(question) => Some(Pictures {
                captured: question.pictures.last()?.captured,
                pictures: Ok(question.pictures.into_iter().map(picture).collect()),
            }),
            Err(NoQuestion::Nothing(NothingToAsk::Unencodable(why))) => {
                Some(Pictures { captured: Instant::now(), pictures: Err(why) })
            }
            Err(_) => None,
        }
    }

    fn put_back(&mut self, _: Pictures) {}

    fn captured(&self, clip: &Pictures) -> Instant {
        clip.captured
    }

    async fn pictures(&mut self, clip: &mut Pictures) -> Result<Vec<Picture>, Failure> {
        let encode = |why: &String| Failure {
            same_frame: false,
            ..Failure::new("encode", why.clone(), true)
        };
        clip.pictures.clone().map_err(|why| encode(&why))
    }

    fn tell(&mut self, _: &Pictures, answer: &Answer, told: Told<'_>) {
        self.telling.tell(answer, told);
    }

    fn is_due(&self) -> bool {
        let settings = self.settings.borrow();
        // Whether there is anything new to ask about is seen before the next turn.
        settings.min_change <= 0.0
            && self.began.is_some_and(|began| began.elapsed() >= settings.interval)
    }
}

fn picture(picture: media::Picture) -> Picture {
    Picture::jpeg(&picture.jpeg).labelled(picture.label)
}
