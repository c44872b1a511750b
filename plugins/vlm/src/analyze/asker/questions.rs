//! The questions of an element that asks by itself: what they are about, and telling of their
//! answers.

use std::{sync::Arc, time::Instant};

use gst_vlm_jpeg::EncodeError;
use gst_vlm_structured::Schema;
use live_vlm_ask::{Failure, QuestionSettings, Subject, Told};
use vlm_client::Picture;

use super::{
    super::{
        inbox::SharedInbox,
        sample::{Clip, Sample},
        settings::{Busy, ErrorPolicy, Settings},
        shared::{Run, Shared},
        text::{Captions, Lasts},
    },
    frames::Frames,
    pictures::pictures,
    report::Reporter,
};
use crate::messages::{Answer, AnswerError};

pub(super) struct Questions {
    pub(super) shared: Arc<Shared>,
    pub(super) run: Arc<Run>,
    pub(super) inbox: SharedInbox,
    pub(super) captions: Arc<Captions>,
    pub(super) reporter: Reporter,
    pub(super) frames: Frames,
    /// Those of the question at hand.
    pub(super) settings: Settings,
    /// The structure of its answer's message, once that is complete, unless it did not fit.
    pub(super) told: Option<gst::Structure>,
}

impl Subject for Questions {
    type Clip = Clip;

    fn settings(&mut self) -> Result<QuestionSettings, Failure> {
        self.told = None;
        self.settings = self.shared.settings();
        let settings = &self.settings;
        let endpoint = settings
            .endpoint()
            .map_err(|error| Failure::new("settings", error.to_string(), false))?;
        Ok(QuestionSettings {
            endpoint,
            model: settings.model.clone(),
            prompt: settings.prompt.clone(),
            system_prompt: settings.system_prompt.clone(),
            max_tokens: settings.max_tokens,
            temperature: settings.temperature(),
            response_schema: settings.response_schema.as_ref().map(Schema::value),
            extra: settings.extra_body.meaning.clone(),
            timeout: settings.timeout,
        })
    }

    fn is_urgent(&self) -> bool {
        self.frames.is_urgent
    }

    fn asks(&self) -> bool {
        self.shared.with_settings(|settings| settings.ask)
    }

    fn near(&self) {
        if self.settings.on_demand {
            self.frames.source.request_key_frame();
        }
    }

    async fn choose(&mut self) -> Option<Clip> {
        self.frames.choose(&self.settings).await.ok()
    }

    fn put_back(&mut self, clip: Clip) {
        self.inbox.put_back(clip, !self.settings.on_demand);
    }

    fn captured(&self, clip: &Clip) -> Instant {
        clip.newest.captured
    }

    async fn pictures(&mut self, clip: &mut Clip) -> Result<Vec<Picture>, Failure> {
        let shown = pictures(clip, &self.settings, &self.reporter.element).await;
        let shown = shown.map_err(|error| Failure {
            // Another frame may fare better, unless it is for want of an encoder.
            same_frame: matches!(error, EncodeError::Stuck),
            ..Failure::new("encode", error.to_string(), true)
        })?;
        let picture =
            |shown: super::pictures::Picture| Picture::jpeg(&shown.jpeg).labelled(shown.label);
        Ok(shown.into_iter().map(picture).collect())
    }

    fn tell(&mut self, clip: &Clip, answer: &live_vlm_ask::Answer, told: Told<'_>) {
        let sample = &clip.newest;
        match told {
            Told::Asked => self.run.count(|counters| counters.questions += 1),
            Told::SoFar => {
                self.run.set_shown(&answer.text);
                self.reporter.post(message(answer, sample).to_structure());
            }
            Told::Complete => self.complete(answer, sample),
            Told::Cancelled => self.cancel(answer, sample),
            Told::Missed => self.run.take_back(answer.is_begun()),
            Told::Worthless(failure) => {
                self.run.take_back(answer.is_begun());
                self.no_answer(answer, failure.kind, &failure.message);
            }
        }
    }

    fn is_due(&self) -> bool {
        self.frames.is_due(&self.settings)
    }
}

impl Questions {
    /// Tells of a complete answer.
    fn complete(&mut self, answer: &live_vlm_ask::Answer, sample: &Sample) {
        self.run.count(|counters| {
            counters.latency_ms_last = answer.latency_ms;
            counters.age_ms_last = answer.age_ms;
            counters.tokens_in += answer.tokens_in.unwrap_or(0);
            counters.tokens_out += answer.tokens_out;
        });
        let mut message = message(answer, sample);
        let mut classes = Vec::new();
        if let Some(schema) = &self.settings.response_schema {
            match schema.read(&answer.text) {
                Ok(structured) => {
                    message.json = structured.json;
                    message.fields = Some(structured.fields);
                    classes = structured.classes;
                }
                Err(reason) => return self.misfit(answer, &reason),
            }
        }
        self.run.count(|counters| {
            counters.answers += 1;
            counters.latency_ms_sum += answer.latency_ms;
        });
        self.run.set_latest(&message, classes);
        self.caption(&message, sample);
        let structure = message.to_structure();
        self.reporter.post(structure.clone());
        self.told = Some(structure);
    }

    /// Leaves a complete answer for the text pad, if there is one.
    fn caption(&self, answer: &Answer, sample: &Sample) {
        let lasts = match self.settings.busy {
            Busy::Wait if !self.settings.on_demand => Lasts::Until(sample.position.until_next),
            _ => Lasts::AtLeast(self.settings.captions_apart()),
        };
        self.captions.caption(answer, sample.position.epoch, lasts);
    }

    /// An answer that does not fit its schema is none; the server is not to blame.
    fn misfit(&self, answer: &live_vlm_ask::Answer, reason: &str) {
        self.run.take_back(answer.is_begun());
        let why = match answer.finish_reason.as_str() {
            "length" => "; it was cut off: raise max-tokens",
            _ => "; name a model or server that knows response_format",
        };
        let message = format!("the answer does not fit response-schema: {reason}{why}");
        self.no_answer(answer, "schema", &message);
    }

    /// Tells that there is no answer though nothing is wrong with the server: the next sample is
    /// asked about as ever.
    fn no_answer(&self, answer: &live_vlm_ask::Answer, kind: &str, message: &str) {
        self.reporter.tell(&AnswerError {
            seq: answer.seq,
            kind: kind.into(),
            message: message.into(),
            retry_in_ms: 0,
            limit: None,
            text: if kind == "schema" { answer.text.clone() } else { String::new() },
        });
        if self.settings.error_policy == ErrorPolicy::Fail {
            self.reporter.fail(message);
        }
    }

    /// Whoever has seen the answer's beginning is told that no end will come.
    fn cancel(&self, answer: &live_vlm_ask::Answer, sample: &Sample) {
        self.run.count(|counters| counters.cancelled += 1);
        self.run.take_back(answer.is_begun());
        if answer.is_begun() {
            self.reporter.post(message(answer, sample).to_structure());
        }
    }
}

fn message(answer: &live_vlm_ask::Answer, sample: &Sample) -> Answer {
    Answer::about(answer, sample.pts, sample.running_time)
}
