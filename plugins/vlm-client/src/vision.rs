//! Which models take pictures: by what a server says of them, or else by their names. Pure.

use serde_json::Value;

/// What a server may say of one thing about one model, in bytes. As values, JSON takes up to 16
/// times its length.
const MAX_BYTES: usize = 4 << 10;
/// How deep it is looked into.
const DEEPEST: usize = 4;

/// Whether a model takes pictures, by what is said of it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sees {
    #[default]
    Unknown,
    Yes,
    No,
}

/// Fields that say what a model can do, as a list of words or as flags.
const ABILITIES: [&str; 7] =
    ["capabilities", "capability", "features", "supported_features", "tags", "tasks", "abilities"];
/// Fields that say all that it takes.
const INPUTS: [&str; 6] = [
    "input_modalities",
    "supported_input_modalities",
    "inputmodalities",
    "input_types",
    "inputs",
    "input",
];
/// Fields that say it in one word.
const KINDS: [&str; 6] = ["type", "model_type", "task", "pipeline_tag", "modality", "mode"];
const FLAGS: [&str; 14] = [
    "vision",
    "is_vision",
    "has_vision",
    "multimodal",
    "is_multimodal",
    "image_input",
    "supports_vision",
    "supports_image_input",
    "supports_image_in",
    "supports_images",
    "supports_multimodal",
    "supports_image",
    "image",
    "images",
];
/// Fields that name what it is made of.
const MAKES: [&str; 4] = ["architecture", "arch", "family", "families"];
/// Fields that have others in them.
const GROUPS: [&str; 6] = ["details", "meta", "metadata", "model_info", "info", "modalities"];
/// Words for what takes pictures.
const WORDS: [&str; 13] = [
    "vision",
    "multimodal",
    "image",
    "images",
    "image_input",
    "image-input",
    "vlm",
    "video",
    "image-text-to-text",
    "image-to-text",
    "visual-question-answering",
    "any-to-any",
    "clip",
];

impl Sees {
    /// Whether a field of this name says something of it.
    pub(crate) fn is_told_by(name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        [&ABILITIES[..], &INPUTS, &KINDS, &FLAGS, &MAKES, &GROUPS]
            .iter()
            .any(|names| names.contains(&&*name))
    }

    /// What the field `name` says with this JSON.
    pub(crate) fn told(name: &str, json: &str) -> Self {
        let value = Some(json).filter(|json| json.len() <= MAX_BYTES);
        let value = value.and_then(|json| serde_json::from_str(json).ok());
        value.map_or(Self::Unknown, |value| Self::in_field(name, &value, DEEPEST))
    }

    /// What is said twice: that it does counts for more than that it does not.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::No, _) | (_, Self::No) => Self::No,
            _ => Self::Unknown,
        }
    }

    /// The same, or if nothing is known what its name says.
    pub(crate) fn or_called(self, is_called_vision: bool) -> bool {
        match self {
            Self::Yes => true,
            Self::No => false,
            Self::Unknown => is_called_vision,
        }
    }

    fn of(sees: bool) -> Self {
        if sees { Self::Yes } else { Self::No }
    }

    fn if_so(sees: bool) -> Self {
        if sees { Self::Yes } else { Self::Unknown }
    }

    fn in_field(name: &str, value: &Value, deepest: usize) -> Self {
        let Some(deepest) = deepest.checked_sub(1) else { return Self::Unknown };
        let name = name.to_ascii_lowercase();
        let is = |names: &[&str]| names.contains(&&*name);
        match value {
            Value::Object(object) if is(&INPUTS) || is(&FLAGS) => {
                // {"image": {"supported": true}}
                let said = object.get("supported").or(object.get("enabled"));
                said.map_or(Self::Unknown, |said| Self::in_field("vision", said, deepest))
            }
            Value::Object(object) => {
                let told = object.iter().filter(|(name, _)| Self::is_told_by(name));
                told.fold(Self::Unknown, |sees, (name, value)| {
                    sees.and(Self::in_field(name, value, deepest))
                })
            }
            _ if is(&INPUTS) => match words(value) {
                words if words.is_empty() => Self::Unknown,
                words => Self::of(words.iter().any(|word| is_vision(word))),
            },
            Value::Bool(flag) if is(&FLAGS) => Self::of(*flag),
            Value::String(text) if is(&KINDS) => Self::of_kind(text),
            _ if is(&MAKES) => {
                let makes = words(value);
                Self::if_so(
                    makes
                        .iter()
                        .any(|make| is_vision(make) || make == "mllama" || looks_like_vision(make)),
                )
            }
            _ if is(&ABILITIES) || is(&GROUPS) => {
                Self::if_so(words(value).iter().any(|word| is_vision(word)))
            }
            _ => Self::Unknown,
        }
    }

    /// `vlm`, `text+image->text`; what makes pictures does not take them.
    fn of_kind(text: &str) -> Self {
        let text = text.trim().to_ascii_lowercase();
        if let Some((input, _)) = text.split_once("->") {
            return Self::of(input.split('+').any(|word| is_vision(word.trim())));
        }
        match &*text {
            "llm" | "text" | "embedding" | "embeddings" | "text-generation" => Self::No,
            "image" | "images" | "video" => Self::Unknown,
            kind => Self::if_so(is_vision(kind)),
        }
    }
}

