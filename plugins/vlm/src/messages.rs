//! The element messages that `vlmanalyze` posts, as types. Times are in milliseconds.

use gst::prelude::*;
use serde_json::{Value, json};

/// The name of an [`Answer`]'s structure.
pub const ANSWER: &str = "vlm-answer";
/// The name of an [`AnswerError`]'s structure.
pub const ERROR: &str = "vlm-error";

/// The `finish-reason` of an answer that a changed setting made worthless.
pub use live_vlm_ask::CANCELLED;

/// An answer, or its state so far. Posted for each batch of tokens, and once when it is complete.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// Counts the element's questions, from 1.
    pub seq: u64,
    /// The whole text so far.
    pub text: String,
    /// What the text has gained since the message before; all of it if that was `retracted`.
    pub delta: String,
    /// Whether the text of the messages before was taken back: a late mark has shown that the model
    /// had only thought it. The text begins anew, and what was taken back is part of `reasoning`.
    pub retracted: bool,
    /// What the model thought before it answered, kept apart from the text; only when done, and
    /// empty for models that do not think.
    pub reasoning: String,
    /// The answer as compact JSON, if a schema was set and the answer is complete; else empty.
    pub json: String,
    /// Of that, what the schema names: objects are structures, lists arrays, numbers `i64` or
    /// `f64`. `null` has no field; what is no object is the field `value`.
    pub fields: Option<gst::Structure>,
    /// Whether the answer is complete.
    pub done: bool,
    /// The presentation timestamp of the frame asked about.
    pub pts: Option<gst::ClockTime>,
    /// Its running time.
    pub running_time: Option<gst::ClockTime>,
    /// The model that was asked for. Servers may call the one that answered otherwise (by its file,
    /// by a date), or answer by the one that they have whatever is asked for: llama.cpp does.
    pub model: String,
    /// The base address of the server that was asked.
    pub api_base: String,
    /// What was asked.
    pub prompt: String,
    /// From the capture of the frame to this message.
    pub age_ms: u64,
    /// From the request to the first token; `None` before it.
    pub first_token_ms: Option<u64>,
    /// From the request to this message.
    pub latency_ms: u64,
    /// Tokens of the question, if the server counts them; only when done.
    pub tokens_in: Option<u64>,
    /// Tokens of the answer so far. When done this is the server's count if it gives one; else
    /// the number of pieces that it sent.
    pub tokens_out: u64,
    /// Why the answer ended (`stop`, `length`, `cancelled`); empty until it is done.
    pub finish_reason: String,
}

/// A question that got no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerError {
    /// Counts the element's questions, from 1.
    pub seq: u64,
    /// One word: `refused`, `timeout`, `unauthorized`, ... (see `vlm_client::ErrorKind::name`),
    /// `encode`, `schema` when the answer does not fit the schema, `limit` when a limit of the user's
    /// was reached, or `unavailable` when no server that has the model can be asked.
    pub kind: String,
    /// What happened and what to do.
    pub message: String,
    /// When the element asks again, unless a setting changes before.
    pub retry_in_ms: u64,
    /// Which limit was reached, and its value; `None` if that is not what happened.
    pub limit: Option<(String, u64)>,
    /// What the model said, for the kind `schema`; else empty.
    pub text: String,
}

impl Answer {
    /// What is known of an answer, about a frame of these times.
    pub(crate) fn about(
        answer: &live_vlm_ask::Answer,
        pts: Option<gst::ClockTime>,
        running_time: Option<gst::ClockTime>,
    ) -> Self {
        let live_vlm_ask::Answer {
            seq,
            text,
            delta,
            retracted,
            reasoning,
            done,
            model,
            api_base,
            prompt,
            age_ms,
            first_token_ms,
            latency_ms,
            tokens_in,
            tokens_out,
            finish_reason,
        } = answer.clone();
        let (json, fields) = (String::new(), None);
        Self {
            seq,
            text,
            delta,
            retracted,
            reasoning,
            json,
            fields,
            done,
            pts,
            running_time,
            model,
            api_base,
            prompt,
            age_ms,
            first_token_ms,
            latency_ms,
            tokens_in,
            tokens_out,
            finish_reason,
        }
    }

