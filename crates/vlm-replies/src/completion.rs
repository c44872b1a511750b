//! A chat completion, whole or an event of a streamed one: of all that servers write, what is of
//! use. Nothing in here does I/O.

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess};
use serde_json::value::RawValue;

use super::{
    content::Content,
    counts::Counts,
    event::Usage,
    lenient::{Anything, As, Flag, Lenient, next_name, pass_over, value},
};

/// A chat completion, or what one event of a streamed one brings.
#[derive(Debug, Default)]
pub(crate) struct Completion<'a> {
    /// Its first choice.
    pub(crate) choice: Option<Choice<'a>>,
    /// Tokens; 0 = not said.
    pub(crate) usage: Usage,
    /// The model that answers; empty = not said.
    pub(crate) model: Cow<'a, str>,
    /// Whether it has a field that may tell of a failure.
    pub(crate) may_be_failure: bool,
    /// What stands in a place of its own, and may tell of a failure too.
    pub(crate) aside: Option<&'a RawValue>,
    /// Whether it says that nothing more comes.
    pub(crate) is_last: bool,
}

/// One of the answers that a server gives to a question; we ask for one.
#[derive(Debug, Default)]
pub(crate) struct Choice<'a> {
    /// Which of them it is, if it says so.
    pub(crate) index: Option<f64>,
    /// What is new.
    pub(crate) delta: Delta<'a>,
    /// What stands in its place in an answer that is whole, and with some servers in an event.
    pub(crate) message: Option<Box<Delta<'a>>>,
    /// What stands in the place of both in the API for completions.
    pub(crate) text: Option<Box<Content<'a>>>,
    /// Why the model stopped; empty = it has not.
    pub(crate) finish_reason: Reason<'a>,
    /// Which of a server's filters have held the answer back, with commas; empty = none.
    pub(crate) filtered: String,
    usage: Usage,
    may_be_failure: bool,
}

/// A piece of an answer, or all of it.
#[derive(Debug, Default)]
pub(crate) struct Delta<'a> {
    /// What is answered, and thought among it.
    pub(crate) content: Content<'a>,
    /// What a thinking model thinks, where it stands in a field of its own.
    pub(crate) thought: Cow<'a, str>,
    /// Whether it wants a tool to be called.
    pub(crate) calls: Anything,
    may_be_failure: bool,
}

/// Why a model stopped.
#[derive(Debug, Default)]
pub(crate) struct Reason<'a>(pub(crate) Cow<'a, str>);

/// The names of those filters that have held something back, with commas.
#[derive(Default)]
struct Filtered(String);

impl<'a> Completion<'a> {
    /// Reads JSON.
    pub(crate) fn read(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

impl<'de> Deserialize<'de> for Completion<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(As::<Self>::new())
    }
}

impl<'de> Lenient<'de> for Completion<'de> {
    fn object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut completion = Self::default();
        while let Some(name) = next_name(&mut object)? {
            match &*name {
                // What most servers write into each event stands first: that is faster.
                "id" | "created" | "provider" | "system_fingerprint" => pass_over(&mut object)?,
                "choices" => {
                    let First(choice) = value(&mut object)?;
                    completion.choice = choice.or(completion.choice);
                }
                "usage" => completion.count(value::<Counts, _>(&mut object)?.0),
                // Groq.
                "x_groq" => completion.take_aside(object.next_value()?),
                // As Ollama's own API does.
                "done" => completion.is_last |= value::<Flag, _>(&mut object)?.0 == Some(true),
                // Gateways put what they were told into an envelope.
                "data" | "result" | "output" | "response" => {
                    let enclosed: Self = value(&mut object)?;
                    if enclosed.choice.is_some() {
                        completion = Self { may_be_failure: completion.may_be_failure, ..enclosed };
                    }
                }
                "model" => {
                    let model: Cow<'de, str> = value(&mut object)?;
                    if !model.is_empty() {
                        completion.model = model;
                    }
                }
                name => completion.may_be_failure |= tells_of_failure(name, &mut object)?,
            }
        }
        if let Some(choice) = &completion.choice {
            completion.may_be_failure |= choice.may_be_failure;
            let usage = choice.usage;
            completion.count(usage);
        }
        Ok(completion)
    }
}

