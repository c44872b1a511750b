//! What became of a turn, for whoever counts.

use std::time::{Duration, Instant};

/// One turn, told when it has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionReport {
    /// The base address of the server that had the turn.
    pub backend: String,
    /// The model asked; empty if it never came to that.
    pub model: String,
    /// How it ended.
    pub outcome: QuestionOutcome,
    /// When the session began to wait for its turn.
    pub wanted: Instant,
    /// When it had its turn.
    pub began: Instant,
    /// When the question was sent.
    pub sent: Option<Instant>,
    /// When the first token came.
    pub first_token: Option<Instant>,
    /// When the turn ended.
    pub ended: Instant,
    /// When the newest frame of the question was captured.
    pub captured: Option<Instant>,
    /// Tokens of the question, by the server's count.
    pub tokens_in: u64,
    /// Tokens of the answer: the server's count, or else the pieces it sent.
    pub tokens_out: u64,
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuestionOutcome {
    /// With a complete answer.
    Answered,
    /// Given up: the session ended, or a setting made the answer worthless.
    Cancelled,
    /// Nothing was asked: no fresh frame came.
    Nothing,
    /// Without an answer.
    Failed {
        /// One word, see [`ErrorKind::name`](vlm_client::ErrorKind::name).
        kind: &'static str,
    },
}

impl QuestionOutcome {
    /// The same in one word, for labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Cancelled => "cancelled",
            Self::Nothing => "nothing",
            Self::Failed { .. } => "failed",
        }
    }
}

impl QuestionReport {
    /// How long the session waited for its turn.
    pub fn waited(&self) -> Duration {
        self.began.saturating_duration_since(self.wanted)
    }

    /// How long it held a slot.
    pub fn held(&self) -> Duration {
        self.ended.saturating_duration_since(self.began)
    }

    /// From the request to the first token.
    pub fn to_first_token(&self) -> Option<Duration> {
        Some(self.first_token?.saturating_duration_since(self.sent?))
    }

    /// From the request to the end.
    pub fn took(&self) -> Option<Duration> {
        Some(self.ended.saturating_duration_since(self.sent?))
    }

    /// From the picture's capture to the end of the answer, if there was an answer.
    pub fn age(&self) -> Option<Duration> {
        let answered = self.outcome == QuestionOutcome::Answered;
        self.captured.filter(|_| answered).map(|at| self.ended.saturating_duration_since(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcome: QuestionOutcome) -> QuestionReport {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        QuestionReport {
            backend: "http://localhost:8000/v1".into(),
            model: "m".into(),
            outcome,
            wanted: at(0),
            began: at(300),
            sent: Some(at(310)),
            first_token: Some(at(400)),
            ended: at(900),
            captured: Some(at(250)),
            tokens_in: 9,
            tokens_out: 7,
        }
    }

    #[test]
    fn times_are_told_from_the_moments() {
        let told = report(QuestionOutcome::Answered);
        let ms = Duration::from_millis;
        assert_eq!((told.waited(), told.held()), (ms(300), ms(600)));
        assert_eq!((told.to_first_token(), told.took()), (Some(ms(90)), Some(ms(590))));
        assert_eq!(told.age(), Some(ms(650)));
    }

    #[test]
    fn only_answers_have_an_age_and_only_sent_questions_a_duration() {
        assert_eq!(report(QuestionOutcome::Cancelled).age(), None);
        let unsent = QuestionReport { sent: None, ..report(QuestionOutcome::Nothing) };
        assert_eq!((unsent.to_first_token(), unsent.took()), (None, None));
    }
}
