use std::time::{Duration, Instant};

use live_vlm_ask::{Answer, CANCELLED, Failure, QuestionSettings, Subject, Told};
use live_vlm_media_processes::{self as media, NoQuestion, NothingToAsk, TurnNear, Want};
use tokio::sync::{mpsc, oneshot, watch};
use vlm_client::Picture;

use super::{AskEvent, AskSettings};
use crate::session::answers::AnswerError;

/// Asks the media process for what to ask about: the turn is there.
pub(super) type Request = oneshot::Sender<Result<media::Question, NoQuestion>>;

/// A video, as something to ask about.
pub(super) struct Video {
    settings: watch::Receiver<AskSettings>,
    tell: Box<dyn Fn(AskEvent) + Send + Sync>,
    requests: Option<mpsc::Sender<Request>>,
    near: Option<TurnNear>,
    lead: Option<Duration>,
    is_urgent: bool,
    /// When the last question's turn came.
    began: Option<Instant>,
    /// An answer of which something was told, and not the end.
    begun: Option<Answer>,
}

/// What one question is about.
pub(super) struct Pictures {
    captured: Instant,
    pictures: Result<Vec<Picture>, String>,
}

impl Video {
    pub(super) fn new(
        settings: watch::Receiver<AskSettings>,
        tell: Box<dyn Fn(AskEvent) + Send + Sync>,
    ) -> Self {
        Self {
            settings,
            tell,
            requests: None,
            near: None,
            lead: None,
            is_urgent: false,
            began: None,
            begun: None,
        }
    }

    pub(super) fn begin(&mut self, want: &Want<'_>, requests: mpsc::Sender<Request>) {
        self.is_urgent = want.is_urgent();
        self.near = Some(want.near());
        self.lead = Some(want.lead());
        self.requests = Some(requests);
    }

    pub(super) fn report(&self, event: AskEvent) {
        (self.tell)(event);
    }

    /// The question was dropped. Whoever has seen its answer's beginning is told that no end will
    /// come.
    pub(super) fn cancelled(&mut self) {
        if let Some(begun) = self.begun.take() {
            let finish_reason = CANCELLED.to_owned();
            let (done, delta) = (true, String::new());
            let cancelled = Answer { done, delta, finish_reason, ..begun };
            self.report(AskEvent::Answer(Box::new(cancelled)));
        }
    }
}

impl Subject for Video {
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
        self.lead
    }

    fn near(&self) {
        if let Some(near) = &self.near {
            near.tell();
        }
    }

    async fn choose(&mut self) -> Option<Pictures> {
        self.began = Some(Instant::now());
        let (request, reply) = oneshot::channel();
        self.requests.as_ref()?.send(request).await.ok()?;
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
        match told {
            Told::Asked => self.begun = None,
            Told::SoFar => {
                self.begun = Some(answer.clone());
                self.report(AskEvent::Answer(Box::new(answer.clone())));
            }
            Told::Complete => {
                self.begun = None;
                self.report(AskEvent::Answer(Box::new(answer.clone())));
            }
            Told::Cancelled => {
                self.begun = None;
                if answer.is_begun() {
                    self.report(AskEvent::Answer(Box::new(answer.clone())));
                }
            }
            Told::Missed => self.begun = None,
            Told::Worthless(failure) => {
                self.begun = None;
                self.report(AskEvent::Failed(AnswerError {
                    seq: answer.seq,
                    kind: failure.kind,
                    message: failure.message.clone(),
                    retry_in_ms: 0,
                    limit: None,
                }));
            }
        }
    }

    fn is_due(&self) -> bool {
        let settings = self.settings.borrow();
        // Whether there is anything new to ask about is seen before the next turn.
        !settings.only_changes
            && self.began.is_some_and(|began| began.elapsed() >= settings.interval)
    }
}

fn picture(picture: media::Picture) -> Picture {
    Picture::jpeg(&picture.jpeg).labelled(picture.label)
}
