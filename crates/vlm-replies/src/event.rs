//! What comes of an answer, step by step.

/// A step of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerEvent {
    /// The next piece of its text; never empty.
    Text(String),
    /// The next piece of what the model thinks before it answers; never empty. Servers tell it
    /// apart (`reasoning_content`), or the model does (`<think>`).
    Reasoning(String),
    /// All of the text that was given so far was thought, as a late mark shows (`</think>` without a
    /// beginning): it belongs to the reasoning, and the text begins anew.
    TakenBack,
    /// The answer is complete; nothing follows. It has a text that can be seen.
    Done(Summary),
}

/// What is known of an answer once it is complete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Why the model stopped: `stop`, `length`, ...; empty if the server does not say.
    pub finish_reason: String,
    /// Tokens by the server's count, if it counts.
    pub usage: Option<Usage>,
    /// The model that answered, if the server says.
    pub model: Option<String>,
}

/// How many tokens a question and its answer took, by the server's own count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the question, its pictures among them; 0 = not counted.
    pub prompt_tokens: u64,
    /// Tokens of the answer; 0 = not counted.
    pub completion_tokens: u64,
}
