//! What became of a turn, for whoever counts.

use std::time::Instant;

/// One turn, told when it has ended.
#[derive(Debug, Clone)]
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
    pub granted: Instant,
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
        /// One word, see [`Error::kind`](crate::Error::kind).
        kind: &'static str,
    },
}
