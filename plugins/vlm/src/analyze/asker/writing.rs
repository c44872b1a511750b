//! An answer while it is being written: what has come of it so far, and telling of that.

use std::time::{Duration, Instant};

use live_vlm_dispatch::Turn;
use tokio::time::sleep_until;
use vlm_client::{AnswerEvent, AnswerStream, Summary};

use super::{super::sample::Sample, failure::Failure, millis::millis, report::Reporter};
use crate::messages::Answer;

/// Tokens come faster than anybody reads; a message for each would cost more than it tells.
const BATCH: Duration = Duration::from_millis(50);

pub(super) struct Writing<'a> {
    pub(super) answer: &'a mut Answer,
    pub(super) sample: &'a Sample,
    pub(super) reporter: &'a Reporter,
    began: Instant,
    next_post: Instant,
}

impl<'a> Writing<'a> {
    /// The question is being sent now.
    pub(super) fn new(answer: &'a mut Answer, sample: &'a Sample, reporter: &'a Reporter) -> Self {
        let began = Instant::now();
        Self { answer, sample, reporter, began, next_post: began }
    }

    /// Takes the whole answer, and tells of it in batches.
    pub(super) async fn take_all(
        &mut self,
        mut stream: AnswerStream,
        turn: &mut Turn<'_>,
    ) -> Result<Summary, Failure> {
        loop {
            let event = tokio::select! {
                event = stream.next() => event,
                () = sleep_until(self.next_post.into()), if !self.answer.delta.is_empty() => {
                    self.post_so_far();
                    continue;
                }
            };
            match event {
                Some(Ok(AnswerEvent::Done(summary))) => return Ok(summary),
                Some(Ok(event)) => self.take(event, turn),
                Some(Err(error)) => return Err(error.into()),
                None => return Err(Failure::new("cut", "the answer has no end".into(), true)),
            }
        }
    }

    fn take(&mut self, event: AnswerEvent, turn: &mut Turn<'_>) {
        let answer = &mut *self.answer;
        match event {
            AnswerEvent::Text(text) => {
                answer.text.push_str(&text);
                answer.delta.push_str(&text);
            }
            AnswerEvent::Reasoning(text) => answer.reasoning.push_str(&text),
            AnswerEvent::TakenBack => {
                answer.retracted |= answer.text.len() > answer.delta.len();
                answer.reasoning.push_str(&answer.text);
                answer.text.clear();
                answer.delta.clear();
                return;
            }
            AnswerEvent::Done(_) => return,
        }
        turn.token();
        answer.first_token_ms.get_or_insert_with(|| millis(self.began.elapsed()));
        answer.tokens_out += 1;
        if !answer.delta.is_empty() && Instant::now() >= self.next_post {
            self.post_so_far();
        }
    }

    fn post_so_far(&mut self) {
        self.note_times();
        self.reporter.run.set_shown(&self.answer.text);
        self.reporter.post(self.answer.to_structure());
        self.answer.delta.clear();
        self.answer.retracted = false;
        self.next_post = Instant::now() + BATCH;
    }

    /// The answer is complete.
    pub(super) fn end(&mut self, summary: Summary) {
        self.note_times();
        let answer = &mut *self.answer;
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
        self.reporter.run.count(|counters| {
            counters.latency_ms_last = answer.latency_ms;
            counters.age_ms_last = answer.age_ms;
            counters.tokens_in += answer.tokens_in.unwrap_or(0);
            counters.tokens_out += answer.tokens_out;
        });
    }

    fn note_times(&mut self) {
        self.answer.age_ms = millis(self.sample.age());
        self.answer.latency_ms = millis(self.began.elapsed());
    }
}
