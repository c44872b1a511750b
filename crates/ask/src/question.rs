//! One question, from the wish to ask to the complete answer. It is read downwards: a turn is
//! waited for, the subject chooses what to ask about, the question is sent, and its answer told as
//! it is written.

use std::{sync::Arc, time::Duration};

use live_vlm_dispatch::{Dispatcher, Member, Turn, Want};
use vlm_client::{ChatRequest, Error, ErrorKind, choose_model};

use crate::{
    Answer, CANCELLED, Changes, ChosenModel, Failure, Outcome, QuestionSettings, Subject, Told,
    millis::millis, writing::Writing,
};

const MODELS_TIMEOUT: Duration = Duration::from_secs(10);
/// How many servers one question is put to, should they fail.
const SERVERS: usize = 3;

/// Why no answer came to one server's turn.
enum Missed {
    Cancelled,
    Failed(Failure),
}

/// A question has its answer.
struct Answered {
    /// Whether the next one is due already, and waits for its turn.
    again: bool,
}

/// What asks one question after the other.
#[derive(Debug)]
pub(crate) struct Questions {
    pub(crate) dispatcher: Dispatcher,
    pub(crate) chosen: Arc<ChosenModel>,
    /// Names the asker to the VLM server.
    pub(crate) user: String,
    /// The number of the newest question.
    pub(crate) seq: u64,
}

impl Questions {
    /// Asks one question, of another server if the first one fails.
    pub(crate) async fn ask<S: Subject>(
        &mut self,
        member: &mut Member,
        settings: &QuestionSettings,
        subject: &mut S,
        changes: &mut Changes,
    ) -> Outcome<S::Clip> {
        let mut want = Want { urgent: subject.is_urgent(), avoid: None, near: subject.lead() };
        let mut failed = None;
        for servers_left in (0..SERVERS).rev() {
            let mut turn = match turn(member, want, subject, changes).await {
                Ok(turn) => turn,
                Err(missed) => {
                    // What was taken for a question that nobody answers is asked about again.
                    if let Some(clip) = failed {
                        subject.put_back(clip);
                    }
                    return missed.into();
                }
            };
            let mut clip = match failed.take() {
                Some(clip) => clip,
                None => tokio::select! {
                    biased;
                    chosen = subject.choose() => match chosen {
                        Some(clip) => clip,
                        None => return Outcome::Nothing,
                    },
                    _ = changes.question.changed() => return Outcome::Cancelled,
                },
            };
            match self.ask_about(&mut clip, settings, subject, &mut turn, changes).await {
                Ok(Answered { again }) => return Outcome::Answered { again },
                Err(Missed::Failed(Failure { error: Some(error), .. }))
                    if servers_left > 0 && error.is_servers_fault() && turn.has_other() =>
                {
                    want.avoid = Some(turn.backend());
                    failed = Some(clip);
                }
                Err(Missed::Failed(failure)) => {
                    return Outcome::Failed(failure, Some(Box::new(clip)));
                }
                Err(Missed::Cancelled) => {
                    subject.put_back(clip);
                    return Outcome::Cancelled;
                }
            }
        }
        Outcome::Nothing
    }

    /// Asks the server whose turn it is, until the answer has become worthless.
    async fn ask_about<S: Subject>(
        &mut self,
        clip: &mut S::Clip,
        settings: &QuestionSettings,
        subject: &mut S,
        turn: &mut Turn<'_>,
        changes: &mut Changes,
    ) -> Result<Answered, Missed> {
        self.seq += 1;
        let mut answer = Answer {
            seq: self.seq,
            prompt: settings.prompt.clone(),
            api_base: turn.endpoint().base().to_owned(),
            ..Answer::default()
        };
        subject.tell(clip, &answer, Told::Asked);
        let asked = tokio::select! {
            asked = self.question_and_answer(clip, settings, subject, turn, &mut answer) => asked,
            _ = changes.question.changed() => {
                answer.done = true;
                answer.finish_reason = CANCELLED.into();
                answer.age_ms = millis(subject.captured(clip).elapsed());
                subject.tell(clip, &answer, Told::Cancelled);
                return Err(Missed::Cancelled);
            }
        };
        match asked {
            Ok(()) => {
                let again = subject.is_due();
                if again {
                    turn.again();
                }
                Ok(Answered { again })
            }
            Err(failure) => missed(failure, clip, &answer, subject, turn),
        }
    }

