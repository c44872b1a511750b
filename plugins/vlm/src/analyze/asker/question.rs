//! One question, from the wish to ask to the complete answer. It is read downwards: a turn is
//! waited for, the newest sample chosen and encoded, the question sent, and its answer told as it
//! is written.

use std::{sync::Arc, time::Duration};

use gst::glib;
use gst_vlm_structured::Schema;
use live_vlm_dispatch::{Dispatcher, Member, Turn, Want};
use vlm_client::{ChatRequest, Endpoint, Error, ErrorKind, Picture, choose_model};

use super::{
    super::{
        inbox::SharedInbox,
        sample::{Clip, Frame, Sample},
        settings::{Busy, ErrorPolicy, Settings},
        shared::{Run, Shared},
        text::{Captions, Lasts},
    },
    changes::Changes,
    failure::Failure,
    millis::millis,
    novelty::Novelty,
    report::Reporter,
    source::Source,
    writing::Writing,
};
use crate::messages::{Answer, AnswerError, CANCELLED};

const MODELS_TIMEOUT: Duration = Duration::from_secs(10);
/// How many servers one question is put to, should they fail.
const SERVERS: usize = 3;

/// How asking went.
pub(super) enum Outcome {
    Answered(Answered),
    /// A changed setting made it worthless; ask again at once.
    Cancelled,
    /// There was nothing (fresh, or new, enough) to ask about.
    Nothing,
    /// Without an answer; what it was asked about is given back.
    Failed(Failure, Option<Box<Clip>>),
}

/// A question has its answer.
pub(super) struct Answered {
    /// The structure of its message, unless it did not fit.
    pub(super) told: Option<gst::Structure>,
    /// Whether the next question is due already, and waits for its turn.
    pub(super) again: bool,
}

/// Why no answer came to one server's turn.
enum Missed {
    Cancelled,
    Failed(Failure),
}

/// What there is to ask about on a turn.
enum Choice {
    Clip(Clip),
    Nothing,
    /// The question has become worthless.
    Cancelled,
}

/// What asks one question after the other.
pub(super) struct Questions {
    pub(super) shared: Arc<Shared>,
    pub(super) run: Arc<Run>,
    pub(super) inbox: SharedInbox,
    pub(super) captions: Arc<Captions>,
    pub(super) dispatcher: Dispatcher,
    pub(super) reporter: Reporter,
    pub(super) source: Source,
    pub(super) novelty: Novelty,
    /// Whether somebody waits for the next question.
    pub(super) urgent: bool,
    /// The number of the newest question.
    pub(super) seq: u64,
}

impl Questions {
    /// Asks one question, of another server if the first one fails.
    pub(super) async fn ask(
        &mut self,
        member: &mut Option<Member>,
        changes: &mut Changes,
    ) -> Outcome {
        changes.question.borrow_and_update();
        let settings = self.shared.settings();
        let endpoint = match settings.endpoint() {
            Ok(endpoint) => endpoint,
            Err(error) => {
                // It may wait already for a turn that nobody would take.
                *member = None;
                let failure = Failure::new("settings", error.to_string(), false);
                return Outcome::Failed(failure, None);
            }
        };
        match self.join(member, &endpoint, &settings.model) {
            Ok(member) => self.ask_in_turn(member, &settings, changes).await,
            Err(failure) => Outcome::Failed(failure, None),
        }
    }

