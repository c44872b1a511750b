//! One question: waiting for a turn, choosing and encoding the newest sample, asking, and posting
//! the answer as it is written.

use std::time::{Duration, Instant};

use gst::glib;
use live_vlm_dispatch::{Member, Turn, Want};
use tokio::time::sleep_until;
use vlm_client::{
    AnswerEvent, ChatRequest, Endpoint, Error, ErrorKind, Picture, Summary, choose_model,
};

use super::{
    asker::{Asker, Changes, Failure, Outcome, failure, millis},
    inbox::{Clip, Frame, Sample},
    settings::{Busy, ErrorPolicy, Settings},
    text::Lasts,
};
use crate::{
    jpeg,
    messages::{Answer, AnswerError, CANCELLED},
    structured::Schema,
};

/// Tokens come faster than anybody reads; a message for each would cost more than it tells.
const BATCH: Duration = Duration::from_millis(50);
const MODELS_TIMEOUT: Duration = Duration::from_secs(10);
/// How many servers one question is put to, should they fail.
const SERVERS: usize = 3;

impl Asker {
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
                return Outcome::Failed(failure("settings", error.to_string(), false), None);
            }
        };
        let member = match self.join(member, &endpoint, &settings.model) {
            Ok(member) => member,
            Err(failure) => return Outcome::Failed(failure, None),
        };
        let mut want = Want { urgent: self.urgent, avoid: None };
        let mut failed = None;
        for servers_left in (0..SERVERS).rev() {
            let mut turn = match self.turn(member, want, &settings, changes).await {
                Some(Ok(turn)) => turn,
                Some(Err(failure)) => {
                    let due = !settings.on_demand;
                    return self.given_up(failed, due, Outcome::Failed(failure, None));
                }
                None => return self.given_up(failed, !settings.on_demand, Outcome::Cancelled),
            };
            let clip = match failed.take() {
                Some(clip) => Some(clip),
                None => match self.clip(&settings, changes).await {
                    Some(clip) => clip,
                    None => return Outcome::Cancelled,
                },
            };
            let Some(mut clip) = clip else { return Outcome::Nothing };
            match self.ask_about(&mut clip, &settings, &mut turn, changes).await {
                Outcome::Failed(Failure { error: Some(error), .. }, _)
                    if servers_left > 0 && error.is_servers_fault() && turn.has_other() =>
                {
                    want.avoid = Some(turn.backend());
                    failed = Some(clip);
                }
                Outcome::Cancelled => {
                    self.inbox.put_back(clip, !settings.on_demand);
                    return Outcome::Cancelled;
                }
                Outcome::Failed(failure, _) => {
                    return Outcome::Failed(failure, Some(Box::new(clip)));
                }
                outcome => return outcome,
            }
        }
        Outcome::Nothing
    }

    /// What was taken for a question that nobody answers is asked about again.
    fn given_up(&self, clip: Option<Clip>, due: bool, outcome: Outcome) -> Outcome {
        if let Some(clip) = clip {
            self.inbox.put_back(clip, due);
        }
        outcome
    }

    /// Waits for a turn; `None` if the question has become worthless meanwhile.
    async fn turn<'a>(
        &self,
        member: &'a mut Member,
        want: Want,
        settings: &Settings,
        changes: &mut Changes,
    ) -> Option<Result<Turn<'a>, Failure>> {
        let hurry = member.hurry();
        let near = || {
            if settings.on_demand {
                self.request_key_frame();
            }
        };
        let mut turn = std::pin::pin!(member.turn(want, near));
        loop {
            if !self.shared.with_settings(|settings| settings.ask) {
                return None;
            }
            tokio::select! {
                biased;
                _ = changes.schedule.changed() => {}
                turn = &mut turn => return Some(turn.map_err(Failure::from)),
                _ = changes.question.changed() => return None,
                _ = changes.now.changed() => hurry.up(),
            }
        }
    }

    /// The newest sample, once it is fresh, and what is shown before it; `None` inside if there is
    /// none that may be asked about, and outside if the question has become worthless.
    async fn clip(&mut self, settings: &Settings, changes: &mut Changes) -> Option<Option<Clip>> {
        if settings.on_demand {
            let began = Instant::now();
            tokio::select! {
                fresh = self.fresh_frame() => self.source_is_silent = !fresh,
                _ = changes.question.changed() => return None,
            }
            self.last_asked = Some(began);
            if self.source_is_silent {
                return Some(None);
            }
        }
        let clip = self.inbox.take(settings.max_age(), settings.clip());
        if settings.min_change > 0.0
            && let Some(clip) = &clip
            && let Some(now) = self.thumbnail(&clip.newest.frame)
        {
            let looks = settings.on_demand && !self.urgent && !self.look_anyway;
            if looks && self.is_old(&now, settings.min_change) {
                return Some(None);
            }
            self.seen = Some(now);
        }
        Some(clip)
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
                    .map_err(|full| failure("full", full.to_string(), true))?;
                Ok(member.insert(joined))
            }
        }
    }

    async fn ask_about(
        &mut self,
        clip: &mut Clip,
        settings: &Settings,
        turn: &mut Turn<'_>,
        changes: &mut Changes,
    ) -> Outcome {
        self.next_seq += 1;
        self.run.count(|counters| counters.questions += 1);
        let mut answer = Answer {
            seq: self.next_seq,
            pts: clip.newest.pts,
            running_time: clip.newest.running_time,
            prompt: settings.prompt.clone(),
            api_base: turn.endpoint().base().to_owned(),
            ..Answer::default()
        };
        let asked = tokio::select! {
            asked = self.stream(clip, settings, turn, &mut answer) => Some(asked),
            _ = changes.question.changed() => None,
        };
        match asked {
            Some(Ok(fitting)) => {
                let again = self.is_due(settings);
                if again {
                    turn.again();
                }
                Outcome::Answered { again, answer: fitting }
            }
            Some(Err(failure)) => {
                if let Some(error) = failure.error.as_deref().filter(|it| it.is_of_this_answer()) {
                    turn.failed(error);
                    self.run.take_back(&answer);
                    self.no_answer(
                        &answer,
                        error.kind.name(),
                        &failure.message,
                        settings.error_policy,
                    );
                    return Outcome::Answered { again: false, answer: None };
                }
                match &failure.error {
                    Some(error) => turn.failed(error),
                    None => turn.failed_here(failure.kind),
                }
                self.run.take_back(&answer);
                // An answer that has begun is not begun anew elsewhere under the reader's eyes.
                let error = failure.error.filter(|_| !answer.is_begun());
                Outcome::Failed(Failure { error, ..failure }, None)
            }
            None => {
                self.run.count(|counters| counters.cancelled += 1);
                self.run.take_back(&answer);
                // Whoever has seen the answer's beginning is told that no end will come.
                if answer.is_begun() {
                    answer.done = true;
                    answer.finish_reason = CANCELLED.into();
                    answer.age_ms = millis(clip.newest.age());
                    self.post(answer.to_structure());
                }
                Outcome::Cancelled
            }
        }
    }

    /// Whether the next question is due already.
    fn is_due(&self, settings: &Settings) -> bool {
        // Whether there is anything new to ask about is seen before the next turn.
        if self.inbox.has_ended() || settings.min_change > 0.0 {
            return false;
        }
        if settings.on_demand {
            self.last_asked.is_some_and(|last| last.elapsed() >= settings.interval)
        } else {
            self.inbox.is_pending()
        }
    }

    async fn stream(
        &self,
        clip: &mut Clip,
        settings: &Settings,
        turn: &mut Turn<'_>,
        answer: &mut Answer,
    ) -> Result<Option<gst::Structure>, Failure> {
        answer.model = self.model(settings, turn).await?;
        let pictures = pictures(clip, settings, &self.element).await?;
        let sample = &clip.newest;
        let request = ChatRequest {
            model: answer.model.clone(),
            prompt: settings.prompt.clone(),
            system_prompt: settings.system_prompt.clone(),
            pictures,
            max_tokens: settings.max_tokens,
            temperature: settings.temperature(),
            response_schema: settings.response_schema.as_ref().map(Schema::value),
            extra: settings.extra_body.1.over(turn.extra()),
            stream: true,
            user: self.shared.user.clone(),
        };
        let began = Instant::now();
        turn.sent(&answer.model, sample.captured);
        let client = self.dispatcher.client();
        let mut stream =
            client.ask(turn.endpoint(), &request, &turn.headers(), settings.timeout).await?;
        let mut next_post = began;
        loop {
            let event = tokio::select! {
                event = stream.next() => event,
                () = sleep_until(next_post.into()), if !answer.delta.is_empty() => {
                    self.post_so_far(answer, sample, began);
                    next_post = Instant::now() + BATCH;
                    continue;
                }
            };
            match event {
                Some(Ok(AnswerEvent::Text(text))) => {
                    turn.token();
                    answer.first_token_ms.get_or_insert_with(|| millis(began.elapsed()));
                    answer.tokens_out += 1;
                    answer.text.push_str(&text);
                    answer.delta.push_str(&text);
                    if Instant::now() >= next_post {
                        self.post_so_far(answer, sample, began);
                        next_post = Instant::now() + BATCH;
                    }
                }
                Some(Ok(AnswerEvent::Reasoning(text))) => {
                    turn.token();
                    answer.first_token_ms.get_or_insert_with(|| millis(began.elapsed()));
                    answer.tokens_out += 1;
                    answer.reasoning.push_str(&text);
                }
                Some(Ok(AnswerEvent::TakenBack)) => {
                    answer.retracted |= answer.text.len() > answer.delta.len();
                    answer.reasoning.push_str(&answer.text);
                    answer.text.clear();
                    answer.delta.clear();
                }
                Some(Ok(AnswerEvent::Done(summary))) => {
                    let fitting = self.complete(answer, summary, sample, began, settings);
                    turn.answered(answer.tokens_in, Some(answer.tokens_out));
                    return Ok(fitting);
                }
                Some(Err(error)) => return Err(error.into()),
                None => return Err(failure("cut", "the answer has no end".into(), true)),
            }
        }
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

    fn post_so_far(&self, answer: &mut Answer, sample: &Sample, began: Instant) {
        answer.age_ms = millis(sample.age());
        answer.latency_ms = millis(began.elapsed());
        self.run.set_shown(&answer.text);
        self.post(answer.to_structure());
        answer.delta.clear();
        answer.retracted = false;
    }

    /// Gives the structure of the answer's message, unless it does not fit.
    fn complete(
        &self,
        answer: &mut Answer,
        summary: Summary,
        sample: &Sample,
        began: Instant,
        settings: &Settings,
    ) -> Option<gst::Structure> {
        answer.done = true;
        answer.finish_reason =
            if summary.finish_reason.is_empty() { "stop".into() } else { summary.finish_reason };
        let counted = summary.usage.map(|usage| usage.prompt_tokens);
        answer.tokens_in = counted.filter(|counted| *counted > 0);
        if let Some(counted) = summary.usage.map(|usage| usage.completion_tokens)
            && counted > 0
        {
            answer.tokens_out = counted;
        }
        answer.age_ms = millis(sample.age());
        answer.latency_ms = millis(began.elapsed());
        self.run.count(|counters| {
            counters.latency_ms_last = answer.latency_ms;
            counters.age_ms_last = answer.age_ms;
            counters.tokens_in += answer.tokens_in.unwrap_or(0);
            counters.tokens_out += answer.tokens_out;
        });
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
        self.post(structure.clone());
        answer.delta.clear();
        Some(structure)
    }

    /// Leaves a complete answer for the text pad, if there is one.
    fn caption(&self, answer: &Answer, sample: &Sample, settings: &Settings) {
        let lasts = match settings.busy {
            Busy::Wait if !settings.on_demand => Lasts::Until(sample.place.until_next),
            _ => Lasts::AtLeast(settings.captions_apart()),
        };
        self.captions.caption(answer, sample.place.epoch, lasts);
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

    /// Tells that there is no answer though nothing is wrong with the server: the next sample is
    /// asked about as ever.
    fn no_answer(&self, answer: &Answer, kind: &str, message: &str, policy: ErrorPolicy) {
        self.tell(&AnswerError {
            seq: answer.seq,
            kind: kind.into(),
            message: message.into(),
            retry_in_ms: 0,
            limit: None,
            text: if kind == "schema" { answer.text.clone() } else { String::new() },
        });
        if policy == ErrorPolicy::Fail {
            self.fail(message);
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
            let encoded = jpeg::encode(frame.clone(), settings.jpeg(), element).await;
            let jpeg = encoded.map_err(|error| Failure {
                // Another frame may fare better, unless it is for want of an encoder.
                same_frame: matches!(error, jpeg::EncodeError::Stuck),
                ..failure("encode", error.to_string(), true)
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
