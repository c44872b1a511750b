//! What goes over the wire: the part of the OpenAI chat-completions API that we send.

use std::borrow::Cow;

use serde::{Serialize, Serializer, ser::SerializeMap, ser::SerializeSeq};

use crate::{
    adapt::{Adaptation, Field},
    question::ChatRequest,
};

impl Serialize for ChatRequest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Adapted { request: self, by: &Adaptation::default() }.serialize(serializer)
    }
}

/// A question in the form that one server takes.
pub(crate) struct Adapted<'a> {
    pub(crate) request: &'a ChatRequest,
    pub(crate) by: &'a Adaptation,
}

impl Adapted<'_> {
    /// Whether a field is ours to say.
    fn says(&self, field: Field) -> bool {
        !self.request.extra.has(field.name()) && !self.by.leaves_out(field)
    }

    /// The schema of the answer where no field may say it.
    fn schema_in_words(&self) -> Option<&serde_json::Value> {
        let schema = self.request.response_schema.as_deref()?;
        self.by.leaves_out(Field::ResponseFormat).then_some(schema)
    }
}

impl Serialize for Adapted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { request, by } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("model", &request.model)?;
        map.serialize_entry("messages", &Messages(self))?;
        if let Some(name) = by.max_tokens(request.max_tokens)
            && self.says(Field::MaxTokens)
            && !request.extra.has(name)
        {
            map.serialize_entry(name, &request.max_tokens)?;
        }
        if let Some(temperature) = request.temperature.filter(|_| self.says(Field::Temperature)) {
            map.serialize_entry(Field::Temperature.name(), &temperature)?;
        }
        if let Some(schema) = request.response_schema.as_deref()
            && self.says(Field::ResponseFormat)
        {
            let format = ResponseFormat::fitting(schema);
            map.serialize_entry(Field::ResponseFormat.name(), &format)?;
        }
        map.serialize_entry("stream", &by.streams(request))?;
        if by.streams(request) && self.says(Field::StreamOptions) {
            let options = StreamOptions { include_usage: true };
            map.serialize_entry(Field::StreamOptions.name(), &options)?;
        }
        if !request.user.is_empty() && self.says(Field::User) {
            map.serialize_entry(Field::User.name(), &request.user)?;
        }
        for (name, value) in request.extra.fields() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct ResponseFormat<'a> {
    r#type: &'static str,
    json_schema: NamedSchema<'a>,
}

#[derive(Serialize)]
struct NamedSchema<'a> {
    name: &'static str,
    strict: bool,
    schema: &'a serde_json::Value,
}

