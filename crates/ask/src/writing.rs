//! An answer while it is being written: what has come of it so far, and telling of that.

use std::time::{Duration, Instant};

use live_vlm_dispatch::Turn;
use tokio::time::sleep_until;
use vlm_client::{AnswerEvent, AnswerStream, Summary};

use crate::{Answer, Failure, Subject, Told, millis::millis};

/// Tokens come faster than anybody reads; a message for each would cost more than it tells.
const BATCH: Duration = Duration::from_millis(50);

pub(crate) struct Writing<'a, S: Subject> {
    answer: &'a mut Answer,
    subject: &'a mut S,
    clip: &'a S::Clip,
    captured: Instant,
    began: Instant,
    next_told: Instant,
}

impl<'a, S: Subject> Writing<'a, S> {
    /// The question is being sent now.
    pub(crate) fn new(answer: &'a mut Answer, subject: &'a mut S, clip: &'a S::Clip) -> Self {
        let began = Instant::now();
        let captured = subject.captured(clip);
        Self { answer, subject, clip, captured, began, next_told: began }
    }

    /// Takes the whole answer, and tells of it in batches.
    pub(crate) async fn take_all(
        &mut self,
        mut stream: AnswerStream,
        turn: &mut Turn<'_>,
    ) -> Result<Summary, Failure> {
        loop {
            let event = tokio::select! {
                event = stream.next() => event,
                () = sleep_until(self.next_told.into()), if !self.answer.delta.is_empty() => {
                    self.tell_so_far();
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
        if !self.answer.take(event, self.began.elapsed()) {
            return;
        }
        turn.token();
        if !self.answer.delta.is_empty() && Instant::now() >= self.next_told {
            self.tell_so_far();
        }
    }

    fn tell_so_far(&mut self) {
        self.note_times();
        self.subject.tell(self.clip, self.answer, Told::SoFar);
        self.answer.was_told();
        self.next_told = Instant::now() + BATCH;
    }

    /// The answer is complete.
    pub(crate) fn end(mut self, summary: Summary) {
        self.note_times();
        self.answer.end(summary);
        self.subject.tell(self.clip, self.answer, Told::Complete);
    }

    fn note_times(&mut self) {
        self.answer.age_ms = millis(self.captured.elapsed());
        self.answer.latency_ms = millis(self.began.elapsed());
    }
}