/// The words of a list, or of a text with commas between them.
fn words(value: &Value) -> Vec<String> {
    let lower = |text: &str| text.trim().to_ascii_lowercase();
    match value {
        Value::String(text) => {
            text.split([',', ' ', '+']).map(lower).filter(|w| !w.is_empty()).collect()
        }
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(lower).collect(),
        _ => Vec::new(),
    }
}

fn is_vision(word: &str) -> bool {
    WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Parts of the names of models that take pictures. A word here matches at the start of a part of
/// the name, parts being separated by anything that is neither letter nor digit.
const VISION_NAMES: [&str; 85] = [
    "apriel-1.5",
    "apriel-1.6",
    "aya-vision",
    "bakllava",
    "blip",
    "chatgpt-4o",
    "claude",
    "cogvlm",
    "cosmos",
    "deepseek-ocr",
    "demo-vlm",
    "doubao-seed-1",
    "doubao-seed-2",
    "eagle2",
    "fastvlm",
    "florence",
    "fuyu",
    "gemini",
    "gemma-3",
    "gemma3",
    "gemma-4",
    "gemma4",
    "gpt-4-turbo",
    "gpt-4.1",
    "gpt-4.5",
    "gpt-4o",
    "gpt-5",
    "gpt-6",
    "granite-docling",
    "grok-4",
    "grok-5",
    "idefics",
    "instructblip",
    "intern-s1",
    "internvl",
    "janus",
    "keye",
    "kimi-k2.5",
    "kimi-k2.6",
    "kimi-latest",
    "kosmos",
    "llama-3.2-11b",
    "llama-3.2-90b",
    "llama-4",
    "llama4",
    "llava",
    "magistral-small-2509",
    "medgemma",
    "minicpm-o",
    "minicpm-v",
    "ministral-3",
    "mistral-large-3",
    "mistral-medium-3",
    "mistral-small-3",
    "mistral-small-4",
    "mistral-small3",
    "molmo",
    "moondream",
    "mplug-owl",
    "multimodal",
    "neva",
    "nova-lite",
    "nova-premier",
    "nova-pro",
    "nvila",
    "o4-mini",
    "omni",
    "ovis",
    "paligemma",
    "pixtral",
    "qvq",
    "qwen3.5",
    "qwen-3.5",
    "qwen3.6",
    "qwen-3.6",
    "r1v",
    "reka",
    "smolvlm",
    "step3",
    "step-3",
    "vila",
    "vision",
    "vl",
    "vlm",
    "xcomposer",
];
/// Models of these families that take none.
const BLIND: [&str; 9] = [
    "gemma-3-1b",
    "gemma3:1b",
    "gemma-3-270m",
    "gemma3:270m",
    "claude-2",
    "claude-instant",
    "omni-moderation",
    "step-3.5",
    "step3.5",
];
/// Parts of the names of models that are not asked as we ask.
const NOT_CHAT: [&str; 20] = [
    "embed",
    "rerank",
    "whisper",
    "tts",
    "transcribe",
    "realtime",
    "audio",
    "moderation",
    "dall-e",
    "gpt-image",
    "flash-image",
    "pro-image",
    "imagen",
    "stable-diffusion",
    "sdxl",
    "guard",
    "bge",
    "colpali",
    "colqwen",
    "siglip",
];

/// Whether a model's name is that of one that takes pictures.
pub fn looks_like_vision(id: &str) -> bool {
    let id = id.to_ascii_lowercase();
    let is_called = |names: &[&str]| names.iter().any(|name| contains(&id, name));
    looks_like_chat(&id) && !is_called(&BLIND) && (is_called(&VISION_NAMES) || is_glm_v(&id))
}

/// Whether a model's name is not one of those for texts to be compared, sounds and the like.
pub(crate) fn looks_like_chat(id: &str) -> bool {
    let id = id.to_ascii_lowercase();
    !NOT_CHAT.iter().any(|name| {
        id.match_indices(name)
            .any(|(at, _)| id[..at].chars().next_back().is_none_or(|c| !c.is_alphabetic()))
    })
}

/// Whether a name has a word as its part.
fn contains(id: &str, name: &str) -> bool {
    id.match_indices(name).any(|(at, _)| {
        let before = id[..at].chars().next_back();
        let after = id[at + name.len()..].chars().next();
        // `vl` also follows a version (qwen2.5vl) and must not be found inside a word.
        let starts = before.is_none_or(|c| !c.is_alphabetic());
        let ends = name.len() > 3 || after.is_none_or(|c| !c.is_alphabetic());
        starts && ends
    })
}

/// GLM-4V, GLM-4.1V, GLM-4.6V, GLM-5V: those whose version ends in a V.
fn is_glm_v(id: &str) -> bool {
    id.match_indices("glm-").any(|(at, before)| {
        let version =
            id[at + before.len()..].trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let rest = version.strip_prefix('v');
        rest.is_some_and(|rest| !rest.starts_with(char::is_alphabetic))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
            "Qwen/Qwen3-VL-8B-Instruct",
            "qwen3.5:9b",
            "google/gemma-4-E4B-it",
            "zai-org/GLM-4.6V-Flash",
            "glm-4v",
            "moonshotai/Kimi-K2.5",
            "OpenGVLab/InternVL3_5-8B",
            "mistralai/Ministral-3-8B-Instruct-2512",
            "mistral-small3.2",
            "models/gemini-2.5-flash",
            "apple/FastVLM-0.5B",
            "Skywork/Skywork-R1V3-38B",
            "deepseek-ai/deepseek-vl2",
            "LiquidAI/LFM2-VL-1.6B",
            "ServiceNow-AI/Apriel-1.5-15b-Thinker",
            "amazon.nova-lite-v1:0",
        ] {
            assert!(looks_like_vision(id), "{id}");
        }
        for id in [
            "llama3.2:3b",
            "qwen2.5:7b",
            "mistral:7b",
            "phi4",
            "nomic-embed-text",
            "gpt-oss",
            "gemma3:1b",
            "google/gemma-3-270m-it",
            "nomic-embed-vision-v1.5",
            "gpt-4o-realtime-preview",
            "gemini-embedding-001",
            "glm-4.6",
            "glm-4-voice",
            "mistral-small:24b",
        ] {
            assert!(!looks_like_vision(id), "{id}");
        }
    }

    #[test]
    fn what_is_said_of_a_model_is_understood_in_every_form() {
        for (name, json, sees) in [
            ("capabilities", r#"["completion","multimodal"]"#, Sees::Yes),
            ("capabilities", r#"["completion"]"#, Sees::Unknown),
            ("capabilities", r#"{"completion_chat":true,"vision":true}"#, Sees::Yes),
            ("capabilities", r#"{"vision":false}"#, Sees::No),
            ("capabilities", r#"{"image_input":{"supported":true}}"#, Sees::Yes),
            ("capabilities", "null", Sees::Unknown),
            (
                "architecture",
                r#"{"modality":"text+image->text","input_modalities":null}"#,
                Sees::Yes,
            ),
            ("architecture", r#"{"input_modalities":["text"]}"#, Sees::No),
            ("architecture", r#"{"modality":"text->text+image"}"#, Sees::No),
            ("arch", r#""qwen2_5_vl""#, Sees::Yes),
            ("type", r#""vlm""#, Sees::Yes),
            ("type", r#""llm""#, Sees::No),
            ("type", r#""chat""#, Sees::Unknown),
            ("type", r#""image""#, Sees::Unknown),
            ("input_modalities", r#"["text","image"]"#, Sees::Yes),
            ("modality", r#""text+image->text""#, Sees::Yes),
            ("modalities", r#"{"input":["text","image"],"output":["text"]}"#, Sees::Yes),
            ("modalities", r#"{"input":["text"],"output":["text","image"]}"#, Sees::No),
            ("supports_image_in", "true", Sees::Yes),
            ("supports_vision", "false", Sees::No),
            ("details", r#"{"family":"mllama","families":["mllama"]}"#, Sees::Yes),
            ("details", r#"{"families":["llama","clip"]}"#, Sees::Yes),
            ("details", r#"{"family":"","families":[""]}"#, Sees::Unknown),
            ("tags", r#"["vision"]"#, Sees::Yes),
            ("pipeline_tag", r#""image-text-to-text""#, Sees::Yes),
        ] {
            assert!(Sees::is_told_by(name), "{name}");
            assert_eq!(Sees::told(name, json), sees, "{name}: {json}");
        }
        let long = format!(r#"["vision","{}"]"#, "x".repeat(MAX_BYTES));
        assert_eq!(Sees::told("capabilities", &long), Sees::Unknown);
        assert!(!Sees::is_told_by("output_modalities"));
    }
}
