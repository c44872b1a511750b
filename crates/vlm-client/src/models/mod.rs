//! The models that a server lists, and which of them take pictures.

mod chats;
mod families;
mod fields;
mod naming;
mod vision;

use std::{borrow::Cow, collections::HashMap};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess};
use serde_json::{Value, value::RawValue};

use vlm_replies::{
    Failure, Fault,
    lenient::{As, Lenient, next_name, pass_over, value},
    repair::repaired,
};

use crate::{endpoint::Endpoint, error::Error};

use chats::looks_like_chat;
use fields::plain;
use vision::Sees;

pub use families::looks_like_vision;

/// The longest id, in bytes, and the most models that are looked at.
const MAX_ID: usize = 256;
const MAX_MODELS: usize = 4096;
/// What a server may say of one thing about one model, in bytes. As values, JSON takes up to 16
/// times its length.
const MAX_TOLD: usize = 4 << 10;

/// A model that a server lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The id to ask for it with.
    pub id: String,
    /// Whether it seems to take pictures: the server says so, or its name does.
    pub vision: bool,
}

/// Reads the body of a list of models, those that are not asked as we ask at its end; an error if
/// there is none in it.
pub(crate) fn read(body: &[u8], endpoint: &Endpoint) -> Result<Vec<Model>, Error> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{FEFF}' | '\0'));
    let mended;
    let listed = match serde_json::from_str::<Listed>(text) {
        Ok(listed) => Ok(listed),
        Err(_) => {
            mended = repaired(text);
            serde_json::from_str(&mended)
        }
    };
    let listed = listed.map_err(|error| {
        let said = format!("its list of models is unreadable ({error})");
        endpoint.error(Failure::Protocol { reason: endpoint.secrets().blotted_out(&said) })
    })?;
    let models = listed.into_models();
    match Fault::in_answer(text).filter(|_| models.is_empty()) {
        Some(fault) => {
            Err(endpoint.error(fault.into_failure(&endpoint.secrets(), None, 200, None)))
        }
        None => Ok(models),
    }
}

/// The model to use when the user named none: the first that takes pictures, else the first that
/// is asked as we ask.
pub fn choose_model(models: &[Model]) -> Option<&Model> {
    let chats = |model: &&Model| looks_like_chat(&model.id);
    models
        .iter()
        .find(|model| model.vision)
        .or_else(|| models.iter().find(chats))
        .or_else(|| models.first())
}

/// A list of models, or two of them: llama.cpp's `models` say more of those in `data`.
#[derive(Default)]
struct Listed<'a> {
    entries: Vec<Entry<'a>>,
    more: Vec<Entry<'a>>,
}

/// What is said of a model.
#[derive(Default)]
struct Entry<'a> {
    id: Cow<'a, str>,
    model: Cow<'a, str>,
    name: Cow<'a, str>,
    key: Cow<'a, str>,
    /// Whether one of its other names is that of a model that takes pictures.
    is_called_vision: bool,
    sees: Sees,
    /// Whether the server says that it is not asked as we ask.
    is_other: bool,
}

/// What is known of a model from all that is said of it.
struct Known<'a> {
    id: Cow<'a, str>,
    is_called_vision: bool,
    sees: Sees,
    is_other: bool,
}

impl<'a> Listed<'a> {
    fn into_models(self) -> Vec<Model> {
        let mut known: Vec<Known<'a>> = Vec::new();
        let mut places: HashMap<Cow<'a, str>, usize> = HashMap::new();
        for entry in self.entries.into_iter().chain(self.more) {
            let Some(id) = entry.asked_by() else { continue };
            let Entry { is_called_vision, sees, is_other, .. } = entry;
            match places.get(&id) {
                Some(&place) => {
                    let model = &mut known[place];
                    model.sees = model.sees.and(sees);
                    model.is_called_vision |= is_called_vision;
                    model.is_other |= is_other;
                }
                None if known.len() < MAX_MODELS => {
                    places.insert(id.clone(), known.len());
                    let is_called_vision = is_called_vision || looks_like_vision(&id);
                    let is_other = is_other || !looks_like_chat(&id);
                    known.push(Known { id, is_called_vision, sees, is_other });
                }
                None => break,
            }
        }
        let some_see = known.iter().any(|model| model.sees == Sees::Yes);
        known.sort_by_key(|model| model.is_other);
        let models =
            known.into_iter().map(|Known { id, is_called_vision, sees, is_other }| Model {
                id: id.into_owned(),
                vision: !is_other && sees.or_called(is_called_vision, some_see),
            });
        models.collect()
    }
}

