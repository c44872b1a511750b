//! Structured answers: a JSON schema that answers are to fit, the check that one does, and its
//! values as fields of a `GstStructure`.

mod classes;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod json_in_text;

use std::{collections::HashSet, sync::Arc};

use gst::{glib, prelude::ToSendValue};
use jsonschema::{PatternOptions, Validator};
use serde_json::{Map, Value};

use self::classes::Listed;

/// Longer than a VLM server takes.
const MAX_BYTES: usize = 64 << 10;
/// How much is told of an answer that does not fit, in characters.
const MAX_REASON: usize = 300;

/// A schema that answers are to fit (JSON Schema, any draft up to 2020-12). Cheap to clone.
#[derive(Debug, Clone)]
pub struct Schema {
    text: String,
    value: Arc<Value>,
    validator: Arc<Validator>,
    names: Arc<HashSet<String>>,
    /// Those of the names whose values are whole numbers.
    integers: Arc<HashSet<String>>,
    listed: Arc<Listed>,
}

/// An answer that fits its schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Structured {
    /// As compact JSON.
    pub json: String,
    /// What the schema names of it.
    pub fields: gst::Structure,
    /// Those of its values that the schema lists.
    pub classes: Vec<String>,
}

/// Why a text is no [`Schema`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSchema {
    /// And what the parser says.
    #[error("it is not JSON ({0})")]
    Syntax(String),
    /// And what is wrong with it.
    #[error("it is not a JSON schema: {0}")]
    NoSchema(String),
    /// 64 KiB are allowed.
    #[error("it has more than {MAX_BYTES} bytes")]
    TooLong,
}

