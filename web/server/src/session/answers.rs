//! From what the element posts to what the page reads: pure.

use live_vlm_pipelines::{Answer, AnswerError};

use crate::protocol::{Metrics, ServerMessage};

/// The `finish-reason` of an answer nobody waits for any more.
const CANCELLED: &str = "cancelled";

/// The session's answers so far.
#[derive(Debug, Default)]
pub(super) struct Answers {
    answers: u64,
    latency_ms: u64,
}

impl Answers {
    /// What to tell of a step of an answer; `None` if there is nothing new.
    pub(super) fn tell(&mut self, answer: Answer) -> Option<ServerMessage> {
        if answer.done {
            return Some(self.whole(answer));
        }
        if answer.delta.is_empty() {
            return None;
        }
        let units = |text: &str| text.encode_utf16().count() as u64;
        Some(ServerMessage::AnswerDelta {
            seq: answer.seq,
            offset: units(&answer.text).saturating_sub(units(&answer.delta)),
            delta: answer.delta,
            model: answer.model,
            age_ms: answer.age_ms as f64,
            first_token_ms: answer.first_token_ms.map(|ms| ms as f64),
        })
    }

    fn whole(&mut self, answer: Answer) -> ServerMessage {
        if answer.finish_reason != CANCELLED {
            self.answers += 1;
            self.latency_ms += answer.latency_ms;
        }
        let average = self.latency_ms as f64 / self.answers.max(1) as f64;
        ServerMessage::VlmResponse {
            seq: answer.seq,
            metrics: Metrics {
                last_latency_ms: answer.latency_ms as f64,
                avg_latency_ms: (average * 10.0).round() / 10.0,
                total_inferences: self.answers,
                is_processing: false,
                first_token_ms: answer.first_token_ms.map(|ms| ms as f64),
                tokens_in: answer.tokens_in,
                tokens_out: answer.tokens_out,
                tokens_per_second: tokens_per_second(&answer),
                age_ms: answer.age_ms as f64,
                finish_reason: answer.finish_reason,
            },
            text: answer.text,
            prompt: answer.prompt,
            model: answer.model,
        }
    }
}

/// The rate at which tokens followed the first one.
fn tokens_per_second(answer: &Answer) -> Option<f64> {
    let ms = answer.latency_ms.checked_sub(answer.first_token_ms?)?;
    let tokens = answer.tokens_out.checked_sub(1)?;
    (ms > 0 && tokens > 0).then(|| (tokens as f64 * 10_000.0 / ms as f64).round() / 10.0)
}

/// What to tell of a question that failed.
pub(super) fn tell_error(error: AnswerError) -> ServerMessage {
    ServerMessage::VlmError {
        seq: error.seq,
        kind: error.kind,
        message: error.message,
        retry_in_ms: Some(error.retry_in_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(text: &str, delta: &str) -> Answer {
        Answer { seq: 1, text: text.into(), delta: delta.into(), ..Answer::default() }
    }

    #[test]
    fn pieces_carry_their_place_in_utf16() {
        let mut answers = Answers::default();
        let Some(ServerMessage::AnswerDelta { offset, delta, .. }) =
            answers.tell(piece("a 🦀 cr", " cr"))
        else {
            panic!("no delta")
        };
        assert_eq!((offset, delta.as_str()), (4, " cr"));
    }

    #[test]
    fn a_step_without_anything_new_is_not_told() {
        assert_eq!(Answers::default().tell(piece("a", "")), None);
    }

    #[test]
    fn averages_count_complete_answers_only() {
        let mut answers = Answers::default();
        let done = |latency_ms, reason: &str| Answer {
            done: true,
            latency_ms,
            first_token_ms: Some(200),
            tokens_out: 41,
            finish_reason: reason.into(),
            ..piece("text", "")
        };
        answers.tell(done(1000, "stop"));
        answers.tell(done(9000, CANCELLED));
        let Some(ServerMessage::VlmResponse { metrics, .. }) = answers.tell(done(2200, "stop"))
        else {
            panic!("no response")
        };
        assert_eq!(metrics.total_inferences, 2);
        assert!((metrics.avg_latency_ms - 1600.0).abs() < 0.01);
        assert_eq!(metrics.tokens_per_second, Some(20.0));
    }
}
