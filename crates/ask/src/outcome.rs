use crate::Failure;

/// How asking went.
#[derive(Debug)]
pub enum Outcome<C> {
    /// There is an answer, or it was said why there is none to this one question.
    Answered {
        /// Whether the next question is due already, and waits for its turn.
        again: bool,
    },
    /// It became worthless; ask again at once.
    Cancelled,
    /// There was nothing (fresh, or new, enough) to ask about.
    Nothing,
    /// Without an answer; what it was asked about is given back.
    Failed(Failure, Option<Box<C>>),
}
