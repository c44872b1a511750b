//! From what a VLM answers to what the page reads: pure.

use std::{
    collections::VecDeque,
    time::{Duration, UNIX_EPOCH},
};

use live_vlm_access::limits::Limit;
use live_vlm_ask::{Answer, CANCELLED};

use crate::{
    protocol::{Metrics, Response, ServerMessage},
    refusal::{Code, Refusal},
};

/// How many answers a page that comes back is told.
const HISTORY: usize = 20;

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AnswerError {
    /// Its number.
    pub(super) seq: u64,
    /// One word.
    pub(super) kind: &'static str,
    /// What happened and what to do.
    pub(super) message: String,
    /// When the next question is asked, in ms.
    pub(super) retry_in_ms: u64,
    /// Which limit was reached, and its value.
    pub(super) limit: Option<(String, u64)>,
}

/// What an answer has gained.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) seq: u64,
    /// Where in the answer it goes, in UTF-16 units.
    pub(super) offset: u64,
    pub(super) delta: String,
    pub(super) model: String,
    pub(super) age_ms: u64,
    pub(super) first_token_ms: Option<u64>,
}

/// The session's answers so far.
#[derive(Debug, Default)]
pub(super) struct Answers {
    answers: u64,
    latency_ms: u64,
    newest: VecDeque<Response>,
}

impl Answers {
    /// The newest answers, oldest first; `None` if there are none.
    pub(super) fn history(&self) -> Option<ServerMessage> {
        let answers: Vec<Response> = self.newest.iter().cloned().collect();
        (!answers.is_empty()).then_some(ServerMessage::History { answers })
    }

    /// What to tell of an answer that has come `at` this time since 1970, complete or given up.
    /// `unchanged` questions were passed over so far.
    pub(super) fn whole(&mut self, answer: Answer, unchanged: u64, at: Duration) -> Response {
        let is_whole = answer.finish_reason != CANCELLED;
        if is_whole {
            self.answers += 1;
            self.latency_ms += answer.latency_ms;
        }
        let average = self.latency_ms as f64 / self.answers.max(1) as f64;
        let response = Response {
            seq: answer.seq,
            at_ms: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
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
                unchanged,
                finish_reason: answer.finish_reason,
            },
            text: answer.text,
            prompt: answer.prompt,
            model: answer.model,
            api_base: answer.api_base,
        };
        if is_whole {
            if self.newest.len() == HISTORY {
                self.newest.pop_front();
            }
            self.newest.push_back(response.clone());
        }
        response
    }
}

/// What to tell of what an answer has gained.
pub(super) fn tell_piece(piece: Piece) -> ServerMessage {
    ServerMessage::AnswerDelta {
        seq: piece.seq,
        offset: piece.offset,
        delta: piece.delta,
        model: piece.model,
        age_ms: piece.age_ms as f64,
        first_token_ms: piece.first_token_ms.map(|ms| ms as f64),
    }
}

/// The time since 1970.
pub(super) fn now() -> Duration {
    UNIX_EPOCH.elapsed().unwrap_or_default()
}

/// The rate at which tokens followed the first one.
fn tokens_per_second(answer: &Answer) -> Option<f64> {
    let ms = answer.latency_ms.checked_sub(answer.first_token_ms?)?;
    let tokens = answer.tokens_out.checked_sub(1)?;
    (ms > 0 && tokens > 0).then(|| (tokens as f64 * 10_000.0 / ms as f64).round() / 10.0)
}

/// What to tell of a question that failed, or that a limit has kept from being asked.
pub(super) fn tell_error(error: AnswerError) -> ServerMessage {
    if let Some((name, value)) = &error.limit
        && let Some(limit) = Limit::named(name)
    {
        return ServerMessage::Error(Refusal {
            retry_after_s: Some(error.retry_in_ms as f64 / 1000.0),
            limit: Some(limit),
            value: Some(*value),
            ..Refusal::new(Code::LimitReached, error.message)
        });
    }
    ServerMessage::VlmError {
        seq: error.seq,
        kind: error.kind.to_owned(),
        message: error.message,
        retry_in_ms: Some(error.retry_in_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Duration = Duration::from_millis(1_767_225_600_000);

    #[test]
    fn averages_count_complete_answers_only() {
        let mut answers = Answers::default();
        let done = |latency_ms, reason: &str| Answer {
            done: true,
            latency_ms,
            first_token_ms: Some(200),
            tokens_out: 41,
            finish_reason: reason.into(),
            ..Answer::default()
        };
        answers.whole(done(1000, "stop"), 0, AT);
        answers.whole(done(9000, CANCELLED), 0, AT);
        let Response { metrics, .. } = answers.whole(done(2200, "stop"), 0, AT);
        assert_eq!(metrics.total_inferences, 2);
        assert!((metrics.avg_latency_ms - 1600.0).abs() < 0.01);
        assert_eq!(metrics.tokens_per_second, Some(20.0));
    }

    #[test]
    fn a_limit_is_told_as_one() {
        let error = AnswerError {
            seq: 1,
            kind: "limit",
            message: "later".into(),
            retry_in_ms: 750,
            limit: Some(("questions_per_minute".into(), 60)),
        };
        let ServerMessage::Error(refusal) = tell_error(error.clone()) else { panic!("no refusal") };
        assert_eq!((refusal.code, refusal.retry_after_s), (Code::LimitReached, Some(0.75)));
        assert_eq!((refusal.limit, refusal.value), (Some(Limit::QuestionsPerMinute), Some(60)));
        let other = tell_error(AnswerError { limit: None, ..error });
        assert!(matches!(other, ServerMessage::VlmError { retry_in_ms: Some(750), .. }));
    }

    #[test]
    fn the_newest_whole_answers_are_kept_and_no_more() {
        let mut answers = Answers::default();
        assert_eq!(answers.history(), None);
        for seq in 0..30 {
            let reason = if seq == 29 { CANCELLED } else { "stop" };
            let finish_reason = reason.into();
            answers.whole(Answer { seq, done: true, finish_reason, ..Answer::default() }, 0, AT);
        }
        let Some(ServerMessage::History { answers }) = answers.history() else {
            panic!("no history")
        };
        let seqs: Vec<u64> = answers.iter().map(|answer| answer.seq).collect();
        assert_eq!(seqs, (9..29).collect::<Vec<_>>());
    }
}
