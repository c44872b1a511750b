//! What of our own a server does not take, by what it says when it refuses it. Pure.
//!
//! The OpenAI API has grown, and hardly anybody has all of it: one server does not know
//! `stream_options`, another refuses whatever it does not know, a model of a third knows
//! `max_tokens` by its newer name only, and some models stream for whoever has shown papers. What it
//! cannot do without (the model, the messages) is never left out, nor is anything that the user
//! added.

mod saying;
mod statements;

use crate::question::ChatRequest;
use saying::{has, is_beyond, says_no_stream, says_too_many, says_unknown, says_wrong};
use statements::{Statement, statements};

/// The longest refusal that is looked at, in bytes.
const MOST_SAID: usize = 16 << 10;

/// A field of ours that a request can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    MaxTokens,
    Temperature,
    ResponseFormat,
    StreamOptions,
    User,
}

impl Field {
    const ALL: [Self; 5] =
        [Self::MaxTokens, Self::Temperature, Self::ResponseFormat, Self::StreamOptions, Self::User];

    /// What it is called in a request.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::Temperature => "temperature",
            Self::ResponseFormat => "response_format",
            Self::StreamOptions => "stream_options",
            Self::User => "user",
        }
    }
}

/// The newer name of [`Field::MaxTokens`].
pub(crate) const MAX_COMPLETION_TOKENS: &str = "max_completion_tokens";

/// How the requests for one model of one server differ from others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Adaptation {
    left_out: [bool; Field::ALL.len()],
    renamed: bool,
    /// Whether it answers as a whole only.
    whole: bool,
    /// The fewest tokens that were more than the model ever gives. Who wants as many gets what there
    /// is without saying so.
    too_many: Option<u32>,
    /// Whether this one question leaves no room for as many.
    no_room: bool,
}

impl Adaptation {
    /// Whether a request goes without this field of ours.
    pub(crate) fn leaves_out(&self, field: Field) -> bool {
        self.left_out[field as usize]
    }

    /// Whether an answer is asked for token by token that is wanted so.
    pub(crate) fn streams(&self, request: &ChatRequest) -> bool {
        request.stream && !self.whole
    }

    /// By what name the longest answer is said, if it is.
    pub(crate) fn max_tokens(&self, max_tokens: u32) -> Option<&'static str> {
        let is_said = !self.no_room
            && !self.leaves_out(Field::MaxTokens)
            && self.too_many.is_none_or(|too_many| max_tokens < too_many);
        let name = if self.renamed { MAX_COMPLETION_TOKENS } else { Field::MaxTokens.name() };
        is_said.then_some(name)
    }

    /// What is true of the next question, too.
    pub(crate) fn lasting(self) -> Self {
        Self { no_room: false, ..self }
    }

    /// What may help after a server has refused the request that was made so; `None` if it does not
    /// say that it was for one of our fields.
    pub(crate) fn after(&self, status: u16, body: &[u8], request: &ChatRequest) -> Option<Self> {
        // Some call what they do not know their own failure.
        if !matches!(status, 400 | 415 | 422 | 500 | 501) {
            return None;
        }
        let mut next = self.clone();
        let body = &body[..body.len().min(MOST_SAID)];
        for statement in statements(&String::from_utf8_lossy(body)) {
            for field in Field::ALL.into_iter().filter(|field| self.sends(*field, request)) {
                next.give_way(field, &statement, request);
            }
            next.whole |= self.streams(request) && says_no_stream(&statement);
        }
        (next != *self).then_some(next)
    }

    /// Whether a request made so has this field, and has it from us.
    fn sends(&self, field: Field, request: &ChatRequest) -> bool {
        if self.leaves_out(field) || request.extra.has(field.name()) {
            return false;
        }
        match field {
            Field::MaxTokens => {
                let name = self.max_tokens(request.max_tokens);
                name.is_some_and(|name| !request.extra.has(name))
            }
            Field::Temperature => request.temperature.is_some(),
            Field::ResponseFormat => request.response_schema.is_some(),
            Field::StreamOptions => self.streams(request),
            Field::User => !request.user.is_empty(),
        }
    }

    fn give_way(&mut self, field: Field, statement: &Statement, request: &ChatRequest) {
        let said = &statement.said;
        let leave_out = match field {
            Field::MaxTokens => {
                self.give_way_in_length(statement, request.max_tokens);
                false
            }
            // These say what the user wants, which a server may refuse by its value.
            Field::Temperature => statement.is_about(field.name()) && says_unknown(said),
            Field::ResponseFormat => {
                statement.is_about(field.name()) && !said.contains("schema for response_format")
            }
            // These are none of the user's.
            Field::StreamOptions | Field::User => {
                statement.is_about(field.name()) && (says_unknown(said) || says_wrong(said))
            }
        };
        self.left_out[field as usize] |= leave_out;
    }

    fn give_way_in_length(&mut self, statement: &Statement, max_tokens: u32) {
        let said = &statement.said;
        let name = if self.renamed { MAX_COMPLETION_TOKENS } else { Field::MaxTokens.name() };
        // Azure once spelt it as its own library does.
        let is_about = statement.is_about(name) || has(said, &["maxcompletiontokens"]);
        let of_answer =
            is_about || has(said, &["in the completion", "for the completion", "output tokens"]);
        let of_context = has(said, &["context length", "context window", "context_length"]);
        let of_question = has(said, &["prompt", "messages", "input tokens", "requested"]);
        if of_answer && of_context && of_question {
            self.no_room = true;
        } else if is_about && (says_too_many(said) || is_beyond(said, max_tokens)) {
            self.too_many = Some(self.too_many.map_or(max_tokens, |less| less.min(max_tokens)));
        } else if is_about && says_unknown(said) {
            match self.renamed {
                true => self.left_out[Field::MaxTokens as usize] = true,
                false => self.renamed = true,
            }
        }
    }
}

#[cfg(test)]
mod tests;