impl<'a> Entry<'a> {
    /// The id to ask for it with, if it has one that can be used.
    fn asked_by(&self) -> Option<Cow<'a, str>> {
        let is_usable =
            |id: &&Cow<'a, str>| (1..=MAX_ID).contains(&id.len()) && !id.contains(char::is_control);
        [&self.id, &self.model, &self.name, &self.key].into_iter().find(is_usable).cloned()
    }

    /// Takes what a field says.
    fn take(&mut self, field: &str, told: &RawValue) {
        let told = Some(told.get()).filter(|told| told.len() <= MAX_TOLD);
        let told: Option<Value> = told.and_then(|told| serde_json::from_str(told).ok());
        if let Some(told) = told {
            self.sees = self.sees.and(Sees::told(field, &told));
            self.is_other |= chats::is_denied_by(field, &told);
        }
    }
}

/// Other names of a model.
#[derive(Default)]
struct OtherNames {
    /// Whether one is that of a model that takes pictures.
    see: bool,
}

impl<'de> Lenient<'de> for OtherNames {
    fn text(text: Cow<'de, str>) -> Self {
        Self { see: looks_like_vision(&text) }
    }

    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut see = false;
        while let Some(name) = list.next_element_seed(As::<Self>::new())? {
            see |= name.see;
        }
        Ok(Self { see })
    }
}

impl<'de> Deserialize<'de> for Listed<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(As::<Self>::new())
    }
}

impl<'de> Lenient<'de> for Listed<'de> {
    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut listed = Self::default();
        while let Some(entry) = list.next_element_seed(As::<Entry<'de>>::new())? {
            if listed.entries.len() < MAX_MODELS && entry.asked_by().is_some() {
                listed.entries.push(entry);
            }
        }
        Ok(listed)
    }

    fn object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut listed = Self::default();
        while let Some(name) = next_name(&mut object)? {
            match &*name {
                "data" => {
                    let data: Self = value(&mut object)?;
                    let before = std::mem::replace(&mut listed.entries, data.entries);
                    listed.more.extend(before.into_iter().chain(data.more));
                }
                "models" | "result" | "model_list" | "items" | "list" => {
                    let models: Self = value(&mut object)?;
                    listed.more.extend(models.entries.into_iter().chain(models.more));
                }
                _ => pass_over(&mut object)?,
            }
        }
        Ok(listed)
    }
}