    async fn question_and_answer<S: Subject>(
        &self,
        clip: &mut S::Clip,
        settings: &QuestionSettings,
        subject: &mut S,
        turn: &mut Turn<'_>,
        answer: &mut Answer,
    ) -> Result<(), Failure> {
        answer.model = self.model(settings, turn).await?;
        let request = ChatRequest {
            model: answer.model.clone(),
            prompt: settings.prompt.clone(),
            system_prompt: settings.system_prompt.clone(),
            pictures: subject.pictures(clip).await?,
            max_tokens: settings.max_tokens,
            temperature: settings.temperature,
            response_schema: settings.response_schema.clone(),
            extra: settings.extra.over(turn.extra()),
            stream: true,
            user: self.user.clone(),
        };
        turn.sent(&request.model, subject.captured(clip));
        let mut writing = Writing::new(answer, subject, clip);
        let client = self.dispatcher.client();
        let stream =
            client.ask(turn.endpoint(), &request, &turn.headers(), settings.timeout).await?;
        let summary = writing.take_all(stream, turn).await?;
        writing.end(summary);
        turn.answered(answer.tokens_in, Some(answer.tokens_out));
        Ok(())
    }

    async fn model(&self, settings: &QuestionSettings, turn: &Turn<'_>) -> Result<String, Failure> {
        if !turn.model().is_empty() {
            return Ok(turn.model().to_owned());
        }
        let endpoint = turn.endpoint();
        if let Some(model) = self.chosen.of(endpoint.base()) {
            return Ok(model);
        }
        let client = self.dispatcher.client();
        let models = client.models(endpoint, MODELS_TIMEOUT.min(settings.timeout)).await?;
        let Some(model) = choose_model(&models) else {
            return Err(Error::new(endpoint.base(), ErrorKind::NoModel).into());
        };
        self.chosen.choose(endpoint.base(), &model.id);
        Ok(model.id.clone())
    }
}

/// Waits for a turn.
async fn turn<'a, S: Subject>(
    member: &'a mut Member,
    want: Want,
    subject: &S,
    changes: &mut Changes,
) -> Result<Turn<'a>, Missed> {
    let urgency = member.urgency();
    let mut turn = std::pin::pin!(member.turn(want, || subject.near()));
    loop {
        if !subject.asks() {
            return Err(Missed::Cancelled);
        }
        tokio::select! {
            biased;
            _ = changes.schedule.changed() => {}
            turn = &mut turn => return turn.map_err(|none| Missed::Failed(none.into())),
            _ = changes.question.changed() => return Err(Missed::Cancelled),
            _ = changes.now.changed() => urgency.make_urgent(),
        }
    }
}

/// The question has failed. What is said of this one answer alone is no failure of asking.
fn missed<S: Subject>(
    failure: Failure,
    clip: &S::Clip,
    answer: &Answer,
    subject: &mut S,
    turn: &mut Turn<'_>,
) -> Result<Answered, Missed> {
    match &failure.error {
        Some(error) => turn.failed(error),
        None => turn.failed_here(failure.kind),
    }
    if failure.error.as_ref().is_some_and(|error| error.is_of_this_answer()) {
        subject.tell(clip, answer, Told::Worthless(&failure));
        return Ok(Answered { again: false });
    }
    subject.tell(clip, answer, Told::Missed);
    // An answer that has begun is not begun anew elsewhere under the reader's eyes.
    let error = failure.error.filter(|_| !answer.is_begun());
    Err(Missed::Failed(Failure { error, ..failure }))
}

impl<C> From<Missed> for Outcome<C> {
    fn from(missed: Missed) -> Self {
        match missed {
            Missed::Cancelled => Self::Cancelled,
            Missed::Failed(failure) => Self::Failed(failure, None),
        }
    }
}