impl<'a> ResponseFormat<'a> {
    fn fitting(schema: &'a serde_json::Value) -> Self {
        let json_schema = NamedSchema { name: "answer", strict: true, schema };
        Self { r#type: "json_schema", json_schema }
    }
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

struct Messages<'a>(&'a Adapted<'a>);

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let request = self.0.request;
        let mut messages = serializer.serialize_seq(None)?;
        if !request.system_prompt.is_empty() {
            messages.serialize_element(&Message {
                role: "system",
                content: Content::Text(&request.system_prompt),
            })?;
        }
        let prompt = match self.0.schema_in_words() {
            Some(schema) => Cow::Owned(format!(
                "{}\n\nAnswer with nothing but JSON that fits this JSON schema:\n{schema}",
                request.prompt
            )),
            None => Cow::Borrowed(request.prompt.as_str()),
        };
        let mut parts = vec![Part::Text { text: &prompt }];
        for picture in &request.pictures {
            if !picture.label.is_empty() {
                parts.push(Part::Text { text: &picture.label });
            }
            parts.push(Part::ImageUrl { image_url: ImageUrl { url: &picture.data_url } });
        }
        messages.serialize_element(&Message { role: "user", content: Content::Parts(parts) })?;
        messages.end()
    }
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Content<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(&'a str),
    Parts(Vec<Part<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageUrl<'a> },
}

#[derive(Serialize)]
struct ImageUrl<'a> {
    url: &'a str,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{extra::ExtraBody, question::Picture};

    fn question() -> ChatRequest {
        ChatRequest {
            model: "m".into(),
            prompt: "What is it?".into(),
            pictures: vec![Picture::jpeg(&[1, 2, 3])],
            max_tokens: 7,
            stream: true,
            ..ChatRequest::default()
        }
    }

    #[test]
    fn a_streamed_question_asks_for_usage() {
        assert_eq!(
            serde_json::to_value(question()).unwrap(),
            serde_json::json!({
                "model": "m",
                "messages": [{"role": "user", "content": [
                    {"type": "text", "text": "What is it?"},
                    {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AQID"}},
                ]}],
                "max_tokens": 7,
                "stream": true,
                "stream_options": {"include_usage": true},
            })
        );
    }

    #[test]
    fn what_is_unset_is_not_sent_and_what_is_set_is() {
        let request = ChatRequest {
            system_prompt: "Be brief.".into(),
            temperature: Some(0.5),
            stream: false,
            user: "u1".into(),
            ..question()
        };
        let value = serde_json::to_value(request).unwrap();
        assert_eq!(value["messages"][0]["role"], "system");
        assert_eq!(value["messages"][0]["content"], "Be brief.");
        assert_eq!(value["temperature"], 0.5);
        assert_eq!(value["user"], "u1");
        assert!(value.get("stream_options").is_none());
    }

    #[test]
    fn pictures_of_a_clip_follow_their_labels() {
        let picture = |byte, label: &str| Picture::jpeg(&[byte]).labelled(label.into());
        let request =
            ChatRequest { pictures: vec![picture(1, "first"), picture(2, "then")], ..question() };
        let value = serde_json::to_value(request).unwrap();
        let parts = value["messages"][0]["content"].as_array().unwrap();
        let kinds: Vec<_> = parts
            .iter()
            .map(|part| part["text"].as_str().unwrap_or_else(|| part["type"].as_str().unwrap()))
            .collect();
        assert_eq!(kinds, ["What is it?", "first", "image_url", "then", "image_url"]);
    }

    #[test]
    fn extra_fields_are_added_take_the_place_of_ours_or_leave_them_out() {
        let extra = r#"{"temperature": 0.1, "max_tokens": null, "stream_options": null,
            "chat_template_kwargs": {"a": 1}}"#;
        let request = ChatRequest {
            temperature: Some(0.5),
            extra: ExtraBody::parse(extra).unwrap(),
            ..question()
        };
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(text.matches("temperature").count(), 1, "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["temperature"], 0.1);
        assert_eq!(value["chat_template_kwargs"]["a"], 1);
        assert!(value.get("max_tokens").is_none());
        assert!(value.get("stream_options").is_none());
    }

    #[test]
    fn what_a_server_does_not_take_is_not_sent_to_it() {
        let refused = |body: &str, request: &ChatRequest, by: &Adaptation| {
            by.after(400, body.as_bytes(), request).unwrap()
        };
        let schema = Some(Arc::new(serde_json::json!({"type": "object"})));
        let request = ChatRequest { response_schema: schema, user: "u1".into(), ..question() };
        let mut by = Adaptation::default();
        for name in ["stream_options", "user", "response_format", "max_tokens"] {
            by = refused(&format!("unknown field `{name}`"), &request, &by);
        }
        let value = serde_json::to_value(Adapted { request: &request, by: &by }).unwrap();
        let mut fields: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["max_completion_tokens", "messages", "model", "stream"]);
        assert_eq!(value["max_completion_tokens"], 7);
        let prompt = value["messages"][0]["content"][0]["text"].as_str().unwrap();
        assert!(prompt.starts_with("What is it?\n\n"), "{prompt}");
        assert!(prompt.ends_with(r#"{"type":"object"}"#), "{prompt}");
    }

    #[test]
    fn a_schema_becomes_the_response_format_unless_the_user_names_another() {
        let schema = Some(Arc::new(serde_json::json!({"type": "object"})));
        let request = ChatRequest { response_schema: schema, ..question() };
        assert_eq!(
            serde_json::to_value(&request).unwrap()["response_format"],
            serde_json::json!({"type": "json_schema", "json_schema": {
                "name": "answer", "strict": true, "schema": {"type": "object"},
            }})
        );
        let extra = ExtraBody::parse(r#"{"response_format": {"type": "json_object"}}"#).unwrap();
        let value = serde_json::to_value(ChatRequest { extra, ..request }).unwrap();
        assert_eq!(value["response_format"], serde_json::json!({"type": "json_object"}));
    }
}
