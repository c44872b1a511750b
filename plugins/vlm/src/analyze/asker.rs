//! The asking task: one per start of the element. It waits for a sample, then for a turn, then
//! encodes the newest sample, asks, and posts the answer as it is written.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use gst::{glib, prelude::*};
use tokio::{
    sync::watch,
    time::{sleep, sleep_until, timeout},
};
use vlm_client::{
    AnswerEvent, ChatRequest, Dispatcher, Endpoint, Error, Member, Picture, Summary, choose_model,
};

use super::{
    backoff::Backoff,
    inbox::{Sample, SharedInbox},
    settings::Settings,
    shared::Shared,
};
use crate::{
    jpeg,
    messages::{self, Answer, AnswerError, CANCELLED},
};

/// Tokens come faster than anybody reads; a message for each would cost more than it tells.
const BATCH: Duration = Duration::from_millis(50);
/// A frame that came on demand is asked about without asking for another, up to this age.
const FRESH: Duration = Duration::from_millis(250);
/// Browsers ignore a second request for a key frame within half a second of the first.
const KEY_FRAME_WAIT: Duration = Duration::from_millis(500);
const KEY_FRAME_TRIES: u32 = 2;
const MODELS_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) struct Asker {
    pub(crate) element: glib::WeakRef<gst::Element>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) inbox: SharedInbox,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) next_seq: u64,
    pub(crate) backoff: Backoff,
    /// When the last question began; questions on demand keep the interval from there.
    pub(crate) last_asked: Option<Instant>,
}

/// How asking went.
enum Outcome {
    Answered,
    /// A changed setting made it worthless; ask again at once.
    Cancelled,
    /// There was nothing (fresh enough) to ask about.
    Nothing,
    Failed(Failure),
}

struct Failure {
    kind: &'static str,
    message: String,
    passing: bool,
    retry_after: Option<Duration>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            kind: error.kind(),
            message: error.to_string(),
            passing: error.is_passing(),
            retry_after: error.retry_after(),
        }
    }
}

impl Asker {
    pub(crate) async fn run(mut self) {
        let mut question = self.shared.question_changes();
        let mut schedule = self.shared.schedule_changes();
        let mut member = None;
        loop {
            if !self.wait_for_moment(&mut question, &mut schedule).await {
                // The stream has ended; a flush or a new one may follow.
                let _ = schedule.changed().await;
                continue;
            }
            let outcome = self.ask(&mut member, &mut question).await;
            self.inbox.settle();
            match outcome {
                Outcome::Answered => self.backoff.reset(),
                Outcome::Cancelled => self.last_asked = None,
                Outcome::Nothing => {}
                Outcome::Failed(failure) => self.back_off(failure, &mut question).await,
            }
        }
    }

    /// Waits until it is time to ask; false when the stream has ended.
    async fn wait_for_moment(
        &self,
        question: &mut watch::Receiver<u64>,
        schedule: &mut watch::Receiver<u64>,
    ) -> bool {
        loop {
            schedule.borrow_and_update();
            let (on_demand, interval) =
                self.shared.with_settings(|settings| (settings.on_demand, settings.interval));
            if on_demand {
                let due = self.last_asked.map(|at| at + interval);
                let moment = async {
                    match due {
                        Some(due) => sleep_until(due.into()).await,
                        // Nothing to ask about before the source has sent its first frame.
                        None => {
                            self.inbox.newer_than(None).await;
                        }
                    }
                };
                tokio::select! {
                    () = moment => return true,
                    _ = question.changed() => return true,
                    _ = schedule.changed() => {}
                }
            } else {
                tokio::select! {
                    due = self.inbox.due() => return due.is_some(),
                    _ = question.changed() => self.inbox.want(),
                    _ = schedule.changed() => {}
                }
            }
        }
    }

