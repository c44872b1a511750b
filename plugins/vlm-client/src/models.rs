use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// What a server may say of one model's capabilities, in bytes. As values, JSON takes up to 16
/// times its length.
const MAX_CAPABILITIES: usize = 4 << 10;
/// The longest id, in bytes, and the most models that are looked at.
const MAX_ID: usize = 256;
const MAX_MODELS: usize = 4096;

/// A model that a server lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The id to ask for it with.
    pub id: String,
    /// Whether it seems to take pictures: the server says so, or its name does.
    pub vision: bool,
}

#[derive(Deserialize)]
pub(crate) struct ModelList {
    #[serde(default, alias = "models")]
    data: Option<Vec<ListedModel>>,
}

#[derive(Deserialize)]
struct ListedModel {
    #[serde(alias = "name")]
    id: String,
    #[serde(default)]
    capabilities: Option<Box<RawValue>>,
    #[serde(default)]
    architecture: Option<Architecture>,
}

#[derive(Deserialize)]
struct Architecture {
    #[serde(default)]
    input_modalities: Vec<String>,
}

impl ModelList {
    pub(crate) fn into_models(self) -> Vec<Model> {
        let is_usable = |model: &ListedModel| {
            (1..=MAX_ID).contains(&model.id.len()) && !model.id.contains(char::is_control)
        };
        let listed = self.data.unwrap_or_default().into_iter().filter(is_usable);
        listed.take(MAX_MODELS).map(ListedModel::into_model).collect()
    }
}

impl ListedModel {
    fn into_model(self) -> Model {
        let says_so = self.capabilities.as_deref().is_some_and(names_vision)
            || self.architecture.is_some_and(|a| a.input_modalities.iter().any(|m| m == "image"));
        Model { vision: says_so || looks_like_vision(&self.id), id: self.id }
    }
}

/// llama.cpp and Ollama list capabilities as words, others as an object of flags.
fn names_vision(capabilities: &RawValue) -> bool {
    let is_vision = |word: &str| matches!(word, "vision" | "multimodal" | "image");
    let text = Some(capabilities.get()).filter(|text| text.len() <= MAX_CAPABILITIES);
    match text.and_then(|text| serde_json::from_str(text).ok()) {
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).any(is_vision),
        Some(Value::Object(flags)) => {
            flags.iter().any(|(word, flag)| is_vision(word) && flag == true)
        }
        _ => false,
    }
}

/// Parts of the names of models that take pictures. A word here matches at the start of a part of
/// the name, parts being separated by anything that is neither letter nor digit.
const VISION_NAMES: &[&str] = &[
    "aya-vision",
    "bakllava",
    "claude",
    "cogvlm",
    "cosmos",
    "demo-vlm",
    "florence",
    "fuyu",
    "gemini",
    "gemma-3",
    "gemma3",
    "gemma-4",
    "gemma4",
    "glm-4.1v",
    "glm-4.5v",
    "glm-4v",
    "gpt-4.1",
    "gpt-4o",
    "gpt-5",
    "idefics",
    "internvl",
    "kosmos",
    "llama-3.2-11b",
    "llama-3.2-90b",
    "llama-4",
    "llama4",
    "llava",
    "minicpm-v",
    "mistral-small-3",
    "mistral-small3",
    "molmo",
    "moondream",
    "multimodal",
    "neva",
    "nvila",
    "omni",
    "ovis",
    "paligemma",
    "pixtral",
    "smolvlm",
    "vila",
    "vision",
    "vl",
    "vlm",
];

/// Whether a model's name is that of one that takes pictures.
pub fn looks_like_vision(id: &str) -> bool {
    let id = id.to_ascii_lowercase();
    VISION_NAMES.iter().any(|name| {
        id.match_indices(name).any(|(at, _)| {
            let before = id[..at].chars().next_back();
            let after = id[at + name.len()..].chars().next();
            // `vl` also follows a version (qwen2.5vl) and must not be found inside a word.
            let starts = before.is_none_or(|c| !c.is_alphabetic());
            let ends = name.len() > 3 || after.is_none_or(|c| !c.is_alphabetic());
            starts && ends
        })
    })
}

/// The model to use when the user named none: the first that takes pictures, else the first.
pub fn choose_model(models: &[Model]) -> Option<&Model> {
    models.iter().find(|model| model.vision).or_else(|| models.first())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(json: &str) -> Vec<Model> {
        serde_json::from_str::<ModelList>(json).unwrap().into_models()
    }

    #[test]
    fn names_of_vision_models_are_known() {
        for id in [
            "qwen2.5vl:3b",
            "Qwen/Qwen2.5-VL-7B-Instruct",
            "llava:7b",
            "meta/llama-3.2-11b-vision-instruct",
            "gemma3:4b",
            "moondream",
            "HuggingFaceTB/SmolVLM-Instruct",
            "nvidia/vila",
            "gpt-4o-mini",
            "minicpm-v:8b",
        ] {
            assert!(looks_like_vision(id), "{id}");
        }
        for id in ["llama3.2:3b", "qwen2.5:7b", "mistral:7b", "phi4", "nomic-embed-text", "gpt-oss"]
        {
            assert!(!looks_like_vision(id), "{id}");
        }
    }

    #[test]
    fn a_vision_model_is_preferred_over_the_first() {
        let models = list(r#"{"data":[{"id":"llama3"},{"id":"llava:7b"}]}"#);
        assert_eq!(choose_model(&models).unwrap().id, "llava:7b");
        let models = list(r#"{"data":[{"id":"b"},{"id":"a"}]}"#);
        assert_eq!(choose_model(&models).unwrap().id, "b");
        assert!(choose_model(&[]).is_none());
    }

    #[test]
    fn models_that_nobody_can_name_are_left_out() {
        let long = "x".repeat(257);
        let models = list(&format!(
            r#"{{"data":[{{"id":""}},{{"id":"{long}"}},{{"id":"a\u0000"}},{{"id":"b"}}]}}"#
        ));
        assert_eq!(models.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(), ["b"]);
        let many = vec![r#"{"id":"a"}"#; 5000].join(",");
        assert_eq!(list(&format!(r#"{{"data":[{many}]}}"#)).len(), MAX_MODELS);
    }

    #[test]
    fn what_a_server_says_of_its_model_counts() {
        let models = list(
            r#"{"data":[{"id":"a","capabilities":["completion","multimodal"]},
                {"id":"b","architecture":{"input_modalities":["text","image"]}},
                {"id":"c","capabilities":{"vision":false}}]}"#,
        );
        assert_eq!(models.iter().map(|m| m.vision).collect::<Vec<_>>(), [true, true, false]);
    }
}
