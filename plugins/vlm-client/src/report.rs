//! What is told of a question once its turn is over.

use std::time::{Duration, Instant};

/// One question that had a turn, told once, when the turn ends. It carries no key, no prompt and
/// no picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionReport {
    /// Base address of the server that was asked, see [`Endpoint::base`](crate::Endpoint::base).
    pub backend: String,
    /// The model that was asked.
    pub model: String,
    /// How it ended.
    pub outcome: QuestionOutcome,
    /// When the session began to wait for its turn.
    pub wanted: Instant,
    /// When it got its turn.
    pub granted: Instant,
    /// When the request was sent; `None` if it never was.
    pub sent: Option<Instant>,
    /// When the first token came, if one did.
    pub first_token: Option<Instant>,
    /// When the turn was given back.
    pub ended: Instant,
    /// When the newest picture of the question was captured, if it had one.
    pub captured: Option<Instant>,
    /// Tokens read, as the server counts them.
    pub tokens_in: u64,
    /// Tokens written, as the server counts them.
    pub tokens_out: u64,
}

/// How a question ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuestionOutcome {
    /// With a whole answer.
    Answered,
    /// Nobody waited for its answer any more.
    Cancelled,
    /// The turn came and there was nothing to ask about.
    Nothing,
    /// It failed.
    Failed {
        /// The kind of error, in one word.
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
        self.granted.saturating_duration_since(self.wanted)
    }

    /// How long it held a slot.
    pub fn held(&self) -> Duration {
        self.ended.saturating_duration_since(self.granted)
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
            granted: at(300),
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