    /// The structure of the message on the bus.
    pub fn to_structure(&self) -> gst::Structure {
        gst::Structure::builder(ANSWER)
            .field("seq", self.seq)
            .field("text", &self.text)
            .field("delta", &self.delta)
            .field_if("retracted", true, self.retracted)
            .field("done", self.done)
            .field_if_some("pts", self.pts)
            .field_if_some("running-time", self.running_time)
            .field("model", &self.model)
            .field("api-base", &self.api_base)
            .field("prompt", &self.prompt)
            .field("age-ms", self.age_ms)
            .field_if_some("first-token-ms", self.first_token_ms)
            .field("latency-ms", self.latency_ms)
            .field_if_some("tokens-in", self.tokens_in)
            .field("tokens-out", self.tokens_out)
            .field_if("json", &self.json, !self.json.is_empty())
            .field_if_some("fields", self.fields.as_ref())
            .field_if("reasoning", &self.reasoning, self.done && !self.reasoning.is_empty())
            .field("finish-reason", &self.finish_reason)
            .build()
    }

    /// The same as a JSON object. `pts` and `running-time` are in nanoseconds; `json` is the
    /// answer itself, if a schema was set, not a text of it; what there is not has no field.
    pub fn to_json(&self) -> Value {
        let mut json = json!({
            "seq": self.seq,
            "text": self.text,
            "done": self.done,
            "model": self.model,
            "api-base": self.api_base,
            "prompt": self.prompt,
            "age-ms": self.age_ms,
            "latency-ms": self.latency_ms,
            "tokens-out": self.tokens_out,
            "finish-reason": self.finish_reason,
        });
        let some_text = |text: &str| (!text.is_empty()).then(|| Value::from(text));
        let rest = [
            ("delta", some_text(&self.delta).filter(|_| !self.done)),
            ("retracted", (self.retracted && !self.done).then_some(Value::from(true))),
            ("reasoning", some_text(&self.reasoning).filter(|_| self.done)),
            (
                "json",
                some_text(&self.json).map(|text| serde_json::from_str(&self.json).unwrap_or(text)),
            ),
            ("pts", self.pts.map(|pts| pts.nseconds().into())),
            ("running-time", self.running_time.map(|time| time.nseconds().into())),
            ("first-token-ms", self.first_token_ms.map(Value::from)),
            ("tokens-in", self.tokens_in.map(Value::from)),
        ];
        for (name, value) in rest {
            if let Some(value) = value {
                json[name] = value;
            }
        }
        json
    }

    /// Reads such a structure; `None` if it is another one.
    pub fn from_structure(structure: &gst::StructureRef) -> Option<Self> {
        if structure.name() != ANSWER {
            return None;
        }
        Some(Self {
            seq: structure.get("seq").ok()?,
            text: structure.get("text").ok()?,
            delta: structure.get("delta").ok()?,
            retracted: structure.get_optional("retracted").ok()?.unwrap_or_default(),
            done: structure.get("done").ok()?,
            pts: structure.get_optional("pts").ok()?,
            running_time: structure.get_optional("running-time").ok()?,
            model: structure.get("model").ok()?,
            api_base: structure.get("api-base").ok()?,
            prompt: structure.get("prompt").ok()?,
            age_ms: structure.get("age-ms").ok()?,
            first_token_ms: structure.get_optional("first-token-ms").ok()?,
            latency_ms: structure.get("latency-ms").ok()?,
            tokens_in: structure.get_optional("tokens-in").ok()?,
            tokens_out: structure.get("tokens-out").ok()?,
            json: structure.get_optional("json").ok()?.unwrap_or_default(),
            fields: structure.get_optional("fields").ok()?,
            reasoning: structure.get_optional("reasoning").ok()?.unwrap_or_default(),
            finish_reason: structure.get("finish-reason").ok()?,
        })
    }