impl Schema {
    /// Reads a schema of at most 64 KiB; an empty text is none.
    pub fn parse(text: &str) -> Result<Option<Self>, BadSchema> {
        if text.len() > MAX_BYTES {
            return Err(BadSchema::TooLong);
        }
        if text.trim().is_empty() {
            return Ok(None);
        }
        let value: Value =
            serde_json::from_str(text).map_err(|error| BadSchema::Syntax(error.to_string()))?;
        if !value.is_object() {
            return Err(BadSchema::NoSchema("an object is wanted".into()));
        }
        // Patterns are tried on what a foreign server says, so in linear time.
        let validator = jsonschema::options()
            .with_pattern_options(PatternOptions::regex())
            .build(&value)
            .map_err(|error| BadSchema::NoSchema(cut(&error.to_string())))?;
        let mut names = HashSet::new();
        collect_names(&value, &mut names);
        let mut integers = Integers::default();
        integers.read("value", &value);
        Ok(Some(Self {
            text: text.to_owned(),
            listed: Arc::new(Listed::new(&value)),
            value: Arc::new(value),
            validator: Arc::new(validator),
            names: Arc::new(names),
            integers: Arc::new(integers.only()),
        }))
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// For the request.
    pub fn value(&self) -> Arc<Value> {
        Arc::clone(&self.value)
    }

    /// Reads an answer; the error says why it does not fit. The JSON may be all of it, or stand in
    /// fences or in the middle of words: the first value that fits counts.
    pub fn read(&self, answer: &str) -> Result<Structured, String> {
        let mut why = None;
        for value in json_in_text::values(answer) {
            match self.misfit(&value) {
                None => return Ok(self.structured(value)),
                Some(reason) => {
                    why.get_or_insert(reason);
                }
            }
        }
        Err(why.unwrap_or_else(|| {
            let error = serde_json::from_str::<Value>(answer.trim()).err();
            let error = error.map(|error| format!(" ({error})")).unwrap_or_default();
            format!("it is not JSON, and there is none in it{error}")
        }))
    }

    /// Why a value does not fit.
    fn misfit(&self, value: &Value) -> Option<String> {
        let error = self.validator.validate(value).err()?;
        let at = error.instance_path().to_string();
        let at = if at.is_empty() { "the answer".to_owned() } else { at };
        Some(cut(&format!("at {at}: {error}")))
    }

    fn structured(&self, mut value: Value) -> Structured {
        self.write_integers("value", &mut value);
        let fields = match &value {
            Value::Object(object) => self.structure(object),
            other => self.structure(&Map::from_iter([("value".to_owned(), other.clone())])),
        };
        let classes = self.listed.classes(&value);
        Structured { json: value.to_string(), fields, classes }
    }

    /// Models write 2.0 where the schema wants a whole number, which is the same to it.
    fn write_integers(&self, name: &str, value: &mut Value) {
        match value {
            Value::Object(object) => {
                for (name, value) in object {
                    self.write_integers(name, value);
                }
            }
            Value::Array(items) => {
                items.iter_mut().for_each(|item| self.write_integers(name, item));
            }
            Value::Number(number) if self.integers.contains(name) => {
                if let Some(whole) = number.as_f64().filter(|_| number.is_f64()).and_then(whole) {
                    *value = whole.into();
                }
            }
            _ => {}
        }
    }

    /// Names are kept by the process for ever, so those that only the model knows are left out.
    fn structure(&self, object: &Map<String, Value>) -> gst::Structure {
        let mut structure = gst::Structure::new_empty("fields");
        for (name, value) in object {
            let is_known = self.names.contains(name) || name == "value";
            if let Some(value) = self.field(value).filter(|_| is_known) {
                structure.set_value(name.as_str(), value);
            }
        }
        structure
    }

    fn field(&self, value: &Value) -> Option<glib::SendValue> {
        Some(match value {
            Value::Null => return None,
            Value::Bool(value) => value.to_send_value(),
            Value::Number(number) => match number.as_i64() {
                Some(number) => number.to_send_value(),
                None => number.as_f64()?.to_send_value(),
            },
            // A structure's text ends at a NUL.
            Value::String(text) => text.replace('\0', "\u{fffd}").to_send_value(),
            Value::Array(items) => {
                gst::Array::from_values(items.iter().filter_map(|item| self.field(item)))
                    .to_send_value()
            }
            Value::Object(object) => self.structure(object).to_send_value(),
        })
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// The names of all properties that a schema speaks of.
fn collect_names(schema: &Value, names: &mut HashSet<String>) {
    match schema {
        Value::Object(object) => {
            for (key, value) in object {
                if let ("properties", Value::Object(properties)) = (key.as_str(), value) {
                    names.extend(properties.keys().cloned());
                }
                collect_names(value, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_names(item, names)),
        _ => {}
    }
}

/// The names of properties whose values are whole numbers, or lists of such.
#[derive(Default)]
struct Integers {
    integers: HashSet<String>,
    others: HashSet<String>,
}

impl Integers {
    /// Reads what a schema says of the values called `name`, and of those within them.
    fn read(&mut self, name: &str, schema: &Value) {
        match schema {
            Value::Object(object) => {
                if let Some(types) = object.get("type") {
                    self.read_types(name, types);
                }
                for (key, inner) in object {
                    match (key.as_str(), inner) {
                        ("properties" | "patternProperties" | "$defs" | "definitions", _) => {
                            for (name, schema) in inner.as_object().into_iter().flatten() {
                                self.read(name, schema);
                            }
                        }
                        _ => self.read(name, inner),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.read(name, item)),
            _ => {}
        }
    }

    fn read_types(&mut self, name: &str, types: &Value) {
        let is = |wanted| {
            types == wanted || types.as_array().is_some_and(|it| it.iter().any(|it| it == wanted))
        };
        if is("number") {
            self.others.insert(name.to_owned());
        } else if is("integer") {
            self.integers.insert(name.to_owned());
        }
    }

    /// Those that are nothing else anywhere.
    fn only(self) -> HashSet<String> {
        self.integers.difference(&self.others).cloned().collect()
    }
}

/// The whole number that a number is, if it is one.
#[expect(clippy::cast_possible_truncation, reason = "it has no fraction and is small enough")]
fn whole(number: f64) -> Option<i64> {
    // Beyond 2^53 not every whole number has a place.
    (number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0).then_some(number as i64)
}

fn cut(reason: &str) -> String {
    match reason.char_indices().nth(MAX_REASON) {
        Some((end, _)) => format!("{}…", &reason[..end]),
        None => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{
        "type": "object",
        "properties": {
            "people": {"type": "integer", "minimum": 0},
            "weather": {"type": "string"},
            "objects": {"type": "array", "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "sure": {"type": "number"}}
            }},
            "indoors": {"type": ["boolean", "null"]}
        },
        "required": ["people"]
    }"#;

    fn schema() -> Schema {
        gst::init().unwrap();
        Schema::parse(SCHEMA).unwrap().unwrap()
    }

    #[test]
    fn an_answer_that_fits_becomes_fields() {
        let answer = r#"{"people": 2, "weather": "rain", "indoors": null,
            "objects": [{"name": "dog", "sure": 0.5}]}"#;
        let Structured { json, fields, .. } = schema().read(answer).unwrap();
        assert!(json.starts_with('{') && !json.contains('\n'), "{json}");
        assert_eq!(fields.get::<i64>("people"), Ok(2));
        assert_eq!(fields.get::<String>("weather"), Ok("rain".into()));
        assert!(!fields.has_field("indoors"));
        let objects = fields.get::<gst::Array>("objects").unwrap();
        let dog = objects.as_slice()[0].get::<gst::Structure>().unwrap();
        assert_eq!(dog.get::<String>("name"), Ok("dog".into()));
        assert_eq!(dog.get::<f64>("sure"), Ok(0.5));
    }

    #[test]
    fn names_that_the_schema_does_not_know_stay_in_the_json_alone() {
        let read = schema().read(r#"{"people": 0, "invented": 1}"#).unwrap();
        assert!(read.json.contains("invented"));
        assert!(!read.fields.has_field("invented"));
    }

    #[test]
    fn the_first_value_that_fits_counts() {
        for answer in [
            "```json\n{\"people\": 1}\n```",
            "```JSON\n{\"people\": 1}```\nThat is all.",
            "{\"people\":1}\n",
            "I see {\"dogs\": 1} and {\"people\": 1}.",
            "```\n{\"people\": 1}\n```\n```\nprint(1)\n```",
            "```json\n{\"people\": \"one\"}\n```\n```json\n{\"people\": 1}\n```",
        ] {
            assert_eq!(schema().read(answer).unwrap().json, r#"{"people":1}"#, "{answer}");
        }
    }

    #[test]
    fn whole_numbers_are_whole_however_they_are_written() {
        let read =
            schema().read(r#"{"people": 2.0, "objects": [{"name": "a", "sure": 1.0}]}"#).unwrap();
        assert_eq!(read.fields.get::<i64>("people"), Ok(2));
        assert_eq!(read.json, r#"{"objects":[{"name":"a","sure":1.0}],"people":2}"#);
        let lists =
            r#"{"properties":{"ids":{"type":"array","items":{"type":["integer","null"]}}}}"#;
        let lists = Schema::parse(lists).unwrap().unwrap();
        assert_eq!(lists.read(r#"{"ids":[1.0,2]}"#).unwrap().json, r#"{"ids":[1,2]}"#);
        let alone = Schema::parse(r#"{"type":"integer"}"#).unwrap().unwrap();
        assert_eq!(alone.read("7.0").unwrap().json, "7");
        assert!(schema().read(r#"{"people": 2.5}"#).is_err());
    }

    #[test]
    fn what_does_not_fit_says_where() {
        let why = |answer: &str| schema().read(answer).unwrap_err();
        assert!(why("two people").contains("not JSON"));
        assert!(why(r#"{"people": -1}"#).contains("/people"), "{}", why(r#"{"people": -1}"#));
        assert!(why("{}").contains("people"));
        assert!(why(&format!(r#"{{"people": "{}"}}"#, "x".repeat(5000))).chars().count() < 350);
    }

    #[test]
    fn a_text_in_the_answer_cannot_end_early() {
        let read = schema().read(r#"{"people": 1, "weather": "a\u0000b"}"#).unwrap();
        assert_eq!(read.fields.get::<String>("weather"), Ok("a\u{fffd}b".into()));
    }

    #[test]
    fn what_is_no_schema_is_refused_with_the_reason() {
        let refused = |text: &str| Schema::parse(text).unwrap_err();
        assert!(matches!(refused("{"), BadSchema::Syntax(_)));
        assert!(matches!(refused("[]"), BadSchema::NoSchema(_)));
        assert!(matches!(refused(r#"{"type": "text"}"#), BadSchema::NoSchema(_)));
        // Nothing is fetched.
        assert!(matches!(refused(r#"{"$ref": "http://127.0.0.1:1/s"}"#), BadSchema::NoSchema(_)));
        assert_eq!(refused(&" ".repeat(MAX_BYTES + 1)), BadSchema::TooLong);
        assert_eq!(Schema::parse(" ").unwrap(), None);
    }

    #[test]
    fn an_answer_that_is_no_object_is_a_value() {
        gst::init().unwrap();
        let schema = Schema::parse(r#"{"type": "integer"}"#).unwrap().unwrap();
        assert_eq!(schema.read("7").unwrap().fields.get::<i64>("value"), Ok(7));
    }
}