    fn join<'a>(
        &self,
        member: &'a mut Option<Member>,
        endpoint: &Endpoint,
        model: &str,
    ) -> Result<&'a mut Member, Failure> {
        if member.as_ref().is_some_and(|member| !member.asks(endpoint, model)) {
            *member = None;
        }
        match member {
            Some(member) => Ok(member),
            None => {
                let joined = self
                    .dispatcher
                    .join(endpoint, model)
                    .map_err(|full| Failure::new("full", full.to_string(), true))?;
                Ok(member.insert(joined))
            }
        }
    }

    async fn ask_in_turn(
        &mut self,
        member: &mut Member,
        settings: &Settings,
        changes: &mut Changes,
    ) -> Outcome {
        let is_due = !settings.on_demand;
        let mut want = Want { urgent: self.urgent, avoid: None };
        let mut failed = None;
        for servers_left in (0..SERVERS).rev() {
            let mut turn = match self.turn(member, want, settings, changes).await {
                Ok(turn) => turn,
                Err(missed) => {
                    // What was taken for a question that nobody answers is asked about again.
                    if let Some(clip) = failed {
                        self.inbox.put_back(clip, is_due);
                    }
                    return missed.into();
                }
            };
            let mut clip = match failed.take() {
                Some(clip) => clip,
                None => match self.choose(settings, changes).await {
                    Choice::Clip(clip) => clip,
                    Choice::Nothing => return Outcome::Nothing,
                    Choice::Cancelled => return Outcome::Cancelled,
                },
            };
            match self.ask_about(&mut clip, settings, &mut turn, changes).await {
                Ok(answered) => return Outcome::Answered(answered),
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
                    self.inbox.put_back(clip, is_due);
                    return Outcome::Cancelled;
                }
            }
        }
        Outcome::Nothing
    }

    /// Waits for a turn.
    async fn turn<'a>(
        &self,
        member: &'a mut Member,
        want: Want,
        settings: &Settings,
        changes: &mut Changes,
    ) -> Result<Turn<'a>, Missed> {
        let urgency = member.urgency();
        let near = || {
            if settings.on_demand {
                self.source.request_key_frame();
            }
        };
        let mut turn = std::pin::pin!(member.turn(want, near));
        loop {
            if !self.shared.with_settings(|settings| settings.ask) {
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

    /// Takes the newest sample, once it is fresh, with what is shown before it.
    async fn choose(&mut self, settings: &Settings, changes: &mut Changes) -> Choice {
        if settings.on_demand {
            let is_fresh = tokio::select! {
                is_fresh = self.source.fresh_frame() => is_fresh,
                _ = changes.question.changed() => return Choice::Cancelled,
            };
            if !is_fresh {
                return Choice::Nothing;
            }
        }
        let Some(clip) = self.inbox.take(settings.max_age(), settings.clip()) else {
            return Choice::Nothing;
        };
        if settings.min_change > 0.0
            && let Some(now) = self.novelty.thumbnail(&clip.newest.frame)
        {
            let looks = settings.on_demand && !self.urgent && !self.novelty.look_anyway;
            if looks && self.novelty.is_old(&now, settings.min_change) {
                return Choice::Nothing;
            }
            self.novelty.see(now);
        }
        Choice::Clip(clip)
    }

    /// Asks the server whose turn it is, until a changed setting makes the answer worthless.
    async fn ask_about(
        &mut self,
        clip: &mut Clip,
        settings: &Settings,
        turn: &mut Turn<'_>,
        changes: &mut Changes,
    ) -> Result<Answered, Missed> {
        self.seq += 1;
        self.run.count(|counters| counters.questions += 1);
        let mut answer = Answer {
            seq: self.seq,
            pts: clip.newest.pts,
            running_time: clip.newest.running_time,
            prompt: settings.prompt.clone(),
            api_base: turn.endpoint().base().to_owned(),
            ..Answer::default()
        };
        let asked = tokio::select! {
            asked = self.question_and_answer(clip, settings, turn, &mut answer) => asked,
            _ = changes.question.changed() => {
                self.cancel(&mut answer, &clip.newest);
                return Err(Missed::Cancelled);
            }
        };
        match asked {
            Ok(told) => {
                let again = self.is_due(settings);
                if again {
                    turn.again();
                }
                Ok(Answered { told, again })
            }
            Err(failure) => self.missed(failure, &answer, settings, turn),
        }
    }

    async fn question_and_answer(
        &self,
        clip: &mut Clip,
        settings: &Settings,
        turn: &mut Turn<'_>,
        answer: &mut Answer,
    ) -> Result<Option<gst::Structure>, Failure> {
        answer.model = self.model(settings, turn).await?;
        let pictures = pictures(clip, settings, &self.reporter.element).await?;
        let request = ChatRequest {
            model: answer.model.clone(),
            prompt: settings.prompt.clone(),
            system_prompt: settings.system_prompt.clone(),
            pictures,
            max_tokens: settings.max_tokens,
            temperature: settings.temperature(),
            response_schema: settings.response_schema.as_ref().map(Schema::value),
            extra: settings.extra_body.meaning.over(turn.extra()),
            stream: true,
            user: self.shared.user.clone(),
        };
        let sample = &clip.newest;
        let mut writing = Writing::new(answer, sample, &self.reporter);
        turn.sent(&request.model, sample.captured);
        let client = self.dispatcher.client();
        let stream =
            client.ask(turn.endpoint(), &request, &turn.headers(), settings.timeout).await?;
        let summary = writing.take_all(stream, turn).await?;
        writing.end(summary);
        let told = self.complete(answer, sample, settings);
        turn.answered(answer.tokens_in, Some(answer.tokens_out));
        Ok(told)
    }

    async fn model(&self, settings: &Settings, turn: &Turn<'_>) -> Result<String, Failure> {
        if !turn.model().is_empty() {
            return Ok(turn.model().to_owned());
        }
        let endpoint = turn.endpoint();
        if let Some(model) = self.shared.chosen_model(endpoint.base()) {
            return Ok(model);
        }
        let client = self.dispatcher.client();
        let models = client.models(endpoint, MODELS_TIMEOUT.min(settings.timeout)).await?;
        let Some(model) = choose_model(&models) else {
            return Err(Error::new(endpoint.base(), ErrorKind::NoModel).into());
        };
        self.shared.choose_model(endpoint.base(), &model.id);
        Ok(model.id.clone())
    }

    /// Tells of a complete answer. Gives the structure of its message, unless it does not fit.
    fn complete(
        &self,
        answer: &mut Answer,
        sample: &Sample,
        settings: &Settings,
    ) -> Option<gst::Structure> {
        let mut classes = Vec::new();
        if let Some(schema) = &settings.response_schema {
            match schema.read(&answer.text) {
                Ok(structured) => {
                    answer.json = structured.json;
                    answer.fields = Some(structured.fields);
                    classes = structured.classes;
                }
                Err(reason) => {
                    self.misfit(answer, &reason, settings.error_policy);
                    return None;
                }
            }
        }
        self.run.count(|counters| {
            counters.answers += 1;
            counters.latency_ms_sum += answer.latency_ms;
        });
        self.run.set_latest(answer, classes);
        self.caption(answer, sample, settings);
        let structure = answer.to_structure();
        self.reporter.post(structure.clone());
        Some(structure)
    }

    /// Leaves a complete answer for the text pad, if there is one.
    fn caption(&self, answer: &Answer, sample: &Sample, settings: &Settings) {
        let lasts = match settings.busy {
            Busy::Wait if !settings.on_demand => Lasts::Until(sample.position.until_next),
            _ => Lasts::AtLeast(settings.captions_apart()),
        };
        self.captions.caption(answer, sample.position.epoch, lasts);
    }

    /// Whether the next question is due already.
    fn is_due(&self, settings: &Settings) -> bool {
        // Whether there is anything new to ask about is seen before the next turn.
        if self.inbox.has_ended() || settings.min_change > 0.0 {
            return false;
        }
        match settings.on_demand {
            true => self.source.is_due(settings.interval),
            false => self.inbox.is_pending(),
        }
    }

    /// An answer that does not fit its schema is none; the server is not to blame.
    fn misfit(&self, answer: &Answer, reason: &str, policy: ErrorPolicy) {
        self.run.take_back(answer);
        let why = match answer.finish_reason.as_str() {
            "length" => "; it was cut off: raise max-tokens",
            _ => "; name a model or server that knows response_format",
        };
        let message = format!("the answer does not fit response-schema: {reason}{why}");
        self.no_answer(answer, "schema", &message, policy);
    }

    /// The question has failed. What is said of this one answer alone is no failure of asking.
    fn missed(
        &self,
        failure: Failure,
        answer: &Answer,
        settings: &Settings,
        turn: &mut Turn<'_>,
    ) -> Result<Answered, Missed> {
        match &failure.error {
            Some(error) => turn.failed(error),
            None => turn.failed_here(failure.kind),
        }
        self.run.take_back(answer);
        if failure.error.as_ref().is_some_and(|error| error.is_of_this_answer()) {
            self.no_answer(answer, failure.kind, &failure.message, settings.error_policy);
            return Ok(Answered { told: None, again: false });
        }
        // An answer that has begun is not begun anew elsewhere under the reader's eyes.
        let error = failure.error.filter(|_| !answer.is_begun());
        Err(Missed::Failed(Failure { error, ..failure }))
    }

    /// Tells that there is no answer though nothing is wrong with the server: the next sample is
    /// asked about as ever.
    fn no_answer(&self, answer: &Answer, kind: &str, message: &str, policy: ErrorPolicy) {
        self.reporter.tell(&AnswerError {
            seq: answer.seq,
            kind: kind.into(),
            message: message.into(),
            retry_in_ms: 0,
            limit: None,
            text: if kind == "schema" { answer.text.clone() } else { String::new() },
        });
        if policy == ErrorPolicy::Fail {
            self.reporter.fail(message);
        }
    }

    /// Whoever has seen the answer's beginning is told that no end will come.
    fn cancel(&self, answer: &mut Answer, sample: &Sample) {
        self.run.count(|counters| counters.cancelled += 1);
        self.run.take_back(answer);
        if answer.is_begun() {
            answer.done = true;
            answer.finish_reason = CANCELLED.into();
            answer.age_ms = millis(sample.age());
            self.reporter.post(answer.to_structure());
        }
    }
}

impl From<Missed> for Outcome {
    fn from(missed: Missed) -> Self {
        match missed {
            Missed::Cancelled => Self::Cancelled,
            Missed::Failed(failure) => Self::Failed(failure, None),
        }
    }
}

/// Encodes what is not yet encoded, on the way freeing the frames for their pools: answers take
/// seconds, and a camera's pool may have four frames.
async fn pictures(
    clip: &mut Clip,
    settings: &Settings,
    element: &glib::WeakRef<gst::Element>,
) -> Result<Vec<Picture>, Failure> {
    let is_clip = settings.frames > 1;
    let mut pictures = Vec::with_capacity(clip.earlier.len() + 1);
    for sample in clip.earlier.iter_mut().chain([&mut clip.newest]) {
        if let Frame::Raw(frame) = &sample.frame {
            let encoded = gst_vlm_jpeg::encode(frame.clone(), settings.jpeg(), element).await;
            let jpeg = encoded.map_err(|error| Failure {
                // Another frame may fare better, unless it is for want of an encoder.
                same_frame: matches!(error, gst_vlm_jpeg::EncodeError::Stuck),
                ..Failure::new("encode", error.to_string(), true)
            })?;
            sample.frame = Frame::Encoded(Picture::jpeg(&jpeg));
        }
        if let Frame::Encoded(picture) = &sample.frame {
            let label = if is_clip { label(sample) } else { String::new() };
            pictures.push(picture.clone().labelled(label));
        }
    }
    Ok(pictures)
}

/// Tells the pictures of a clip apart.
fn label(sample: &Sample) -> String {
    format!("Frame at {:.2} s:", sample.time.as_secs_f64())
}