    async fn ask(
        &mut self,
        member: &mut Option<Member>,
        question: &mut watch::Receiver<u64>,
    ) -> Outcome {
        question.borrow_and_update();
        let settings = self.shared.settings();
        let endpoint = match settings.endpoint() {
            Ok(endpoint) => endpoint,
            Err(error) => return Outcome::Failed(failure("settings", error.to_string(), false)),
        };
        let member = match self.join(member, &endpoint) {
            Ok(member) => member,
            Err(failure) => return Outcome::Failed(failure),
        };
        let near = || {
            if settings.on_demand {
                self.request_key_frame();
            }
        };
        let _turn = tokio::select! {
            turn = member.turn(near) => turn,
            _ = question.changed() => return Outcome::Cancelled,
        };
        if settings.on_demand {
            let began = Instant::now();
            tokio::select! {
                fresh = self.fresh_frame() => if !fresh {
                    self.last_asked = Some(began);
                    return Outcome::Nothing;
                },
                _ = question.changed() => return Outcome::Cancelled,
            }
            self.last_asked = Some(began);
        }
        let Some(sample) = self.inbox.take(settings.max_age()) else { return Outcome::Nothing };

        self.next_seq += 1;
        self.shared.count(|counters| counters.questions += 1);
        let mut answer = Answer {
            seq: self.next_seq,
            pts: sample.buffer.pts(),
            running_time: sample.running_time,
            prompt: settings.prompt.clone(),
            ..Answer::default()
        };
        let asked = self.ask_about(&sample, &settings, &endpoint, &mut answer);
        let cancelled = tokio::select! {
            asked = asked => match asked {
                Ok(()) => return Outcome::Answered,
                Err(failure) => return Outcome::Failed(failure),
            },
            _ = question.changed() => Outcome::Cancelled,
        };
        self.shared.count(|counters| counters.cancelled += 1);
        // Whoever has seen the answer's beginning is told that no end will come.
        if !answer.text.is_empty() {
            answer.delta.clear();
            answer.done = true;
            answer.finish_reason = CANCELLED.into();
            answer.age_ms = millis(sample.age());
            self.post(answer.to_structure());
        }
        self.inbox.put_back(sample, !settings.on_demand);
        cancelled
    }

