//! What the marks mean that models write into their answers: around what they think and what they
//! answer, and where they end. Pure.

/// A mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Thoughts begin.
    Open(Sure),
    /// Thoughts end.
    Close(Sure),
    /// The answer begins; all before it was thought.
    Final,
    /// The answer begins.
    AnswerOpen {
        /// Whether it is one only behind thoughts.
        after_thoughts: bool,
    },
    /// The answer ends.
    AnswerClose,
    /// The model has said all.
    End,
    /// A part of what the model says ends; another may follow.
    PartEnd,
    /// Says nothing, wherever it is.
    Nothing,
    /// Says nothing at the end of a text; elsewhere it is text.
    Tail,
    /// `<s>`, which is text; a [`Mark::Tail`] behind it belongs to it.
    StruckOut,
}

/// How sure it is that a mark is not meant as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sure {
    /// Nobody else writes so.
    Special,
    /// It is one where a line begins.
    Tag,
    /// It is one where the answer begins.
    Word,
}

/// What a text begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// A mark of so many bytes.
    Mark(usize, Mark),
    /// The beginning of a mark, perhaps.
    Perhaps,
    /// No mark.
    Nothing,
}