impl<'a> Completion<'a> {
    fn take_aside(&mut self, aside: &'a RawValue) {
        if let Ok(Elsewhere { usage, error }) = serde_json::from_str(aside.get()) {
            self.count(usage);
            self.aside = error.0.then_some(aside);
        }
    }

    /// A count that says nothing takes the place of none that did.
    fn count(&mut self, usage: Usage) {
        let Usage { prompt_tokens, completion_tokens } = usage;
        if prompt_tokens > 0 {
            self.usage.prompt_tokens = prompt_tokens;
        }
        if completion_tokens > 0 {
            self.usage.completion_tokens = completion_tokens;
        }
    }
}

/// Whether a field of this name may tell of a failure. Its value is read, or passed over.
fn tells_of_failure<'de, A: MapAccess<'de>>(name: &str, object: &mut A) -> Result<bool, A::Error> {
    match name {
        "object" | "type" | "status" => {
            let kind: Cow<'de, str> = value(object)?;
            Ok(matches!(&*kind, "error" | "failed" | "failure"))
        }
        "success" | "ok" => Ok(value::<Flag, _>(object)?.0 == Some(false)),
        // The first three are of Apigee, Tencent, Volcengine.
        "fault" | "Response" | "ResponseMetadata" | "error" | "errors" | "detail" | "message"
        | "msg" | "base_resp" | "error_msg" | "error_message" | "errorMessage" | "Message"
        | "error_code" => Ok(value::<Anything, _>(object)?.0),
        _ => {
            pass_over(object)?;
            Ok(false)
        }
    }
}

/// The first of the choices: that of the lowest index, or that which stands first.
#[derive(Default)]
struct First<'a>(Option<Choice<'a>>);

impl<'de> Lenient<'de> for First<'de> {
    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut first: Option<Choice<'de>> = None;
        while let Some(One(choice)) = list.next_element_seed(As::<One<'de>>::new())? {
            let Some(choice) = choice else { continue };
            let place = |choice: &Choice<'_>| choice.index.unwrap_or(0.0);
            if first.as_ref().is_none_or(|first| place(&choice) < place(first)) {
                first = Some(choice);
            }
        }
        Ok(Self(first))
    }

    fn object<A: MapAccess<'de>>(object: A) -> Result<Self, A::Error> {
        One::object(object).map(|One(choice)| Self(choice))
    }
}

/// An entry of the list of choices, if it is one.
#[derive(Default)]
struct One<'a>(Option<Choice<'a>>);

impl<'de> Lenient<'de> for One<'de> {
    fn object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut choice = Choice::default();
        while let Some(name) = next_name(&mut object)? {
            match &*name {
                "index" => choice.index = value::<Option<f64>, _>(&mut object)?.or(choice.index),
                "delta" => choice.delta.take(value(&mut object)?),
                "message" => {
                    let message = choice.message.get_or_insert_default();
                    message.take(value(&mut object)?);
                }
                "text" => {
                    let text = choice.text.get_or_insert_default();
                    text.take(value(&mut object)?);
                }
                "finish_reason" | "finishReason" => {
                    let reason: Reason<'de> = value(&mut object)?;
                    if !reason.0.is_empty() {
                        choice.finish_reason = reason;
                    }
                }
                "usage" => choice.usage = value::<Counts, _>(&mut object)?.0,
                "content_filter_results" | "content_filter_result" => {
                    choice.filtered = value::<Filtered, _>(&mut object)?.0;
                }
                "error" => {
                    let Anything(any) = value(&mut object)?;
                    choice.may_be_failure |= any;
                }
                _ => pass_over(&mut object)?,
            }
        }
        let message = choice.message.as_ref();
        choice.may_be_failure |=
            choice.delta.may_be_failure || message.is_some_and(|message| message.may_be_failure);
        Ok(Self(Some(choice)))
    }
}

impl<'a> Delta<'a> {
    /// What is thought, and what is answered.
    pub(crate) fn into_parts(self) -> (Cow<'a, str>, Cow<'a, str>) {
        let in_content = self.content.thought;
        (if in_content.is_empty() { self.thought } else { in_content }, self.content.text)
    }

    /// Whether it has nothing to say.
    pub(crate) fn is_empty(&self) -> bool {
        self.content.is_empty() && self.thought.is_empty()
    }