    fn join<'a>(
        &self,
        member: &'a mut Option<Member>,
        endpoint: &Endpoint,
    ) -> Result<&'a mut Member, Failure> {
        if member.as_ref().is_some_and(|member| member.base() != endpoint.base()) {
            *member = None;
        }
        match member {
            Some(member) => Ok(member),
            None => {
                let joined = self
                    .dispatcher
                    .join(endpoint)
                    .map_err(|full| failure("full", full.to_string(), true))?;
                Ok(member.insert(joined))
            }
        }
    }

    /// Sees to it that the newest frame is fresh. False when the source sends none.
    async fn fresh_frame(&self) -> bool {
        let newest = self.inbox.newest_arrival();
        if newest.is_some_and(|arrived| arrived.elapsed() <= FRESH) {
            return true;
        }
        for _ in 0..KEY_FRAME_TRIES {
            self.request_key_frame();
            if timeout(KEY_FRAME_WAIT, self.inbox.newer_than(newest)).await.is_ok() {
                return true;
            }
        }
        false
    }

    fn request_key_frame(&self) {
        let Some(pad) = self.element.upgrade().and_then(|element| element.static_pad("sink"))
        else {
            return;
        };
        let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
        pad.push_event(event);
    }

    async fn ask_about(
        &self,
        sample: &Sample,
        settings: &Settings,
        endpoint: &Endpoint,
        answer: &mut Answer,
    ) -> Result<(), Failure> {
        answer.model = self.model(settings, endpoint).await?;
        let jpeg = jpeg::encode(sample.buffer.clone(), sample.caps.clone(), settings.jpeg())
            .await
            .map_err(|error| failure("encode", error.to_string(), true))?;
        let request = ChatRequest {
            model: answer.model.clone(),
            prompt: settings.prompt.clone(),
            system_prompt: settings.system_prompt.clone(),
            pictures: vec![Picture::jpeg(&jpeg)],
            max_tokens: settings.max_tokens,
            temperature: settings.temperature(),
            stream: true,
            user: self.shared.user.clone(),
        };
        let began = Instant::now();
        let client = self.dispatcher.client();
        let mut stream = client.ask(endpoint, &request, settings.timeout).await?;
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
                    answer.first_token_ms.get_or_insert_with(|| millis(began.elapsed()));
                    answer.tokens_out += 1;
                    answer.text.push_str(&text);
                    answer.delta.push_str(&text);
                    if Instant::now() >= next_post {
                        self.post_so_far(answer, sample, began);
                        next_post = Instant::now() + BATCH;
                    }
                }
                Some(Ok(AnswerEvent::Done(summary))) => {
                    self.complete(answer, summary, sample, began);
                    return Ok(());
                }
                Some(Err(error)) => return Err(error.into()),
                None => return Err(failure("cut", "the answer has no end".into(), true)),
            }
        }
    }

    async fn model(&self, settings: &Settings, endpoint: &Endpoint) -> Result<String, Failure> {
        if !settings.model.is_empty() {
            return Ok(settings.model.clone());
        }
        if let Some(model) = self.shared.chosen_model(endpoint.base()) {
            return Ok(model);
        }
        let client = self.dispatcher.client();
        let models = client.models(endpoint, MODELS_TIMEOUT.min(settings.timeout)).await?;
        let Some(model) = choose_model(&models) else {
            return Err(Error::NoModel { base: endpoint.base().to_owned() }.into());
        };
        self.shared.choose_model(endpoint.base(), &model.id);
        Ok(model.id.clone())
    }

    fn post_so_far(&self, answer: &mut Answer, sample: &Sample, began: Instant) {
        answer.age_ms = millis(sample.age());
        answer.latency_ms = millis(began.elapsed());
        self.post(answer.to_structure());
        answer.delta.clear();
    }

    fn complete(&self, answer: &mut Answer, summary: Summary, sample: &Sample, began: Instant) {
        answer.done = true;
        answer.finish_reason =
            if summary.finish_reason.is_empty() { "stop".into() } else { summary.finish_reason };
        answer.tokens_in = summary.usage.map(|usage| usage.prompt_tokens);
        if let Some(counted) = summary.usage.map(|usage| usage.completion_tokens)
            && counted > 0
        {
            answer.tokens_out = counted;
        }
        answer.age_ms = millis(sample.age());
        answer.latency_ms = millis(began.elapsed());
        self.shared.count(|counters| {
            counters.answers += 1;
            counters.latency_ms_last = answer.latency_ms;
            counters.latency_ms_sum += answer.latency_ms;
            counters.age_ms_last = answer.age_ms;
            counters.tokens_in += answer.tokens_in.unwrap_or(0);
            counters.tokens_out += answer.tokens_out;
        });
        self.shared.set_latest(answer);
        self.post(answer.to_structure());
        answer.delta.clear();
    }

    async fn back_off(&mut self, failure: Failure, question: &mut watch::Receiver<u64>) {
        let retry_in = self.backoff.after_failure(failure.passing, failure.retry_after);
        self.shared.count(|counters| counters.errors += 1);
        if failure.kind == "model-unknown" {
            self.shared.forget_chosen_model();
        }
        // Before the message: whoever hears of the failure finds nobody waiting for an answer.
        self.inbox.set_backing_off(true);
        let error = AnswerError {
            seq: self.next_seq,
            kind: failure.kind.into(),
            message: failure.message,
            retry_in_ms: millis(retry_in),
        };
        self.post(error.to_structure());
        tokio::select! {
            () = sleep(retry_in) => {}
            _ = question.changed() => self.backoff.reset(),
        }
        self.inbox.set_backing_off(false);
    }

    fn post(&self, structure: gst::Structure) {
        if let Some(element) = self.element.upgrade() {
            messages::post(&element, structure);
        }
    }
}

fn failure(kind: &'static str, message: String, passing: bool) -> Failure {
    Failure { kind, message, passing, retry_after: None }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