    /// Reads a message from the bus; `None` if it is another one.
    pub fn from_message(message: &gst::MessageRef) -> Option<Self> {
        Self::from_structure(element_structure(message)?)
    }
}

impl AnswerError {
    /// The structure of the message on the bus.
    pub fn to_structure(&self) -> gst::Structure {
        gst::Structure::builder(ERROR)
            .field("seq", self.seq)
            .field("kind", &self.kind)
            .field("message", &self.message)
            .field("retry-in-ms", self.retry_in_ms)
            .field_if_some("limit", self.limit.as_ref().map(|(name, _)| name))
            .field_if_some("limit-value", self.limit.as_ref().map(|(_, value)| *value))
            .field_if("text", &self.text, !self.text.is_empty())
            .build()
    }

    /// Reads a message from the bus; `None` if it is another one.
    pub fn from_message(message: &gst::MessageRef) -> Option<Self> {
        let structure = element_structure(message).filter(|s| s.name() == ERROR)?;
        Some(Self {
            seq: structure.get("seq").ok()?,
            kind: structure.get("kind").ok()?,
            message: structure.get("message").ok()?,
            retry_in_ms: structure.get("retry-in-ms").ok()?,
            limit: structure
                .get_optional("limit")
                .ok()?
                .zip(structure.get_optional("limit-value").ok()?),
            text: structure.get_optional("text").ok()?.unwrap_or_default(),
        })
    }
}

fn element_structure(message: &gst::MessageRef) -> Option<&gst::StructureRef> {
    match message.view() {
        gst::MessageView::Element(element) => element.structure(),
        _ => None,
    }
}

pub(crate) fn post(element: &gst::Element, structure: gst::Structure) {
    // An element without a bus has nobody to tell; that is not an error.
    let _ = element.post_message(gst::message::Element::builder(structure).src(element).build());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_survives_the_bus() {
        gst::init().unwrap();
        let answer = Answer {
            seq: 3,
            text: "a red ball".into(),
            delta: " ball".into(),
            retracted: true,
            pts: Some(gst::ClockTime::from_seconds(7)),
            first_token_ms: Some(12),
            json: r#"{"people":2}"#.into(),
            fields: Some(gst::Structure::builder("fields").field("people", 2i64).build()),
            ..Answer::default()
        };
        let message = gst::message::Element::builder(answer.to_structure()).build();
        assert_eq!(Answer::from_message(&message), Some(answer));
        assert_eq!(AnswerError::from_message(&message), None);
    }

    #[test]
    fn an_answer_is_written_as_json_with_what_there_is() {
        let answer = Answer {
            seq: 3,
            text: "two \"people\"".into(),
            delta: "le\"".into(),
            done: true,
            pts: Some(gst::ClockTime::from_mseconds(7)),
            json: r#"{"people":2}"#.into(),
            finish_reason: "stop".into(),
            ..Answer::default()
        };
        assert_eq!(
            answer.to_json(),
            json!({
                "seq": 3, "text": "two \"people\"", "done": true, "pts": 7_000_000,
                "json": { "people": 2 }, "model": "", "api-base": "", "prompt": "", "age-ms": 0,
                "latency-ms": 0, "tokens-out": 0, "finish-reason": "stop",
            })
        );
        let begun = Answer { delta: "two".into(), tokens_in: Some(70), ..Answer::default() };
        assert_eq!(
            (&begun.to_json()["delta"], &begun.to_json()["tokens-in"]),
            (&json!("two"), &json!(70))
        );
    }

    #[test]
    fn an_error_survives_the_bus() {
        gst::init().unwrap();
        let error = AnswerError {
            seq: 3,
            kind: "refused".into(),
            message: "nobody there".into(),
            retry_in_ms: 1000,
            limit: Some(("questions-per-minute".into(), 60)),
            text: "two people".into(),
        };
        let message = gst::message::Element::builder(error.to_structure()).build();
        assert_eq!(AnswerError::from_message(&message), Some(error));
    }
}
