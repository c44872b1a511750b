use std::time::Duration;

use vlm_client::{AnswerEvent, Summary};

use crate::millis::millis;

/// The `finish_reason` of an answer that has become worthless before it was complete.
pub const CANCELLED: &str = "cancelled";

/// An answer, or its state so far. Times are in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Counts the asker's questions, from 1.
    pub seq: u64,
    /// The whole text so far.
    pub text: String,
    /// What the text has gained since it was told before; all of it if that was `retracted`.
    pub delta: String,
    /// Whether the text that was told before was taken back: a late mark has shown that the model
    /// had only thought it. The text begins anew, and what was taken back is part of `reasoning`.
    pub retracted: bool,
    /// What the model thought before it answered, kept apart from the text; empty for models that
    /// do not think.
    pub reasoning: String,
    /// Whether the answer is complete.
    pub done: bool,
    /// The model that was asked for.
    pub model: String,
    /// The base address of the server that was asked.
    pub api_base: String,
    /// What was asked.
    pub prompt: String,
    /// From the capture of the frame to now.
    pub age_ms: u64,
    /// From the request to the first token; `None` before it.
    pub first_token_ms: Option<u64>,
    /// From the request to now.
    pub latency_ms: u64,
    /// Tokens of the question, if the server counts them; only when done.
    pub tokens_in: Option<u64>,
    /// Tokens of the answer so far. When done this is the server's count if it gives one; else
    /// the number of pieces that it sent.
    pub tokens_out: u64,
    /// Why the answer ended (`stop`, `length`, [`CANCELLED`]); empty until it is done.
    pub finish_reason: String,
}

impl Answer {
    /// Whether anything of it was said, if only to be taken back.
    pub fn is_begun(&self) -> bool {
        !self.text.is_empty() || self.retracted
    }

    /// Takes a piece that came so long after the request. False if it is no token.
    pub(crate) fn take(&mut self, event: AnswerEvent, since_request: Duration) -> bool {
        match event {
            AnswerEvent::Text(text) => {
                self.text.push_str(&text);
                self.delta.push_str(&text);
            }
            AnswerEvent::Reasoning(text) => self.reasoning.push_str(&text),
            AnswerEvent::TakenBack => {
                self.retracted |= self.text.len() > self.delta.len();
                self.reasoning.push_str(&self.text);
                self.text.clear();
                self.delta.clear();
                return false;
            }
            AnswerEvent::Done(_) => return false,
        }
        self.first_token_ms.get_or_insert_with(|| millis(since_request));
        self.tokens_out += 1;
        true
    }

    /// All of it was told so far.
    pub(crate) fn was_told(&mut self) {
        self.delta.clear();
        self.retracted = false;
    }

    /// It is complete.
    pub(crate) fn end(&mut self, summary: Summary) {
        self.done = true;
        self.finish_reason =
            if summary.finish_reason.is_empty() { "stop".into() } else { summary.finish_reason };
        let counted = summary.usage.map(|usage| usage.prompt_tokens);
        self.tokens_in = counted.filter(|counted| *counted > 0);
        if let Some(counted) = summary.usage.map(|usage| usage.completion_tokens)
            && counted > 0
        {
            self.tokens_out = counted;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_and_is_taken_back_is_thought() {
        let mut answer = Answer::default();
        let after = Duration::from_millis(7);
        assert!(answer.take(AnswerEvent::Text("Let me".into()), after));
        answer.was_told();
        assert!(answer.take(AnswerEvent::Text(" see".into()), 2 * after));
        assert!(!answer.take(AnswerEvent::TakenBack, 3 * after));
        assert!(answer.retracted && answer.is_begun() && answer.text.is_empty());
        assert_eq!(answer.reasoning, "Let me see");
        assert!(answer.take(AnswerEvent::Text("A cat".into()), 3 * after));
        assert_eq!((answer.delta.as_str(), answer.first_token_ms), ("A cat", Some(7)));
    }

    #[test]
    fn what_nobody_was_told_of_is_not_retracted() {
        let mut answer = Answer::default();
        answer.take(AnswerEvent::Text("Hm".into()), Duration::ZERO);
        answer.take(AnswerEvent::TakenBack, Duration::ZERO);
        assert!(!answer.retracted && !answer.is_begun());
    }

    #[test]
    fn pieces_are_counted_where_the_server_does_not_count() {
        let mut answer = Answer { tokens_out: 3, ..Answer::default() };
        answer.end(Summary::default());
        assert_eq!((answer.tokens_out, answer.tokens_in), (3, None));
        assert_eq!((answer.done, answer.finish_reason.as_str()), (true, "stop"));
    }
}
