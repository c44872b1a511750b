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
    imp::CAT,
    inbox::{Frame, Sample, SharedInbox},
    settings::Settings,
    shared::{Run, Shared},
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
/// How often a source that sends nothing is reminded.
const REMINDER: Duration = Duration::from_secs(1);
const MODELS_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) struct Asker {
    pub(crate) element: glib::WeakRef<gst::Element>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) run: Arc<Run>,
    pub(crate) inbox: SharedInbox,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) next_seq: u64,
    pub(crate) backoff: Backoff,
    /// When the last question began; questions on demand keep the interval from there.
    pub(crate) last_asked: Option<Instant>,
    /// Whether frames asked for have not come; then no turn is taken before one does.
    pub(crate) source_is_silent: bool,
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

impl Drop for Asker {
    /// Whoever waits for an answer is let go, whatever the reason that none will come.
    fn drop(&mut self) {
        self.inbox.close();
        if std::thread::panicking() {
            gst::error!(CAT, "The asking task has panicked; nothing is asked until the next start");
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
            let retry_in = match outcome {
                Outcome::Answered => {
                    self.backoff.reset();
                    None
                }
                Outcome::Cancelled => {
                    self.last_asked = None;
                    None
                }
                Outcome::Nothing => None,
                Outcome::Failed(failure) => Some(self.tell_failure(failure)),
            };
            self.inbox.settle();
            if let Some(retry_in) = retry_in {
                self.leave_alone(retry_in, &mut question).await;
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
                tokio::select! {
                    frames_come = self.next_on_demand(interval) => return frames_come,
                    _ = question.changed() => {
                        let frames_come = self.inbox.last_arrival().is_some()
                            && !self.source_is_silent
                            && !self.inbox.has_ended();
                        if frames_come {
                            return true;
                        }
                    }
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

    /// Waits until a question on demand is due and the source sends frames; false when the stream
    /// has ended.
    async fn next_on_demand(&self, interval: Duration) -> bool {
        if let Some(last) = self.last_asked {
            sleep_until((last + interval).into()).await;
        }
        if !self.source_is_silent {
            // Nothing to ask about before the source has sent its first frame.
            return self.inbox.newer_than(None).await && !self.inbox.has_ended();
        }
        let since = self.inbox.last_arrival();
        loop {
            self.request_key_frame();
            if let Ok(frames_come) = timeout(REMINDER, self.inbox.newer_than(since)).await {
                return frames_come;
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
                fresh = self.fresh_frame() => self.source_is_silent = !fresh,
                _ = question.changed() => return Outcome::Cancelled,
            }
            self.last_asked = Some(began);
            if self.source_is_silent {
                return Outcome::Nothing;
            }
        }
        let Some(mut sample) = self.inbox.take(settings.max_age()) else { return Outcome::Nothing };

        self.next_seq += 1;
        self.run.count(|counters| counters.questions += 1);
        let mut answer = Answer {
            seq: self.next_seq,
            pts: sample.pts,
            running_time: sample.running_time,
            prompt: settings.prompt.clone(),
            ..Answer::default()
        };
        let asked = self.ask_about(&mut sample, &settings, &endpoint, &mut answer);
        let cancelled = tokio::select! {
            asked = asked => match asked {
                Ok(()) => return Outcome::Answered,
                Err(failure) => return Outcome::Failed(failure),
            },
            _ = question.changed() => Outcome::Cancelled,
        };
        self.run.count(|counters| counters.cancelled += 1);
        // Whoever has seen the answer's beginning is told that no end will come.
        if !answer.text.is_empty() {
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
        if self.inbox.newest_arrival().is_some_and(|arrived| arrived.elapsed() <= FRESH) {
            return true;
        }
        let since = self.inbox.last_arrival();
        for _ in 0..KEY_FRAME_TRIES {
            self.request_key_frame();
            if let Ok(came) = timeout(KEY_FRAME_WAIT, self.inbox.newer_than(since)).await {
                return came;
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
        sample: &mut Sample,
        settings: &Settings,
        endpoint: &Endpoint,
        answer: &mut Answer,
    ) -> Result<(), Failure> {
        answer.model = self.model(settings, endpoint).await?;
        if let Frame::Raw { buffer, caps } = &sample.frame {
            let jpeg = jpeg::encode(buffer.clone(), caps.clone(), settings.jpeg())
                .await
                .map_err(|error| failure("encode", error.to_string(), true))?;
            // Answers take seconds, and a camera's pool may have four frames.
            sample.frame = Frame::Encoded(Picture::jpeg(&jpeg));
        }
        let pictures = match &sample.frame {
            Frame::Encoded(picture) => vec![picture.clone()],
            Frame::Raw { .. } => Vec::new(),
        };
        let request = ChatRequest {
            model: answer.model.clone(),
            prompt: settings.prompt.clone(),
            system_prompt: settings.system_prompt.clone(),
            pictures,
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
        self.run.count(|counters| {
            counters.answers += 1;
            counters.latency_ms_last = answer.latency_ms;
            counters.latency_ms_sum += answer.latency_ms;
            counters.age_ms_last = answer.age_ms;
            counters.tokens_in += answer.tokens_in.unwrap_or(0);
            counters.tokens_out += answer.tokens_out;
        });
        self.run.set_latest(answer);
        self.post(answer.to_structure());
        answer.delta.clear();
    }

    /// Tells of a failure; returns when to ask again.
    fn tell_failure(&mut self, failure: Failure) -> Duration {
        let retry_in = self.backoff.after_failure(failure.passing, failure.retry_after);
        self.run.count(|counters| counters.errors += 1);
        if failure.kind == "model-unknown" {
            self.shared.forget_chosen_model();
        }
        let error = AnswerError {
            seq: self.next_seq,
            kind: failure.kind.into(),
            message: failure.message,
            retry_in_ms: millis(retry_in),
        };
        // Before anybody is let go who waits: the stream's end must not overtake it.
        self.post(error.to_structure());
        self.inbox.set_backing_off(true);
        retry_in
    }

    async fn leave_alone(&mut self, retry_in: Duration, question: &mut watch::Receiver<u64>) {
        tokio::select! {
            () = sleep(retry_in) => {}
            _ = question.changed() => self.backoff.reset(),
        }
        self.inbox.set_backing_off(false);
        // The failure's sample is gone and the next one may be far: the next frame will do.
        self.last_asked = None;
        if !self.shared.with_settings(|settings| settings.on_demand) {
            self.inbox.want();
        }
    }

    fn post(&self, structure: gst::Structure) {
        // What a stopped start has to say would be taken for the next one's.
        if let Some(element) = self.element.upgrade()
            && !self.inbox.is_closed()
        {
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