impl<'de> Lenient<'de> for Entry<'de> {
    fn text(text: Cow<'de, str>) -> Self {
        Self { id: text, ..Self::default() }
    }

    fn object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut entry = Self::default();
        while let Some(name) = next_name(&mut object)? {
            let place = match &*name {
                "id" => &mut entry.id,
                "model" | "model_name" => &mut entry.model,
                "name" => &mut entry.name,
                "key" | "slug" => &mut entry.key,
                "root" | "parent" | "hugging_face_id" | "display_name" | "base_model"
                | "canonical_slug" | "aliases" | "checkpoint" => {
                    let OtherNames { see } = value(&mut object)?;
                    entry.is_called_vision |= see;
                    continue;
                }
                other => {
                    let field = plain(other);
                    if Sees::is_told_by(&field) || chats::is_concerned_by(&field) {
                        entry.take(&field, object.next_value()?);
                    } else {
                        pass_over(&mut object)?;
                    }
                    continue;
                }
            };
            let text: Cow<'de, str> = value(&mut object)?;
            if !text.is_empty() {
                *place = text;
            }
        }
        let names = [&entry.model, &entry.name];
        entry.is_called_vision |= names.iter().any(|name| looks_like_vision(name));
        Ok(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(json: &str) -> Vec<Model> {
        read(json.as_bytes(), &Endpoint::new("http://vlm.invalid/v1", None).unwrap()).unwrap()
    }

    fn told(json: &str) -> Vec<(String, bool)> {
        list(json).into_iter().map(|model| (model.id, model.vision)).collect()
    }

    #[test]
    fn a_vision_model_is_preferred_over_the_first() {
        let models = list(r#"{"data":[{"id":"llama3"},{"id":"llava:7b"}]}"#);
        assert_eq!(choose_model(&models).unwrap().id, "llava:7b");
        let models = list(r#"{"data":[{"id":"b"},{"id":"a"}]}"#);
        assert_eq!(choose_model(&models).unwrap().id, "b");
        let models = list(r#"{"data":[{"id":"text-embedding-nomic-embed-text-v1.5"},{"id":"a"}]}"#);
        assert_eq!(choose_model(&models).unwrap().id, "a");
        assert!(choose_model(&[]).is_none());
    }

    #[test]
    fn what_is_not_asked_as_we_ask_comes_last() {
        let models = told(
            r#"[{"id":"a","type":"image"},{"id":"all-minilm"},{"id":"qwen-vl","type":"embeddings"},
                {"id":"b","type":"chat"},{"id":"flux","input_modalities":["text","image"]}]"#,
        );
        let ids: Vec<_> = models.iter().map(|(id, sees)| (id.as_str(), *sees)).collect();
        let others = [("a", false), ("all-minilm", false), ("qwen-vl", false), ("flux", false)];
        assert_eq!((ids[0], &ids[1..]), (("b", false), &others[..]));
    }

    #[test]
    fn a_type_says_that_a_model_is_blind_only_beside_one_that_sees() {
        let lmstudio = r#"{"data":[{"id":"gemma-3-4b","type":"llm"},{"id":"a","type":"vlm"}]}"#;
        assert_eq!(told(lmstudio), [("gemma-3-4b".to_owned(), false), ("a".to_owned(), true)]);
        let venice = r#"{"data":[{"id":"gemma-3-4b","type":"text"},{"id":"a","type":"text"}]}"#;
        assert_eq!(told(venice), [("gemma-3-4b".to_owned(), true), ("a".to_owned(), false)]);
    }

    #[test]
    fn models_that_nobody_can_name_are_left_out() {
        let long = "x".repeat(257);
        let odd = format!(
            r#"{{"data":[{{"id":""}},{{"id":"{long}"}},{{"id":"a\u0000"}},{{"id":null}},{{"id":7}},
                null,7,[],{{}},{{"id":"b"}}]}}"#
        );
        assert_eq!(told(&odd), [("b".to_owned(), false)]);
        let many: Vec<String> = (0..5000).map(|n| format!(r#"{{"id":"{n}"}}"#)).collect();
        assert_eq!(list(&format!(r#"{{"data":[{}]}}"#, many.join(","))).len(), MAX_MODELS);
    }

    #[test]
    fn lists_are_read_in_every_form_in_use() {
        for json in [
            r#"{"object":"list","data":[{"id":"a"}]}"#,
            r#"{"models":[{"name":"a","model":"a"}],"object":"list","data":[{"id":"a"}]}"#,
            r#"{"data":[{"id":"a","name":"A: the first"}]}"#,
            r#"{"models":[{"name":"a"}]}"#,
            r#"{"data":null,"models":[{"model":"a"}]}"#,
            r#"[{"id":"a","type":"chat"}]"#,
            r#"["a"]"#,
            r#"{"data":["a"]}"#,
            r#"{"data":{"models":[{"id":"a"}]}}"#,
            r#"{"items":[{"id":"a"}],"total":1}"#,
            "{\"data\":[{\"id\":\"a\"}]}\0\0",
            r#"{"data":[{"id":"a","id":"a"}],"x":NaN}"#,
            r#"{"data":[{"id":"a"},{"id":"a"}]}"#,
            "\u{FEFF} {\"data\":[{\"id\":\"a\"}]}",
            r#"{"data":[{"id":"a"}],"error":null}"#,
        ] {
            assert_eq!(told(json), [("a".to_owned(), false)], "{json}");
        }
        for json in [r#"{"object":"list"}"#, r#"{"data":null}"#, "[]", "{}"] {
            assert_eq!(told(json), [], "{json}");
        }
    }

    #[test]
    fn what_is_said_of_a_model_in_either_list_counts() {
        let models = told(
            r#"{"models":[{"name":"a","capabilities":["completion","multimodal"]},{"name":"b"}],
                "data":[{"id":"b"},{"id":"a","owned_by":"llamacpp"}]}"#,
        );
        assert_eq!(models, [("b".to_owned(), false), ("a".to_owned(), true)]);
    }

    #[test]
    fn what_a_server_says_of_its_model_counts_and_its_other_names_too() {
        for (sees, model) in [
            (true, r#""capabilities":["completion","multimodal"]"#),
            (true, r#""architecture":{"input_modalities":["text","image"]}"#),
            (true, r#""root":"/models/Qwen3-VL-32B-Thinking""#),
            (true, r#""display_name":"Qwen2.5-VL""#),
            (true, r#""aliases":["b","pixtral-12b"]"#),
            (false, r#""capabilities":{"vision":false}"#),
            (false, r#""owned_by":"vision inc""#),
        ] {
            let models = told(&format!(r#"{{"data":[{{"id":"a",{model}}}]}}"#));
            assert_eq!(models, [("a".to_owned(), sees)], "{model}");
        }
        // What the server says counts for more than a name does.
        let models = told(r#"{"data":[{"id":"llava","input_modalities":["text"]}]}"#);
        assert_eq!(models, [("llava".to_owned(), false)]);
    }

    #[test]
    fn an_error_in_the_place_of_a_list_is_one() {
        let endpoint = Endpoint::new("http://vlm.invalid/v1", None).unwrap();
        let error = |json: &str| read(json.as_bytes(), &endpoint).unwrap_err();
        let lmstudio = error(r#"{"error":"Unexpected endpoint or method. (GET /models)"}"#);
        assert_eq!(lmstudio.kind.name(), "no-api");
        let said = lmstudio.to_string();
        assert!(said.contains("Unexpected endpoint") && said.contains("/v1"), "{said}");
        assert_eq!(error(r#"{"error":{"message":"bad","code":401}}"#).kind.name(), "unauthorized");
        assert_eq!(error("<html>").kind.name(), "protocol");
    }
}