    /// What the model says in place of an answer.
    pub(crate) fn refusal(&self) -> &str {
        self.content.refusal()
    }

    fn take(&mut self, other: Self) {
        self.content.take(other.content);
        take(&mut self.thought, other.thought);
        self.calls.0 |= other.calls.0;
        self.may_be_failure |= other.may_be_failure;
    }
}

/// Of two fields of one name the last counts that says something.
fn take<'a>(place: &mut Cow<'a, str>, text: Cow<'a, str>) {
    if !text.is_empty() {
        *place = text;
    }
}

impl<'de> Lenient<'de> for Delta<'de> {
    fn text(text: Cow<'de, str>) -> Self {
        Self { content: Content::text(text), ..Self::default() }
    }

    fn list<A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        Ok(Self { content: Content::list(list)?, ..Self::default() })
    }

    fn object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut delta = Self::default();
        let mut text = None;
        while let Some(name) = next_name(&mut object)? {
            match &*name {
                "content" => delta.content.take(value(&mut object)?),
                "text" => text = Some(value::<Content<'de>, _>(&mut object)?),
                // As DeepSeek, SGLang and llama.cpp call it. In a field for thoughts all is thought.
                "reasoning_content" | "thinking" => {
                    let thought: Content<'de> = value(&mut object)?;
                    take(&mut delta.thought, thought.into_all());
                }
                // The same, as OpenRouter, Ollama and newer vLLM call it, Copilot, LiteLLM, MiniMax;
                // some say it twice.
                "reasoning" | "reasoning_text" | "reasoning_details" | "thinking_blocks"
                | "thinking_content" | "thought" | "thoughts" => {
                    let thought: Content<'de> = value(&mut object)?;
                    if delta.thought.is_empty() {
                        delta.thought = thought.into_all();
                    }
                }
                "refusal" => {
                    let refusal: Content<'de> = value(&mut object)?;
                    delta.content.refuse(refusal);
                }
                "tool_calls" | "function_call" => delta.calls = value(&mut object)?,
                "error" => {
                    let Anything(any) = value(&mut object)?;
                    delta.may_be_failure |= any;
                }
                _ => pass_over(&mut object)?,
            }
        }
        if let Some(text) = text.filter(|_| delta.content.is_empty()) {
            delta.content = text;
        }
        Ok(delta)
    }
}

impl<'de> Lenient<'de> for Reason<'de> {
    fn text(text: Cow<'de, str>) -> Self {
        let says_nothing = ["", "null", "none"].iter().any(|it| text.eq_ignore_ascii_case(it));
        Self(if says_nothing { Cow::default() } else { text })
    }

    /// SGLang's own API says `{"type": "stop", "matched": 151645}`.
    fn object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut reason = Self::default();
        while let Some(name) = next_name(&mut object)? {
            match &*name {
                "type" | "reason" => reason = Self::text(value(&mut object)?),
                _ => pass_over(&mut object)?,
            }
        }
        Ok(reason)
    }
}

impl<'de> Lenient<'de> for Filtered {
    fn object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = next_name(&mut object)? {
            if value::<Filter, _>(&mut object)?.0 {
                names.push(name);
            }
        }
        Ok(Self(names.join(", ")))
    }
}

/// Whether a filter has held something back.
#[derive(Default)]
struct Filter(bool);

impl<'de> Lenient<'de> for Filter {
    fn object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut filtered = false;
        while let Some(name) = next_name(&mut object)? {
            match &*name {
                "filtered" => filtered |= value::<Flag, _>(&mut object)?.0 == Some(true),
                _ => pass_over(&mut object)?,
            }
        }
        Ok(Self(filtered))
    }
}

/// What Groq says aside.
#[derive(Default)]
struct Elsewhere {
    usage: Usage,
    error: Anything,
}

impl<'de> Deserialize<'de> for Elsewhere {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(As::<Self>::new())
    }
}

impl<'de> Lenient<'de> for Elsewhere {
    fn object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut this = Self::default();
        while let Some(name) = next_name(&mut object)? {
            match &*name {
                "usage" => this.usage = value::<Counts, _>(&mut object)?.0,
                "error" => this.error = value(&mut object)?,
                _ => pass_over(&mut object)?,
            }
        }
        Ok(this)
    }
}

#[cfg(test)]
#[path = "completion_tests.rs"]
mod tests;
